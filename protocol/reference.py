"""Generated parts of REFERENCE.md: columns of the message tables, error codes, limits, state diagrams.

The last column of a message table, the meaning, is written by hand and kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import limits
from .errors import REGISTRY
from .states import TABLES, mermaid

Definitions = dict[str, dict[str, Any]]  #: `$defs` of the JSON Schema

ENVELOPE = ("type", "e", "n")  #: fields that the text explains once, for all messages
#: bounds that are one type for a reader
_COUNTS = {(0, 2**53): "count", (0, 0xFFFF): "turn", (0, 86_400_000): "ms"}
_FIELDS = re.compile(r"(<!-- fields: (\w+) -->\n)((?:\|.*\n)*)")
_BLOCK = re.compile(r"(<!-- (states: \w+|errors|limits) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, definitions: Definitions) -> str:
    """Return the page with its generated parts made anew. A table of an unknown object is left as it is."""

    def table(found: re.Match[str]) -> str:
        if found[2] not in definitions:
            return found[0]
        return found[1] + _field_table(definitions[found[2]], _meanings(found[3]))

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}{_block(found[2])}\n{found[3]}"

    return _BLOCK.sub(block, _FIELDS.sub(table, text))


def rows(definition: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, type, default) of a message or of an object in one, in the order of the code."""
    fields = definition["properties"]
    envelope = ENVELOPE if "e" in fields else ENVELOPE[:1]  # a client's own `n` is explained in each table
    return [
        (name, type_of(field), "" if name in definition["required"] else _default(field))
        for name, field in fields.items()
        if name not in envelope
    ]


def type_of(field: dict[str, Any]) -> str:
    """Return the type of a field in the words of REFERENCE.md."""
    if "$ref" in field:
        return str(field["$ref"].removeprefix("#/$defs/"))
    if "enum" in field:
        return ", ".join(sorted(field["enum"]))
    if "anyOf" in field:
        return " or ".join(type_of(one) for one in field["anyOf"])
    if "examples" in field:
        return ", ".join(field["examples"]) + ", others"
    known = _TYPES.get(field.get("type", ""))
    return known(field) if known else "any JSON"


def reasons() -> dict[str, str]:
    """Return what the comment `#:` of each limit says, by name."""
    source = Path(limits.__file__).read_text(encoding="utf-8")
    lines = source.splitlines()
    return {
        target.id: lines[(node.end_lineno or node.lineno) - 1].partition("#: ")[2]
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _meanings(table: str) -> dict[str, str]:
    """Return the cells that are written by hand, by field."""
    cells = [line.removesuffix("|").split("|", 4) for line in table.splitlines()[2:]]
    return {line[1].strip(" `"): line[4].strip() for line in cells}


def _field_table(definition: dict[str, Any], meanings: dict[str, str]) -> str:
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, kind, default in rows(definition):
        lines.append(f"| `{name}` | {kind} | {default} | {meanings.get(name, '')} |")
    return "".join(line + "\n" for line in lines)


def _block(name: str) -> str:
    if name.startswith("states: "):
        return f"```mermaid\n{mermaid(TABLES[name.removeprefix('states: ')])}\n```"
    return _error_table() if name == "errors" else _limit_table()


def _error_table() -> str:
    lines = ["| code | close | retry | message |", "|---|---|---|---|"]
    for code, row in REGISTRY.items():
        lines.append(f"| [`{code}`](ERRORS.md#{code}) | {row.close or ''} | {row.retry} | {row.message} |")
    return "\n".join(lines)


def _limit_table() -> str:
    why = reasons()
    lines = ["| name | value | |", "|---|---|---|"]
    for name, value in vars(limits).items():
        if name.isupper():
            lines.append(f"| `{name}` | {_shown(value)} | {why.get(name, '')} |")
    return "\n".join(lines)


def _shown(value: object) -> str:
    match value:
        case float():
            return f"{value:g}"
        case int():
            return str(value)
        case tuple():
            return ", ".join(_shown(one) for one in value)
    return f"`{value}`"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    words = {True: "true", False: "false", None: "null"}
    if isinstance(value, bool) or value is None:
        return words[value]
    if isinstance(value, dict) or value == "":
        return "empty" if not value else "its own"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _string(field: dict[str, Any]) -> str:
    if field.get("contentEncoding") == "base64":
        return "base64"
    low, high = field.get("minLength", 0), field.get("maxLength")
    size = f" {low}–{high}" if high else ""
    return ("id" if "pattern" in field else "text") + size


def _integer(field: dict[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is None or high is None:
        return "integer"
    return _COUNTS.get((low, high), f"integer {low}–{high}")


def _array(field: dict[str, Any]) -> str:
    if "prefixItems" in field:
        return "[" + ", ".join(type_of(one) for one in field["prefixItems"]) + "]"
    size = f" {field.get('minItems', 0)}–{field['maxItems']}" if "maxItems" in field else ""
    return f"list{size} of {type_of(field['items'])}"


def _object(field: dict[str, Any]) -> str:
    inner = field.get("additionalProperties")
    size = f" 0–{field['maxProperties']}" if "maxProperties" in field else ""
    return f"object{size}" + (f" of {type_of(inner)}" if isinstance(inner, dict) and inner else "")


_TYPES: dict[str, Callable[[dict[str, Any]], str]] = {
    "string": _string,
    "integer": _integer,
    "number": lambda _: "number",
    "boolean": lambda _: "boolean",
    "array": _array,
    "object": _object,
    "null": lambda _: "null",
}
