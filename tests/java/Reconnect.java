import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Decides what a client does next, by the table of PROTOCOL.md (Reconnecting). Times are seconds of one clock. */
final class Reconnect {
    /** What went wrong: the server's error, or one of this client's own. */
    record Failure(String code, boolean retryable, double retryAfterMs) {
        static Failure of(Map<?, ?> error) {
            Object after = error.get("retry_after_ms");
            double wait = after == null ? 0 : ((Number) after).doubleValue();
            return new Failure((String) error.get("code"), error.get("retryable").equals(true), wait);
        }
    }

    private static final Set<String> OWN =
        Set.of("connect_failed", "connect_timeout", "connection_lost", "token_failed");
    private static final double START_S = 150;
    private static final int TRIES = 3;
    private static final double LATER_MS = 1000;
    private static final double TICKET_S = 60;
    private static final double MOVE_EARLY_MS = 5000;

    private final Map<String, Object> errors; // schema/errors.json
    private final Backoff backoff = new Backoff();
    private String request = "start";
    private boolean isAdmitted;
    private boolean isMoving;
    private boolean isRefreshed;
    private boolean hasMediaFailed;
    private int unanswered;
    private Failure refusal; // of the connection that broke
    private double resumeS;
    private double endsAt;

    Reconnect(Map<String, Object> errors) {
        this.errors = errors;
    }

    Map<String, Object> begin(String first, double now) {
        request = first;
        endsAt = now + START_S;
        return step(first, null);
    }

    void starting() {
        isAdmitted = true;
    }

    Map<String, Object> ready(double resumeMs) {
        isAdmitted = true;
        isMoving = false;
        isRefreshed = false;
        resumeS = resumeMs / 1000;
        return step("connect", null);
    }

    Map<String, Object> failed(Failure failure, double now) {
        if (failure.code.startsWith("auth_") && failure.retryable && !isRefreshed) {
            isRefreshed = true;
            Map<String, Object> again = step(request, null);
            again.put("refresh", true);
            return again;
        }
        if (isMoving) {
            isMoving = false;
            isRefreshed = false;
            return step("stay", null);
        }
        if (failure.code.equals("session_ended") && refusal != null) return step("end", refusal);
        boolean goesOn = failure.retryable;
        if (request.equals("start") && !isAdmitted) {
            boolean isUnanswered = failure.code.equals("connection_lost") || failure.code.equals("connect_timeout");
            goesOn = isUnanswered && ++unanswered < TRIES;
        }
        return goesOn ? again(failure, now) : step("end", failure);
    }

    /** The control handshake was answered by an HTTP status. */
    Map<String, Object> refused(int status, double now) {
        String code = switch (status) {
            case 401 -> "auth_invalid";
            case 403 -> "origin_refused";
            case 413, 431 -> "too_large";
            case 429 -> "rate_limited";
            default -> "connect_failed";
        };
        boolean mayPass = status == 401 || status == 408 || status == 429 || status >= 500;
        return failed(new Failure(code, mayPass, 0), now);
    }

    /** The media handshake failed. `status` is null when none was read. */
    Map<String, Object> unreachable(boolean isLate, Long status, double ticketS, double now) {
        boolean isFailed = status == null ? ticketS < TICKET_S : status != 401 && status != 403;
        return broke(new Failure(isLate ? "connect_timeout" : "connect_failed", true, 0), false, isFailed, null, now);
    }

    /** The media connection is gone. `liveS` is null when it was never live, `close` 0 when this end gave up. */
    Map<String, Object> closed(Failure error, boolean isEnded, long close, Double liveS, double now) {
        refusal = error;
        if (isEnded && error == null) return step("end", null);
        if (error != null) return broke(error, isEnded, false, liveS, now);
        for (var entry : errors.entrySet()) {
            var known = Messages.object(entry.getValue());
            boolean isFinal = known.get("retry").equals("never") && Long.valueOf(close).equals(known.get("close"));
            if (isFinal) return step("end", new Failure(entry.getKey(), false, 0));
        }
        String code = close == 0 && liveS == null ? "connect_timeout" : "connection_lost";
        return broke(new Failure(code, true, 0), isEnded, false, liveS, now);
    }

    Map<String, Object> goingAway(double endsInMs) {
        Map<String, Object> step = step("move", null);
        step.put("within_ms", Math.max(0, endsInMs - MOVE_EARLY_MS));
        return step;
    }

    Map<String, Object> move() {
        request = "resume";
        hasMediaFailed = false;
        isMoving = true;
        return step("resume", null);
    }

    private Map<String, Object> broke(Failure why, boolean isEnded, boolean isFailed, Double liveS, double now) {
        if (liveS != null || request.equals("start")) endsAt = now + resumeS;
        if (liveS != null) backoff.broke(liveS);
        request = "resume";
        hasMediaFailed = isFailed;
        return comesBack(why.code) || (why.retryable && !isEnded) ? again(why, now) : step("end", why);
    }

    private boolean comesBack(String code) {
        if (OWN.contains(code)) return true;
        Object known = errors.get(code);
        return known != null && Set.of("resume", "refresh").contains(Messages.object(known).get("retry"));
    }

    private Map<String, Object> again(Failure why, double now) {
        isRefreshed = false;
        double waitMs = why.retryAfterMs > 0 ? why.retryAfterMs : comesBack(why.code) ? 0 : LATER_MS;
        if (now + waitMs / 1000 >= endsAt) return step("end", why);
        Map<String, Object> step = step(request, why);
        step.put("wait_ms", java.util.List.of(waitMs, waitMs + backoff.boundMs()));
        return step;
    }

    private Map<String, Object> step(String next, Failure why) {
        Map<String, Object> step = new TreeMap<>(Map.of("do", next));
        if (why != null) step.put("code", why.code);
        if (next.equals("resume") && hasMediaFailed) step.put("media_failed", true);
        return step;
    }
}
