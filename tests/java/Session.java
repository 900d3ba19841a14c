import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A client's end of the media road, without sockets and clocks: PROTOCOL.md on order, interruption and reconnecting,
 * REFERENCE.md on states.
 *
 * It outlives its connections.
 */
final class Session {
    enum State { NEW, JOINING, LIVE, BROKEN, ENDED }

    enum Counter {
        UNKNOWN_TYPES, BAD, DUPLICATE_EVENTS, DUPLICATE_FRAMES, INTERRUPTED_FRAMES, MISSING_FRAMES, RESENT_FRAMES,
        STALE_UPLINK_MS
    }

    /** What is said again after a break: a frame, or a message with its `n`. The other one is null. */
    record Kept(Wire.Frame frame, Map<String, Object> message) {
        boolean isFrame() {
            return frame != null;
        }

        long number() {
            return isFrame() ? frame.seq() : (long) message.get("n");
        }

        Kept numbered(long number) {
            if (isFrame()) return new Kept(new Wire.Frame(0, number, frame.pcm()), null);
            Map<String, Object> again = new LinkedHashMap<>(message);
            again.put("n", number);
            return new Kept(null, again);
        }

        int ms() {
            return isFrame() ? frame.pcm().length / (Wire.UP_HZ * 2 / 1000) : 0;
        }

        int weight() {
            return isFrame() ? 0 : message.get("type").equals("image") ? IMAGE_MESSAGES : 1;
        }
    }

    private static final int KEPT_AUDIO_MS = 30_000;
    private static final int KEPT_MESSAGES = 256;
    private static final int IMAGE_MESSAGES = 16;

    State state = State.NEW;
    long epoch;
    long number;
    long lastTurn;
    final Map<Counter, Long> counters = new EnumMap<>(Counter.class);

    private final Messages messages;
    private final List<Kept> kept = new ArrayList<>(); // in the order in which it was said
    private boolean hasBeenLive;
    private long interrupted;
    private long nextSeq;
    private int soundingTurn;
    private long nextUplink;
    private int keptMs; // of microphone audio
    private long expectedSeq; // the frame that the server lacked first at `live`
    private long messageN;
    private long takenN; // the last message that the server had at `live`
    private boolean isAcked; // the server acks messages

    Session(Messages messages) {
        this.messages = messages;
        for (Counter counter : Counter.values()) counters.put(counter, 0L);
    }

    /** Return the state that follows `state` on an event of the table `client`; none where the pair is illegal. */
    static Optional<State> next(State state, String event) {
        return Optional.ofNullable(switch (event) {
            case "hello" -> state == State.NEW || state == State.BROKEN ? State.JOINING : null;
            case "live" -> state == State.JOINING ? State.LIVE : null;
            case "lost" -> state == State.NEW ? null : state == State.ENDED ? State.ENDED : State.BROKEN;
            case "end" -> State.ENDED;
            default -> throw new IllegalArgumentException(event);
        });
    }

    /** A media connection is open: return the hello to send. */
    Map<String, Object> connect() {
        move("hello");
        var after = List.of(epoch, number);
        long oldest = kept.stream().filter(Kept::isFrame).mapToLong(Kept::number).findFirst().orElse(-1);
        return Map.of(
            "type", "hello", "versions", List.of(1L), "after", after, "last_turn", lastTurn, "next_seq", nextSeq,
            "kept_seq", oldest);
    }

    void lost() {
        if (state == State.LIVE && !isAcked) kept.removeIf(old -> !old.isFrame()); // the rest was said, once
        move("lost");
    }

    /** Take a text message; return what the app gets of it, in order. */
    List<Map<String, Object>> text(String text) {
        try {
            var message = messages.read("ServerMessage", text);
            if (message.get("type").equals("live")) live(message);
            else if ((long) message.get("n") > 0 && !isNew(message)) return List.of();
            act(message);
            return List.of(message);
        } catch (Refused refused) {
            count(refused.code.equals("unknown_type") ? Counter.UNKNOWN_TYPES : Counter.BAD, 1);
            return List.of();
        }
    }

    /** Take a binary message; return the frame to play, if it is one. */
    Optional<Wire.Frame> audio(byte[] message) {
        Wire.Frame frame;
        try {
            frame = Wire.Frame.read(message, "down");
        } catch (Refused refused) {
            count(Counter.BAD, 1);
            return Optional.empty();
        }
        if (frame.seq() < nextSeq) {
            count(Counter.DUPLICATE_FRAMES, 1);
            return Optional.empty();
        }
        long gap = frame.seq() - nextSeq;
        nextSeq = frame.seq() + 1;
        if (frame.turn() <= interrupted) {
            count(Counter.INTERRUPTED_FRAMES, 1);
            return Optional.empty();
        }
        if (frame.turn() == soundingTurn) count(Counter.MISSING_FRAMES, gap);
        soundingTurn = frame.turn();
        return Optional.of(frame);
    }

    /** Number and keep what the microphone gave. The frame is sent if the session is live. */
    Wire.Frame speak(byte[] pcm) {
        Kept frame = new Kept(new Wire.Frame(0, nextUplink++, pcm), null);
        kept.add(frame);
        keptMs += frame.ms();
        while (keptMs > KEPT_AUDIO_MS) {
            Kept oldest = kept.stream().filter(Kept::isFrame).findFirst().orElseThrow();
            forget(oldest);
            if (state != State.LIVE) count(Counter.STALE_UPLINK_MS, oldest.ms());
        }
        return frame.frame();
    }

    /** Number and keep a message. It is sent if the session is live. */
    Map<String, Object> say(Map<String, Object> message) {
        Kept said = new Kept(null, message).numbered(++messageN);
        kept.add(said);
        while (kept.stream().mapToInt(Kept::weight).sum() > KEPT_MESSAGES) {
            kept.remove(kept.stream().filter(old -> !old.isFrame()).findFirst().orElseThrow());
        }
        return said.message();
    }

    /** Return what to send again, right after `live`. */
    List<Kept> resend() {
        List<Kept> again =
            kept.stream().filter(old -> old.isFrame() ? old.number() >= expectedSeq : old.number() > takenN).toList();
        count(Counter.RESENT_FRAMES, again.stream().filter(Kept::isFrame).count());
        return again;
    }

    void interrupt(long turn) {
        interrupted = Math.max(interrupted, turn);
    }

    private void live(Map<String, Object> live) throws Refused {
        long e = (long) live.get("e");
        if (next(state, "live").isEmpty() || e < epoch) throw new Refused("bad_message");
        move("live");
        if (e > epoch) {
            epoch = e;
            number = 0;
            nextSeq = 0;
            soundingTurn = 0;
        }
        takenN = (long) live.get("message_n");
        expectedSeq = (long) live.get("uplink_seq");
        isAcked = ((List<?>) live.get("capabilities")).contains("acks");
        if (!hasBeenLive) countOn(expectedSeq, takenN);
        hasBeenLive = true;
    }

    private void countOn(long seq, long n) {
        kept.replaceAll(old -> old.numbered(old.number() + (old.isFrame() ? seq : n)));
        nextUplink += seq;
        messageN += n;
    }

    /** Compare an event's position with the last one; a higher one is the last from now on. */
    private boolean isNew(Map<String, Object> event) {
        long e = (long) event.get("e");
        long n = (long) event.get("n");
        if (e < epoch || (e == epoch && n <= number)) {
            count(Counter.DUPLICATE_EVENTS, 1);
            return false;
        }
        epoch = e;
        number = n;
        return true;
    }

    private void act(Map<String, Object> message) {
        switch ((String) message.get("type")) {
            case "turn.started" -> lastTurn = Math.max(lastTurn, (long) message.get("turn"));
            case "turn.interrupted" -> interrupt((long) message.get("turn"));
            case "history" -> {
                for (Object turn : (List<?>) message.get("turns")) {
                    lastTurn = Math.max(lastTurn, (long) Messages.object(turn).get("turn"));
                }
            }
            case "ack" -> kept.stream()
                .filter(old -> old.number() <= (long) message.get(old.isFrame() ? "seq" : "message_n"))
                .toList()
                .forEach(this::forget);
            case "error" -> {
                if (message.get("fatal").equals(true) && message.get("retryable").equals(false)) move("end");
            }
            case "ended" -> move("end");
            default -> { }
        }
    }

    private void forget(Kept old) {
        kept.remove(old);
        keptMs -= old.ms();
    }

    private void move(String event) {
        state = next(state, event).orElseThrow(() -> new IllegalStateException(state + " + " + event));
    }

    private void count(Counter counter, long by) {
        counters.merge(counter, by, Long::sum);
    }
}
