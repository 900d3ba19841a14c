import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * JSON text to values and back: Map, List, String, Long, Double, Boolean and null.
 *
 * As strict as PROTOCOL.md ("Messages in general"): no NaN, no Infinity, no half a surrogate pair; the last of two
 * equal keys counts.
 */
final class Json {
    private static final int DEPTH = 200; // deeper than any message, shallower than the stack
    private static final Pattern NUMBER = Pattern.compile("-?(?:0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) throws Refused {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at < text.length()) throw new Refused("bad_message");
        return value;
    }

    static String write(Object value) {
        if (value instanceof String text) return quoted(text);
        if (value instanceof List<?> items) {
            return "[" + String.join(",", items.stream().map(Json::write).toList()) + "]";
        }
        if (value instanceof Map<?, ?> object) {
            var fields = object.entrySet().stream().map(field -> write(field.getKey()) + ":" + write(field.getValue()));
            return "{" + String.join(",", fields.toList()) + "}";
        }
        return String.valueOf(value);
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < ' ') out.append(String.format("\\u%04x", (int) c));
            else if (c == '"' || c == '\\') out.append('\\').append(c);
            else out.append(c);
        }
        return out.append('"').toString();
    }

    private Object value() throws Refused {
        space();
        if (at == text.length() || depth == DEPTH) throw new Refused("bad_message");
        switch (text.charAt(at)) {
            case '{': return object();
            case '[': return list();
            case '"': return string();
            default:
        }
        if (word("null")) return null;
        if (word("true")) return true;
        if (word("false")) return false;
        return number();
    }

    private Map<String, Object> object() throws Refused {
        Map<String, Object> object = new LinkedHashMap<>();
        depth++;
        at++;
        for (boolean first = true; !closes('}', first); first = false) {
            if (!word("\"")) throw new Refused("bad_message");
            at--;
            String key = string();
            space();
            if (!word(":")) throw new Refused("bad_message");
            object.put(key, value());
        }
        depth--;
        return object;
    }

    private List<Object> list() throws Refused {
        List<Object> list = new ArrayList<>();
        depth++;
        at++;
        for (boolean first = true; !closes(']', first); first = false) list.add(value());
        depth--;
        return list;
    }

    /** Step over the end of a list or object, or else over the comma before its next item. */
    private boolean closes(char end, boolean first) throws Refused {
        space();
        if (word(String.valueOf(end))) return true;
        if (!first && !word(",")) throw new Refused("bad_message");
        space();
        return false;
    }

    private String string() throws Refused {
        StringBuilder out = new StringBuilder();
        for (at++; !word("\""); ) {
            if (at == text.length() || text.charAt(at) < ' ') throw new Refused("bad_message");
            out.append(word("\\") ? escape() : text.charAt(at++));
        }
        if (out.codePoints().anyMatch(c -> c >= 0xD800 && c <= 0xDFFF)) throw new Refused("bad_message");
        return out.toString();
    }

    private char escape() throws Refused {
        char kind = at < text.length() ? text.charAt(at++) : ' ';
        int known = "\"\\/bfnrt".indexOf(kind);
        if (known >= 0) return "\"\\/\b\f\n\r\t".charAt(known);
        Matcher hex = Pattern.compile("[0-9a-fA-F]{4}").matcher(text).region(at, text.length());
        if (kind != 'u' || !hex.lookingAt()) throw new Refused("bad_message");
        at += 4;
        return (char) Integer.parseInt(hex.group(), 16);
    }

    private Object number() throws Refused {
        Matcher number = NUMBER.matcher(text).region(at, text.length());
        if (!number.lookingAt()) throw new Refused("bad_message");
        at = number.end();
        boolean isWhole = number.group(1) == null && number.group(2) == null;
        if (isWhole && number.group().length() < 19) return Long.valueOf(number.group());
        double value = Double.parseDouble(number.group());
        if (Double.isInfinite(value)) throw new Refused("bad_message");
        return value;
    }

    private boolean word(String word) {
        if (!text.startsWith(word, at)) return false;
        at += word.length();
        return true;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }
}
