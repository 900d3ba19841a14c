"""A tool's JSON Schema as the subset that some models are restricted to (`parameters`, OpenAPI's).

What the subset has no word for is left out: a wider schema lets a tool be called, a refused one closes the
connection (docs/sources.md#gemini-profiles). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEEPEST = 12  #: levels of nesting that are kept; a schema may refer to itself
LARGEST = 1_000  #: schemas in one another that are kept: references can multiply

_KINDS = ("string", "number", "integer", "boolean", "array", "object")
_FORMATS = {"string": ("date-time", "enum"), "number": ("float", "double"), "integer": ("int32", "int64")}
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
#: what is kept when it has this type: a client's schema may be anything, and one wrong word is refused
_KEPT: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("title", "description", "pattern"), str),
    **dict.fromkeys(_COUNTS, int),
    **dict.fromkeys(("minimum", "maximum"), (int, float)),
    "nullable": bool,
}


def restricted(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`schema` without what the subset lacks; None for one of no arguments."""
    written = _Subset(schema).write(schema)
    return written if written.get("properties") else None


class _Subset:
    """Writes the schemas within one schema, which references lead back to."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root, self._left = root, LARGEST

    def write(self, given: object, depth: int = 0) -> dict[str, Any]:
        """One schema. One that says nothing the subset has a word for is a string."""
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            return {"type": "STRING"}
        schema = self._resolved(given)
        out = {name: value for name, value in schema.items() if _is_kept(name, value)}
        choices = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(choices, list):
            return out | self._choice(choices, depth)
        out |= _type(schema)
        match out["type"]:
            case "STRING":
                return out | _words(schema)
            case "ARRAY":
                return out | {"items": self.write(schema.get("items"), depth + 1)}
            case "OBJECT":
                return out | self._object(schema, depth)
        return out

    def _choice(self, choices: list[object], depth: int) -> dict[str, Any]:
        kept = [self.write(each, depth + 1) for each in choices if not _is_null(each)]
        nullable = {"nullable": True} if len(kept) < len(choices) else {}
        return nullable | (kept[0] if len(kept) == 1 else {"anyOf": kept})

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        given, required = schema.get("properties"), schema.get("required")
        named = given.items() if isinstance(given, Mapping) else ()
        properties = {name: self.write(each, depth + 1) for name, each in named}
        needed = [name for name in properties if isinstance(required, list) and name in required]
        return {"properties": properties} | ({"required": needed} if needed else {})

    def _resolved(self, schema: object) -> Mapping[str, Any]:
        """The schema that a `$ref` leads to, with what stands beside it."""
        if not isinstance(schema, Mapping):  # `true`: anything
            return {}
        path = schema.get("$ref")
        if not isinstance(path, str):
            return schema
        found: object = self._root
        for name in filter(None, path.removeprefix("#").split("/")):
            found = found.get(name) if isinstance(found, Mapping) else None
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return {**found, **beside} if isinstance(found, Mapping) else beside


def _is_kept(name: str, value: object) -> bool:
    """A truth value is a number to Python, and to nobody else."""
    if isinstance(value, bool):
        return _KEPT.get(name) is bool
    return name in _KEPT and isinstance(value, _KEPT[name])


def _type(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The one type of a schema, whether it may be null, and its format where the subset knows it."""
    kinds = schema.get("type")
    told = kinds if isinstance(kinds, list) else [kinds]
    kind = next((each.lower() for each in told if isinstance(each, str) and each.lower() in _KINDS), None)
    kind = kind or ("object" if "properties" in schema else "array" if "items" in schema else "string")
    out: dict[str, Any] = {"type": kind.upper()}  # as google-genai writes the names of an enum
    if "null" in told:
        out["nullable"] = True
    form = schema.get("format")
    if isinstance(form, str) and form in _FORMATS.get(kind, ()):
        out["format"] = form
    return out


def _words(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a string may have. The subset enumerates nothing else."""
    given = [schema["const"]] if "const" in schema else schema.get("enum")
    words = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    return {"enum": words} if words else {}


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"
