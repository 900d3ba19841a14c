import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Runs what a client needs of protocol/vectors, as its README says. Usage: java Vectors PROTOCOL_FOLDER
 *
 * Prints one line a file and one a failure. Exits with 1 on a failure, and on whatever it does not know.
 */
final class Vectors {
    /** What servers need, in the files that clients need, and files that are theirs alone. */
    private static final Set<String> OF_SERVERS = Set.of(
        "server_session",
        "codec client_message", "codec control_request", "credentials read", "states server", "states turn");
    private static final Map<String, Set<String>> FIELDS = Map.of(
        "connect", Set.of("sends"),
        "text", Set.of("text", "gives"),
        "audio", Set.of("hex", "gives"),
        "speak", Set.of("pcm", "at", "times", "sends"),
        "say", Set.of("message", "sends"),
        "interrupt", Set.of("turn"),
        "lost", Set.of(),
        "resend", Set.of("at", "sends"));
    private static final Map<String, Set<String>> POLICY = Map.of(
        "start", Set.of("at"),
        "restore", Set.of("at"),
        "starting", Set.of(),
        "ready", Set.of("resume_ms"),
        "failed", Set.of("at", "code", "retryable", "retry_after_ms"),
        "refused", Set.of("at", "status"),
        "unreachable", Set.of("at", "status", "timeout", "ticket_s"),
        "closed", Set.of("at", "live_s", "close", "error", "ended"),
        "going_away", Set.of("ends_in_ms"),
        "move", Set.of("at"));
    private static final Set<String> AFTER_ANY = Set.of("do", "state", "after", "last_turn", "counters");

    private final Messages messages;
    private final Map<String, Object> errors;

    private Vectors(Path protocol) throws IOException, Refused {
        messages = new Messages(protocol.resolve("schema/v1.json"));
        errors = Messages.object(Json.read(Files.readString(protocol.resolve("schema/errors.json"))));
    }

    public static void main(String[] args) throws IOException, Refused {
        Path protocol = Path.of(args[0]);
        Vectors vectors = new Vectors(protocol);
        int failures = 0;
        try (Stream<Path> files = Files.list(protocol.resolve("vectors"))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".json")).sorted().toList()) {
                failures += vectors.run(file);
            }
        }
        System.exit(failures == 0 ? 0 : 1);
    }

    private int run(Path path) throws IOException, Refused {
        String file = path.getFileName().toString().replace(".json", "");
        List<?> cases = (List<?>) Messages.object(Json.read(Files.readString(path))).get("cases");
        int failures = 0;
        int others = 0;
        for (Object one : cases) {
            var test = Messages.object(one);
            if (isOfServers(file, test)) {
                others++;
                continue;
            }
            try {
                play(file, test);
            } catch (Exception | AssertionError failure) {
                failures++;
                System.out.println("FAILED " + file + ": " + test.get("name") + ": " + failure);
            }
        }
        int run = cases.size() - others;
        System.out.println(file + ": " + run + " run, " + failures + " failed, " + others + " are for servers");
        return failures;
    }

    private static boolean isOfServers(String file, Map<String, Object> test) {
        Object kind = test.getOrDefault("direction", test.getOrDefault("do", test.get("table")));
        return OF_SERVERS.contains(file) || OF_SERVERS.contains(file + " " + kind);
    }

    private void play(String file, Map<String, Object> test) throws Exception {
        switch (file) {
            case "codec" -> codec(test);
            case "audio" -> audio(test);
            case "adpcm" -> adpcm(test);
            case "credentials" -> credentials(test);
            case "states" -> states(test);
            case "pace" -> pace(test);
            case "uplink_delay" -> uplinkDelay(test);
            case "uplink_form" -> uplinkForm(test);
            case "reconnect" -> reconnect(test);
            case "client_session" -> session(test);
            case "chat" -> chat(test);
            default -> throw new IllegalArgumentException("a file this runner does not know");
        }
    }

    private void codec(Map<String, Object> test) throws Refused {
        known(test, Set.of("name", "direction", "text", "decoded", "defaults", "error", "ref"));
        String direction = switch ((String) test.get("direction")) {
            case "server_message" -> "ServerMessage";
            case "control_reply" -> "ControlReply";
            default -> throw new IllegalArgumentException("direction " + test.get("direction"));
        };
        Map<String, Object> message;
        try {
            message = messages.read(direction, text(test.get("text")));
        } catch (Refused refused) {
            same(test.get("error"), refused.code);
            return;
        }
        same(test.get("decoded"), message);
        same(test.getOrDefault("defaults", Map.of()), message);
        same(message, messages.read(direction, Json.write(message)));
    }

    private void audio(Map<String, Object> test) {
        known(test, Set.of("name", "direction", "hex", "turn", "seq", "pcm", "canonical", "error"));
        byte[] message = bytes(test.get("hex"));
        try {
            Wire.Frame frame = Wire.Frame.read(message, (String) test.get("direction"));
            same(Map.of("turn", test.get("turn"), "seq", test.get("seq"), "pcm", test.get("pcm")), fields(frame));
            if (test.get("canonical").equals(true)) same(test.get("hex"), HexFormat.of().formatHex(frame.write()));
        } catch (Refused refused) {
            same(test.get("error"), refused.code);
        }
    }

    private void adpcm(Map<String, Object> test) {
        known(test, Set.of("name", "blocks"));
        Adpcm encoder = new Adpcm();
        for (Object one : (List<?>) test.get("blocks")) {
            var step = Messages.object(one);
            known(step, Set.of("pcm", "block", "heard", "error"));
            if (step.containsKey("pcm")) same(step.get("block"), hex(encoder.block(bytes(step.get("pcm")))));
            try {
                same(step.get("heard"), hex(Adpcm.read(bytes(step.get("block")))));
            } catch (Refused refused) {
                same(step.get("error"), refused.code);
            }
        }
    }

    private void credentials(Map<String, Object> test) {
        known(test, Set.of("name", "do", "kind", "secret", "besides", "offer", "header", "authorization", "error"));
        same("offer", test.get("do"));
        try {
            List<String> besides = Messages.strings(test.get("besides"));
            same(test.get("offer"), Wire.offer((String) test.get("kind"), text(test.get("secret")), besides));
        } catch (Refused refused) {
            same(test.get("error"), refused.code);
        }
    }

    private void states(Map<String, Object> test) {
        known(test, Set.of("name", "table", "state", "event", "next"));
        same("client", test.get("table"));
        var state = Session.State.valueOf(((String) test.get("state")).toUpperCase());
        same(test.get("next"), Session.next(state, (String) test.get("event")).map(Vectors::name).orElse(null));
    }

    private void pace(Map<String, Object> test) {
        known(test, Set.of("name", "rate_per_s", "burst", "steps"));
        Budget budget = new Budget(number(test.get("rate_per_s")), number(test.get("burst")));
        for (Object one : (List<?>) test.get("steps")) {
            var step = Messages.object(one);
            known(step, Set.of("at", "amount", "gives", "wait_s"));
            compare(step, "wait_s", budget.wait(number(step.get("amount")), number(step.get("at"))));
            compare(step, "gives", budget.take(number(step.get("amount")), number(step.get("at"))));
        }
    }

    private void uplinkDelay(Map<String, Object> test) {
        known(test, Set.of("name", "steps"));
        UplinkDelay delay = new UplinkDelay();
        for (Object one : (List<?>) test.get("steps")) {
            var step = Messages.object(one);
            known(step, Set.of("do", "at", "length_s", "ping", "sent_at", "server_s", "delay_s", "full"));
            double at = number(step.get("at"));
            switch ((String) step.get("do")) {
                case "connected" -> delay.connected();
                case "frame" -> same(step.get("ping"), delay.frame(number(step.get("length_s")), at));
                case "look" -> { }
                case "pong" -> delay.answered(number(step.get("sent_at")), number(step.get("server_s")), at);
                default -> throw new IllegalArgumentException("a step this runner does not know: " + step.get("do"));
            }
            compare(step, "delay_s", delay.seconds());
            compare(step, "full", delay.isFull());
        }
    }

    private void uplinkForm(Map<String, Object> test) {
        known(test, Set.of("name", "steps"));
        UplinkForm form = new UplinkForm();
        for (Object one : (List<?>) test.get("steps")) {
            var step = Messages.object(one);
            known(step, Set.of("do", "at", "possible", "adpcm", "narrow"));
            double at = number(step.get("at"));
            switch ((String) step.get("do")) {
                case "dropped" -> form.dropped(at, step.getOrDefault("possible", true).equals(true));
                case "held" -> form.held(at);
                case "look" -> { }
                default -> throw new IllegalArgumentException("a step this runner does not know: " + step.get("do"));
            }
            compare(step, "adpcm", form.isAdpcm(at));
            compare(step, "narrow", form.isNarrow(at));
        }
    }

    private void chat(Map<String, Object> test) {
        known(test, Set.of("name", "events", "messages"));
        Chat chat = new Chat();
        for (Object one : (List<?>) test.get("events")) chat.take(Messages.object(one));
        same(test.get("messages"), chat.shown());
    }

    private void reconnect(Map<String, Object> test) {
        known(test, Set.of("name", "steps"));
        Reconnect policy = new Reconnect(errors);
        for (Object one : (List<?>) test.get("steps")) {
            var step = Messages.object(one);
            Map<String, Object> given = next(policy, step);
            if (!step.containsKey("gives")) same(null, given);
            else {
                same(new TreeMap<>(Messages.object(step.get("gives"))).keySet().toString(), given.keySet().toString());
                same(step.get("gives"), given);
            }
        }
    }

    private static Map<String, Object> next(Reconnect policy, Map<String, Object> step) {
        String kind = (String) step.get("do");
        Set<String> fields = POLICY.get(kind);
        if (fields == null) throw new IllegalArgumentException("a step this runner does not know: " + kind);
        known(step, Stream.concat(fields.stream(), Stream.of("do", "gives")).collect(Collectors.toSet()));
        double at = number(step.get("at"));
        switch (kind) {
            case "start", "restore" -> {
                return policy.begin(kind.equals("start") ? "start" : "resume", at);
            }
            case "starting" -> {
                policy.starting();
                return null;
            }
            case "ready" -> {
                return policy.ready(number(step.get("resume_ms")));
            }
            case "failed" -> {
                return policy.failed(Reconnect.Failure.of(step), at);
            }
            case "refused" -> {
                return policy.refused(((Long) step.get("status")).intValue(), at);
            }
            case "unreachable" -> {
                boolean isLate = step.getOrDefault("timeout", false).equals(true);
                return policy.unreachable(isLate, (Long) step.get("status"), number(step.get("ticket_s")), at);
            }
            case "closed" -> {
                Object error = step.get("error");
                var failure = error == null ? null : Reconnect.Failure.of(Messages.object(error));
                Double live = step.get("live_s") == null ? null : (Double) number(step.get("live_s"));
                boolean isEnded = step.getOrDefault("ended", false).equals(true);
                return policy.closed(failure, isEnded, (long) step.get("close"), live, at);
            }
            case "going_away" -> {
                return policy.goingAway(number(step.get("ends_in_ms")));
            }
            default -> {
                return policy.move();
            }
        }
    }

    private void session(Map<String, Object> test) throws Refused {
        known(test, Set.of("name", "steps"));
        Session session = new Session(messages);
        List<?> steps = (List<?>) test.get("steps");
        for (int i = 0; i < steps.size(); i++) {
            var step = Messages.object(steps.get(i));
            try {
                step(session, step);
            } catch (AssertionError | RuntimeException failure) {
                throw new AssertionError("step " + (i + 1) + ": " + failure.getMessage(), failure);
            }
        }
    }

    private void step(Session session, Map<String, Object> step) throws Refused {
        String kind = (String) step.get("do");
        if (!FIELDS.containsKey(kind)) throw new IllegalArgumentException("a step this runner does not know: " + kind);
        var fields = Stream.concat(FIELDS.get(kind).stream(), AFTER_ANY.stream());
        known(step, fields.collect(Collectors.toSet()));
        double at = number(step.get("at"));
        switch (kind) {
            case "connect" -> compare(step, "sends", session.connect());
            case "text" -> compare(step, "gives", session.text(text(step.get("text"))));
            case "audio" -> {
                var frame = session.audio(bytes(step.get("hex")));
                compare(step, "gives", frame.stream().map(Vectors::fields).toList());
            }
            case "speak" -> {
                byte[] pcm = bytes(step.get("pcm"));
                long times = (long) step.getOrDefault("times", 1L);
                for (long more = times; more > 1; more -= 1) session.speak(pcm);
                compare(step, "sends", hex(session.speak(pcm)));
            }
            case "say" -> compare(step, "sends", session.say(Messages.object(step.get("message"))));
            case "interrupt" -> session.interrupt((long) step.get("turn"));
            case "lost" -> session.lost();
            default -> compare(step, "sends", session.resend().stream().map(Vectors::sent).toList());
        }
        compare(step, "state", name(session.state));
        compare(step, "after", List.of(session.epoch, session.number));
        compare(step, "last_turn", session.lastTurn);
        Map<String, Object> counters = new TreeMap<>();
        session.counters.forEach((counter, count) -> counters.put(name(counter), count));
        compare(step, "counters", counters);
    }

    private static void compare(Map<String, Object> step, String field, Object found) {
        if (step.containsKey(field)) same(step.get(field), found);
    }

    /** Compare as the README says: fields that are not listed are not looked at, numbers are numbers. */
    private static void same(Object wanted, Object found) {
        boolean isSame = true;
        if (wanted instanceof Map<?, ?> repeat && repeat.keySet().equals(Set.of("repeat"))) {
            isSame = text(wanted).equals(found);
        } else if (wanted instanceof Map<?, ?> fields && found instanceof Map<?, ?> map) {
            for (var field : fields.entrySet()) {
                if (!map.containsKey(field.getKey())) throw new AssertionError("no " + field.getKey() + " in " + map);
                same(field.getValue(), map.get(field.getKey()));
            }
        } else if (wanted instanceof List<?> items && found instanceof List<?> list && items.size() == list.size()) {
            for (int i = 0; i < items.size(); i++) same(items.get(i), list.get(i));
        } else if (wanted instanceof Number a && found instanceof Number b) {
            isSame = a.doubleValue() == b.doubleValue();
        } else {
            isSame = Objects.equals(wanted, found);
        }
        if (!isSame) throw new AssertionError("not " + Json.write(wanted) + " but " + Json.write(found));
    }

    private static void known(Map<String, Object> object, Set<String> fields) {
        for (String field : object.keySet()) {
            if (!fields.contains(field)) {
                throw new IllegalArgumentException("a field this runner does not know: " + field);
            }
        }
    }

    private static Map<String, Object> fields(Wire.Frame frame) {
        return Map.of("turn", (long) frame.turn(), "seq", frame.seq(), "pcm", HexFormat.of().formatHex(frame.pcm()));
    }

    private static Object sent(Session.Kept again) {
        return again.isFrame() ? hex(again.frame()) : again.message();
    }

    private static String hex(Wire.Frame frame) {
        return hex(frame.write());
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    private static String name(Enum<?> value) {
        return value.name().toLowerCase();
    }

    private static double number(Object value) {
        return value == null ? 0 : ((Number) value).doubleValue();
    }

    private static byte[] bytes(Object hex) {
        return HexFormat.of().parseHex(text(hex));
    }

    /** Resolve the notation of text: a string, the parts of a `repeat`, or an object to be encoded. */
    private static String text(Object value) {
        if (value instanceof String text) return text;
        if (!(Messages.object(value).get("repeat") instanceof List<?> parts)) return Json.write(value);
        StringBuilder out = new StringBuilder();
        for (Object part : parts) {
            List<?> pair = (List<?>) part;
            out.append(((String) pair.get(0)).repeat(((Long) pair.get(1)).intValue()));
        }
        return out.toString();
    }
}
