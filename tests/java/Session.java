import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A client's end of the media road, without sockets and clocks: PROTOCOL.md on order, interruption and reconnecting,
 * REFERENCE.md on states.
 *
 * It outlives its connections. Times are seconds of any monotonic clock.
 */
final class Session {
    enum State { NEW, JOINING, LIVE, BROKEN, ENDED }

    enum Counter {
        UNKNOWN_TYPES, BAD, DUPLICATE_EVENTS, DUPLICATE_FRAMES, INTERRUPTED_FRAMES, MISSING_FRAMES, RESENT_FRAMES,
        STALE_UPLINK_MS
    }

    private record Kept(Wire.Frame frame, double at) {}

    private static final double RESEND_S = 2.0;

    State state = State.NEW;
    long epoch;
    long number;
    long lastTurn;
    final Map<Counter, Long> counters = new EnumMap<>(Counter.class);

    private final Messages messages;
    private final Deque<Kept> kept = new ArrayDeque<>();
    private boolean hasBeenLive;
    private long interrupted;
    private long nextSeq;
    private int soundingTurn;
    private long nextUplink;

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
        return Map.of(
            "type", "hello", "versions", List.of(1L), "after", after, "last_turn", lastTurn, "next_seq", nextSeq);
    }

    void lost() {
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
    Wire.Frame speak(byte[] pcm, double at) {
        Wire.Frame frame = new Wire.Frame(0, nextUplink++, pcm);
        forget(at, state != State.LIVE);
        kept.add(new Kept(frame, at));
        return frame;
    }

    /** Return the frames to send again, right after `live`. */
    List<Wire.Frame> resend(double at) {
        forget(at, true);
        count(Counter.RESENT_FRAMES, kept.size());
        return kept.stream().map(Kept::frame).toList();
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
        if (!hasBeenLive) renumber((long) live.get("uplink_seq"));
        hasBeenLive = true;
    }

    private void renumber(long from) {
        List<Kept> before = new ArrayList<>(kept);
        kept.clear();
        for (Kept old : before) {
            kept.add(new Kept(new Wire.Frame(0, old.frame().seq() + from, old.frame().pcm()), old.at()));
        }
        nextUplink += from;
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
            case "ack" -> kept.removeIf(old -> old.frame().seq() <= (long) message.get("seq"));
            case "error" -> {
                if (message.get("fatal").equals(true) && message.get("retryable").equals(false)) move("end");
            }
            case "ended" -> move("end");
            default -> { }
        }
    }

    private void forget(double at, boolean isLost) {
        while (!kept.isEmpty() && at - kept.peek().at() > RESEND_S) {
            int length = kept.poll().frame().pcm().length;
            if (isLost) count(Counter.STALE_UPLINK_MS, length / (Wire.UP_HZ * 2 / 1000));
        }
    }

    private void move(String event) {
        state = next(state, event).orElseThrow(() -> new IllegalStateException(state + " + " + event));
    }

    private void count(Counter counter, long by) {
        counters.merge(counter, by, Long::sum);
    }
}
