import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads messages by protocol/schema/v1.json: unknown fields are left out, absent ones have their defaults. */
final class Messages {
    private static final Set<String> NOTES = Set.of("examples", "title", "description", "default");
    private static final Set<String> KNOWN = Set.of("$ref", "anyOf", "enum", "type", "properties", "required", "items");

    private final Map<String, Object> definitions;

    Messages(Path schema) throws IOException, Refused {
        definitions = object(object(Json.read(Files.readString(schema))).get("$defs"));
    }

    /** Decode a text of a `direction` such as ServerMessage. Throws bad_message or unknown_type. */
    Map<String, Object> read(String direction, String text) throws Refused {
        if (!(Json.read(text) instanceof Map<?, ?> message) || !(message.get("type") instanceof String type)) {
            throw new Refused("bad_message");
        }
        var kinds = object(object(object(definitions.get(direction)).get("discriminator")).get("mapping"));
        if (!kinds.containsKey(type)) throw new Refused("unknown_type");
        return object(fit(Map.of("$ref", kinds.get(type)), message));
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    /** Return a list of texts; none when it is not there. */
    @SuppressWarnings("unchecked")
    static List<String> strings(Object value) {
        return value == null ? List.of() : (List<String>) value;
    }

    /** Return `value` as `schema` describes it. Throws bad_message where it does not fit. */
    private Object fit(Map<String, Object> schema, Object value) throws Refused {
        for (String keyword : schema.keySet()) {
            if (!KNOWN.contains(keyword) && !NOTES.contains(keyword)) {
                throw new IllegalStateException("the schema has a keyword that is not read here: " + keyword);
            }
        }
        if (schema.get("$ref") instanceof String ref) {
            return fit(object(definitions.get(ref.substring("#/$defs/".length()))), value);
        }
        if (schema.get("anyOf") instanceof List<?> choices) return any(choices, value);
        if (schema.get("enum") instanceof List<?> values && !values.contains(value)) throw new Refused("bad_message");
        if (schema.get("type") instanceof String type && !is(type, value)) throw new Refused("bad_message");
        if (schema.get("properties") instanceof Map<?, ?>) return fields(schema, object(value));
        if (schema.containsKey("items")) {
            for (Object item : (List<?>) value) fit(object(schema.get("items")), item);
        }
        return value;
    }

    private Object any(List<?> choices, Object value) throws Refused {
        for (Object choice : choices) {
            try {
                return fit(object(choice), value);
            } catch (Refused refused) {
                continue;
            }
        }
        throw new Refused("bad_message");
    }

    private Map<String, Object> fields(Map<String, Object> schema, Map<String, Object> value) throws Refused {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (var property : object(schema.get("properties")).entrySet()) {
            var name = property.getKey();
            var kind = object(property.getValue());
            if (value.containsKey(name)) fields.put(name, fit(kind, value.get(name)));
            else if (((List<?>) schema.get("required")).contains(name)) throw new Refused("bad_message");
            else if (kind.containsKey("default")) fields.put(name, kind.get("default"));
        }
        return fields;
    }

    private static boolean is(String type, Object value) {
        return switch (type) {
            case "object" -> value instanceof Map;
            case "array" -> value instanceof List;
            case "string" -> value instanceof String;
            case "boolean" -> value instanceof Boolean;
            case "integer" -> value instanceof Long;
            case "number" -> value instanceof Long || value instanceof Double;
            case "null" -> value == null;
            default -> throw new IllegalStateException("the schema has a type that is not read here: " + type);
        };
    }
}
