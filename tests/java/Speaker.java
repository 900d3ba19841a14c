import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;

/** A loudspeaker without sound: it plays each turn in time, and says so as `playback` (REFERENCE.md). */
final class Speaker {
    private static final int BYTES_PER_MS = Wire.DOWN_HZ * 2 / 1000;
    private static final int REPORT_MS = 1000;

    private static final class Turn {
        final long number;
        long bytes;
        long played; // ms
        boolean isComplete; // `turn.audio_end` has come

        Turn(long number) {
            this.number = number;
        }

        Map<String, Object> report(String state) {
            long buffered = bytes / BYTES_PER_MS - played;
            return Map.of(
                "type", "playback", "turn", number, "state", state, "played_ms", played, "buffered_ms", buffered);
        }
    }

    private final Deque<Turn> turns = new ArrayDeque<>(); // the first one plays

    void take(Wire.Frame frame) {
        if (turns.isEmpty() || turns.peekLast().number != frame.turn()) turns.add(new Turn(frame.turn()));
        turns.peekLast().bytes += frame.pcm().length;
    }

    void complete(long turn) {
        turns.stream().filter(one -> one.number == turn).forEach(one -> one.isComplete = true);
    }

    boolean isSilent() {
        return turns.isEmpty();
    }

    /** Let `ms` pass; return the reports that are due. */
    List<Map<String, Object>> play(int ms) {
        List<Map<String, Object>> reports = new ArrayList<>();
        Turn turn = turns.peek();
        if (turn == null) return reports;
        long before = turn.played;
        turn.played = Math.min(before + ms, turn.bytes / BYTES_PER_MS);
        boolean isDrained = turn.isComplete && turn.played == turn.bytes / BYTES_PER_MS;
        if (before == 0 && turn.played > 0) reports.add(turn.report("started"));
        if (before / REPORT_MS < turn.played / REPORT_MS && !isDrained) reports.add(turn.report("progress"));
        if (isDrained) reports.add(turns.remove().report("drained"));
        return reports;
    }

    /** Throw away what waits of `turn` and earlier; return the reports. */
    List<Map<String, Object>> flush(long turn) {
        List<Map<String, Object>> reports = new ArrayList<>();
        while (!turns.isEmpty() && turns.peek().number <= turn) reports.add(turns.remove().report("flushed"));
        return reports;
    }
}
