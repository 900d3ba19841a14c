/** The random wait before an attempt to come back: its bound doubles, until a connection was live for ten seconds. */
final class Backoff {
    private static final int FIRST_MS = 250;
    private static final int LAST_MS = 8000;
    private static final double STEADY_S = 10;

    private int boundMs = FIRST_MS;

    /** A connection broke that had been live for so long. */
    void broke(double liveSeconds) {
        if (liveSeconds >= STEADY_S) boundMs = FIRST_MS;
    }

    /** Return the bound of the next wait. */
    int boundMs() {
        int bound = boundMs;
        boundMs = Math.min(2 * boundMs, LAST_MS);
        return bound;
    }
}
