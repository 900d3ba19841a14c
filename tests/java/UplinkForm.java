/** When microphone audio goes up as ADPCM, and when a line counts as narrow (vectors/README.md). Times in seconds. */
final class UplinkForm {
    private static final double NARROW_S = 10;
    private static final double FIRST_S = 20;
    private static final double MOST_S = 320;

    private double until = Double.NEGATIVE_INFINITY;
    private double wait;

    /** A frame was dropped; the server takes ADPCM, or not. */
    void dropped(double now, boolean isPossible) {
        if (now >= until + wait) wait = FIRST_S;
        else if (now >= until) wait = Math.min(2 * wait, MOST_S);
        if (!isPossible) wait = 0;
        until = now + wait;
    }

    /** A frame has to wait for room on the line. */
    void held(double now) {
        if (wait > 0 && now >= until && isNarrow(now)) dropped(now, true);
    }

    boolean isAdpcm(double now) {
        return now < until;
    }

    boolean isNarrow(double now) {
        return now < until + NARROW_S;
    }
}
