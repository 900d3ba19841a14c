import java.util.ArrayDeque;
import java.util.Deque;

/** How late microphone frames arrive, from the pings among them (vectors/README.md). Times in seconds. */
final class UplinkDelay {
    private static final double PROBE_EVERY_S = 0.25;
    private static final double WINDOW_S = 0.5;

    /** When it was sent, after how much audio. */
    private record Ping(double at, double audio) {}

    private final Deque<Ping> pings = new ArrayDeque<>();
    private double audio;
    private double probed;
    private double seconds;
    private double way;
    private double least;

    UplinkDelay() {
        connected();
    }

    void connected() {
        pings.clear();
        probed = Double.NEGATIVE_INFINITY;
        least = Double.POSITIVE_INFINITY;
        seconds = 0;
        way = 0;
    }

    /** A frame is sent. Return whether a ping has to go before it. */
    boolean frame(double length, double now) {
        boolean isDue = audio - probed >= PROBE_EVERY_S;
        if (isDue) {
            probed = audio;
            pings.add(new Ping(now, audio));
        }
        audio += length;
        return isDue;
    }

    void answered(double sentAt, double server, double now) {
        pings.removeIf(ping -> ping.at <= sentAt);
        least = Math.min(least, server - sentAt);
        seconds = server - sentAt - least;
        way = now - sentAt - seconds;
    }

    /** Time that the last ping waited. */
    double seconds() {
        return seconds;
    }

    /** New frames are to wait. */
    boolean isFull() {
        return !pings.isEmpty() && audio - pings.peek().audio >= WINDOW_S + way;
    }
}
