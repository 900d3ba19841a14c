import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;

/**
 * Holds one call with the local stack: asks a spoken question, hears the answer, cuts the media connection in both.
 *
 * Usage: java Call PAGE QUESTION.wav ANSWER.pcm PROTOCOL_FOLDER. The WAV is 16 kHz mono, the answer PCM at 24 kHz.
 * Prints a report as JSON. One thread does all of it, in steps of 20 ms; what arrives is handled in between.
 * Left out, because a call of seconds does not meet it: `ping`, `going_away`, tools, a jitter buffer.
 */
final class Call {
    private static final int STEP_MS = 20;
    private static final int FRAME_BYTES = Wire.UP_HZ / 1000 * STEP_MS * 2;
    private static final int CUT_QUESTION = 50; // microphone frames
    private static final int CUT_ANSWER = 10; // agent's frames
    private static final int LIMIT_STEPS = 60_000 / STEP_MS;
    private static final double RESUME_S = 8; // to the first reply
    private static final double REPLY_S = 30;
    private static final double NEVER = Double.POSITIVE_INFINITY;

    private final Session session;
    private final Messages messages;
    private final Set<Object> finalCloses; // close codes that mean: do not come back
    private final Speaker speaker = new Speaker();
    private final BlockingQueue<Road.Arrival> arrivals = new LinkedBlockingQueue<>();
    private final URI controlUrl;
    private final String token;
    private final byte[] question;

    private Road control;
    private Road media;
    private Map<String, Object> request = // said again at `askAt`, until `ready` comes
        Map.of("type", "start", "request", UUID.randomUUID().toString(), "versions", List.of(1L));
    private double askAt = NEVER;
    private final Backoff backoff = new Backoff();
    private double liveAt = NEVER;
    private long newestReply;
    private String resumeKey;

    private int spoken; // microphone frames
    private int heard; // agent's frames
    private boolean isTalking;
    private boolean isAnswered;
    private final Map<String, Map<String, Object>> latest = new LinkedHashMap<>(); // of `mic`, `playback` and `end`
    private final ByteArrayOutputStream answer = new ByteArrayOutputStream();
    private final Map<String, Object> words = new LinkedHashMap<>();
    private final Map<String, Object> report = new LinkedHashMap<>(Map.of("words", words));

    private Call(URI page, byte[] question, Path protocol) throws IOException, InterruptedException, Refused {
        this.question = question;
        messages = new Messages(protocol.resolve("schema/v1.json"));
        session = new Session(messages);
        var errors = Messages.object(Json.read(Files.readString(protocol.resolve("schema/errors.json"))));
        finalCloses = errors.values().stream().map(Messages::object).filter(error -> error.get("retry").equals("never"))
            .map(error -> error.get("close")).collect(Collectors.toSet());
        var get = HttpRequest.newBuilder(page.resolve("/dev/session.json")).build();
        var found = Messages.object(Json.read(HttpClient.newHttpClient().send(get, BodyHandlers.ofString()).body()));
        controlUrl = URI.create((String) found.get("url"));
        token = (String) found.get("token");
    }

    public static void main(String[] args) throws Exception {
        Call call = new Call(URI.create(args[0]), samples(new File(args[1])), Path.of(args[3]));
        call.run();
        Files.write(Path.of(args[2]), call.answer.toByteArray());
        System.out.println(Json.write(call.report));
        System.exit(0);
    }

    private static byte[] samples(File wav) throws IOException, UnsupportedAudioFileException {
        try (var stream = AudioSystem.getAudioInputStream(wav)) {
            return stream.readAllBytes();
        }
    }

    private void run() throws InterruptedException, Refused {
        ask();
        double next = now();
        for (int step = 0; step < LIMIT_STEPS && !report.containsKey("close"); step++) {
            next += STEP_MS / 1000.0;
            handleUntil(next);
            if (now() >= askAt) ask();
            if (isTalking) talk();
        }
        Map<String, Object> counters = new LinkedHashMap<>();
        session.counters.forEach((counter, count) -> counters.put(counter.name().toLowerCase(), count));
        report.put("counters", counters);
    }

    private static double now() {
        return System.nanoTime() / 1e9;
    }

    private void handleUntil(double deadline) throws InterruptedException, Refused {
        while (true) {
            var arrival = arrivals.poll(Math.max(0, (long) ((deadline - now()) * 1e6)), TimeUnit.MICROSECONDS);
            if (arrival == null) return;
            if (arrival.road() == control) onControl(arrival.what());
            else if (arrival.road() == media) onMedia(arrival.what());
        }
    }

    /** Let 20 ms of microphone and loudspeaker pass. */
    private void talk() {
        int from = Math.min(spoken++ * FRAME_BYTES, question.length); // silence behind the question
        int to = Math.min(from + FRAME_BYTES, question.length);
        byte[] pcm = Arrays.copyOf(Arrays.copyOfRange(question, from, to), FRAME_BYTES);
        Wire.Frame frame = session.speak(pcm);
        if (session.state == Session.State.LIVE) media.send(frame);
        if (spoken == CUT_QUESTION) media.cut();
        speaker.play(STEP_MS).forEach(this::say);
        if (isAnswered && speaker.isSilent()) {
            say(Map.of("type", "end"));
            isTalking = false;
        }
    }

    /** Tell how things stand, now and after every `live`. */
    private void say(Map<String, Object> message) {
        if (message.get("type").equals("playback")) note("playback", message.get("state"));
        latest.put((String) message.get("type"), message);
        if (session.state == Session.State.LIVE) media.send(message);
    }

    // The control road

    private void ask() throws Refused {
        askAt = now() + (request.get("type").equals("resume") ? RESUME_S : REPLY_S);
        if (control == null) control = Road.open(controlUrl, Wire.offer("jwt", token, List.of()), arrivals);
        else if (control.isOpen()) control.send(request);
    }

    /** Ask again after a random wait, and not before `after` seconds. */
    private void askAgain(double after) {
        backoff.broke(now() - liveAt);
        liveAt = NEVER;
        askAt = now() + Math.max(after, ThreadLocalRandom.current().nextInt(backoff.boundMs()) / 1000.0);
    }

    private void onControl(Object what) throws Refused {
        if (what instanceof Road.Opened) control.send(request);
        if (what instanceof Road.Closed) {
            control = null;
            if (askAt != NEVER) askAgain(0);
        }
        if (what instanceof String text) onReply(messages.read("ControlReply", text));
    }

    private void onReply(Map<String, Object> reply) throws Refused {
        long i = (long) reply.get("i");
        if (i > 0 && i < newestReply) return;
        newestReply = Math.max(newestReply, i);
        resumeKey = (String) reply.getOrDefault("resume_key", resumeKey);
        switch ((String) reply.get("type")) {
            case "starting" -> {
                note("stages", reply.get("stage"));
                askAt = now() + REPLY_S;
            }
            case "ready" -> connect(reply);
            case "error" -> {
                if (reply.get("retryable").equals(false)) throw new IllegalStateException((String) reply.get("code"));
                askAgain((long) reply.get("retry_after_ms") / 1000.0);
            }
            default -> { }
        }
    }

    private void connect(Map<String, Object> ready) throws Refused {
        report.put("session", ready.get("session"));
        askAt = NEVER;
        if (session.state == Session.State.LIVE) return; // the answer to a request that was said twice
        if (session.state == Session.State.JOINING) session.lost(); // its successor is this one
        var where = Messages.object(ready.get("media"));
        var entries = Wire.offer("ticket", (String) where.get("ticket"), Messages.strings(where.get("protocols")));
        media = Road.open(URI.create((String) where.get("url")), entries, arrivals);
    }

    // The media road

    private void onMedia(Object what) throws Refused {
        if (what instanceof Road.Opened) media.send(session.connect());
        if (what instanceof Road.Closed closed) onLost(closed);
        if (what instanceof String text) session.text(text).forEach(this::onMessage);
        if (what instanceof byte[] bytes) session.audio(bytes).ifPresent(this::onFrame);
    }

    private void onLost(Road.Closed closed) throws Refused {
        media = null;
        if (session.state != Session.State.NEW) session.lost();
        if (session.state == Session.State.ENDED || finalCloses.contains((long) closed.code())) {
            report.put("close", closed.code());
            return;
        }
        boolean hasFailed = closed.isHandshake() && closed.status() != 401 && closed.status() != 403;
        request = Map.of(
            "type", "resume", "session", report.get("session"), "resume_key", resumeKey, "media_failed", hasFailed);
        askAgain(0);
    }

    private void onFrame(Wire.Frame frame) {
        answer.writeBytes(frame.pcm());
        speaker.take(frame);
        if (++heard == CUT_ANSWER) media.cut();
    }

    private void onMessage(Map<String, Object> message) {
        if ((long) message.get("n") > 0) note("positions", List.of(message.get("e"), message.get("n")));
        switch ((String) message.get("type")) {
            case "live" -> onLive(message);
            case "transcript" -> onTranscript(message);
            case "turn.audio_end" -> speaker.complete((long) message.get("turn"));
            case "turn.interrupted" -> speaker.flush((long) message.get("turn")).forEach(this::say);
            case "turn.ended" -> isAnswered |= message.get("role").equals("agent");
            case "error" -> note("errors", message.get("code"));
            case "ended" -> report.put("ended", message.get("reason"));
            default -> { }
        }
    }

    private void onLive(Map<String, Object> live) {
        note("resumed", live.get("resumed"));
        liveAt = now();
        for (Session.Kept again : session.resend()) {
            if (again.isFrame()) media.send(again.frame());
            else media.send(again.message());
        }
        if (latest.isEmpty()) {
            latest.put("mic", Map.of("type", "mic", "state", "open"));
            isTalking = true;
        }
        latest.values().forEach(media::send);
    }

    private void onTranscript(Map<String, Object> transcript) {
        boolean isWhole = Boolean.TRUE.equals(transcript.get("whole"));
        String before = isWhole ? "" : (String) words.getOrDefault(transcript.get("message"), "");
        Object text = transcript.get("heard") == null ? before + transcript.get("text") : transcript.get("heard");
        words.put((String) transcript.get("message"), text);
    }

    @SuppressWarnings("unchecked")
    private void note(String list, Object entry) {
        ((List<Object>) report.computeIfAbsent(list, name -> new ArrayList<>())).add(entry);
    }
}
