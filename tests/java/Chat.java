import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** What to show of a conversation: messages in the order of their turns, in a turn the user's first. */
final class Chat {
    private static final Set<Object> USUAL = Set.of("", "completed", "interrupted");

    private final Map<Long, Map<String, Object>> messages = new TreeMap<>();

    void take(Map<String, Object> event) {
        boolean isAgents = "agent".equals(event.getOrDefault("role", "agent"));
        long turn = ((Number) event.getOrDefault("turn", 0L)).longValue();
        switch ((String) event.get("type")) {
            case "transcript" -> {
                var message = message(turn, isAgents);
                Object before = Boolean.TRUE.equals(event.get("whole")) ? "" : message.get("text");
                message.put("text", before + (String) event.getOrDefault("text", ""));
                if (event.get("heard") != null) {
                    message.put("heard", event.get("heard"));
                    message.put("interrupted", true);
                }
            }
            case "turn.interrupted" -> message(turn, true).put("interrupted", true);
            case "turn.ended" -> {
                Object outcome = event.getOrDefault("outcome", "");
                if (isAgents && !USUAL.contains(outcome)) {
                    message(turn, false).put("outcome", outcome);
                    message(turn, true).put("outcome", outcome);
                }
            }
            default -> { }
        }
    }

    List<Map<String, Object>> shown() {
        List<Map<String, Object>> shown = new ArrayList<>(messages.values());
        shown.removeIf(message -> "".equals(message.get("text")));
        return shown;
    }

    private Map<String, Object> message(long turn, boolean isAgents) {
        return messages.computeIfAbsent(2 * turn + (isAgents ? 1 : 0), place -> {
            Map<String, Object> message = new HashMap<>();
            message.put("message", (isAgents ? "a" : "u") + turn);
            message.put("turn", turn);
            message.put("role", isAgents ? "agent" : "user");
            message.put("text", "");
            message.put("interrupted", false);
            message.put("heard", null);
            message.put("outcome", "");
            return message;
        });
    }
}
