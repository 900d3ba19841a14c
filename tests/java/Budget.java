/** What may be sent: so much at once, and so much a second for long (REFERENCE.md, "Limits"). Full at time 0. */
final class Budget {
    private final double perSecond;
    private final double burst;
    private double left;
    private double at;

    Budget(double perSecond, double burst) {
        this.perSecond = perSecond;
        this.burst = burst;
        left = burst;
    }

    /** Return the seconds until `amount` is there. */
    double wait(double amount, double now) {
        if (now > at) {
            left = Math.min(burst, left + (now - at) * perSecond);
            at = now;
        }
        return Math.max(0, (amount - left) / perSecond);
    }

    /** Take `amount`, if it is there. */
    boolean take(double amount, double now) {
        boolean isThere = wait(amount, now) == 0;
        if (isThere) left -= amount;
        return isThere;
    }
}
