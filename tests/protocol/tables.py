"""The type of every field, in the words that PROTOCOL.md uses, from the JSON Schema."""

from __future__ import annotations

import json
from typing import Any, get_args

from protocol import schema

DEFS = json.loads(json.dumps(schema.schema()))["$defs"]
STRUCTS = {
    (direction, member.__struct_config__.tag): member.__name__
    for direction, union in schema.DIRECTIONS.items()
    for member in get_args(union)
}
#: bounds that are one type for a reader
_COUNTS = {(0, 2**53): "count", (0, 0xFFFF): "turn", (0, 86_400_000): "ms"}


def rows(struct: str) -> list[tuple[str, str, str]]:
    """(field, type, default) of a message or of an object in one, in the order of the code."""
    definition = DEFS[struct]
    required = definition["required"]
    return [
        (name, type_of(field), "" if name in required else _default(field))
        for name, field in definition["properties"].items()
        if name not in ("type", "e", "n")
    ]


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    words = {True: "true", False: "false", None: "null"}
    if isinstance(value, bool) or value is None:
        return words[value]
    if isinstance(value, dict) or value == "":
        return "empty" if not value else "its own"
    return f"{value:g}" if isinstance(value, float) else str(value)


def type_of(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].removeprefix("#/$defs/"))
    if "enum" in field:
        return ", ".join(sorted(field["enum"]))
    if "anyOf" in field:
        return " or ".join(type_of(one) for one in field["anyOf"])
    return _TYPES.get(field.get("type", ""), lambda _: "any JSON")(field)


def _string(field: dict[str, Any]) -> str:
    if field.get("contentEncoding") == "base64":
        return "base64"
    low, high = field.get("minLength", 0), field.get("maxLength")
    size = f" {low}–{high}" if high else ""
    return ("id" if "pattern" in field else "text") + size


def _integer(field: dict[str, Any]) -> str:
    bounds = field.get("minimum"), field.get("maximum")
    if bounds == (None, None):
        return "integer"
    return _COUNTS.get(bounds, f"integer {bounds[0]}–{bounds[1]}")  # type: ignore[call-overload,no-any-return]


def _array(field: dict[str, Any]) -> str:
    if "prefixItems" in field:
        return "[" + ", ".join(type_of(one) for one in field["prefixItems"]) + "]"
    size = f" {field.get('minItems', 0)}–{field['maxItems']}" if "maxItems" in field else ""
    return f"list{size} of {type_of(field['items'])}"


def _object(field: dict[str, Any]) -> str:
    inner = field.get("additionalProperties")
    size = f" 0–{field['maxProperties']}" if "maxProperties" in field else ""
    return f"object{size}" + (f" of {type_of(inner)}" if isinstance(inner, dict) and inner else "")


_TYPES = {
    "string": _string,
    "integer": _integer,
    "number": lambda _: "number",
    "boolean": lambda _: "boolean",
    "array": _array,
    "object": _object,
    "null": lambda _: "null",
}
