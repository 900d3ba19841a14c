"""Generate from the code: JSON Schema, error registry, limits, state vectors, parts of REFERENCE.md.

python -m protocol.schema           writes them
python -m protocol.schema --check   exits 1 and names the files that have drifted
"""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from . import limits
from .control import ControlReply, ControlRequest
from .errors import REGISTRY
from .limits import VERSIONS
from .media import ClientMessage, ServerMessage
from .reference import filled
from .states import TABLES

HERE = Path(__file__).parent
DIRECTIONS: dict[str, Any] = {
    "ControlRequest": ControlRequest,  #: client to server, control road
    "ControlReply": ControlReply,
    "ClientMessage": ClientMessage,  #: client to server, media road
    "ServerMessage": ServerMessage,
}


def schema() -> dict[str, Any]:
    """All four directions as one JSON Schema; `$defs` has each direction and each message."""
    unions, defs = msgspec.json.schema_components(DIRECTIONS.values(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:vivavoce:protocol:v{VERSIONS[-1]}",
        "title": "Vivavoce protocol",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in DIRECTIONS],
        "$defs": {**defs, **dict(zip(DIRECTIONS, unions, strict=True))},
    }


def definitions() -> dict[str, dict[str, Any]]:
    """`$defs` of the schema, as JSON has it: lists where Python has tuples."""
    found: dict[str, dict[str, Any]] = json.loads(_json(schema()["$defs"], is_sorted=False))
    return found


def errors() -> dict[str, Any]:
    """The error registry for other languages."""
    return {
        code: {"close": row.close, "retry": row.retry, "message": row.message}
        for code, row in REGISTRY.items()
    }


def constants() -> dict[str, Any]:
    """Every number of `limits.py` by its name; the suffix carries the unit."""
    return {name: value for name, value in vars(limits).items() if name.isupper()}


def state_vectors() -> dict[str, Any]:
    """Every pair of state and event of the three tables, with the next state or null for an illegal pair."""
    cases = [
        {
            "name": f"{name}: {state.value} + {event}",
            "table": name,
            "state": state.value,
            "event": event,
            "next": _value(moves.get(event)),
        }
        for name, table in TABLES.items()
        for state, moves in table.items()
        for event in events_of(table)
    ]
    return {
        "description": "Every (state, event) pair; `next` is null where the pair is illegal.",
        "cases": cases,
    }


def events_of(table: dict[Any, dict[str, Any]]) -> list[str]:
    """The events a table knows, sorted."""
    return sorted({event for moves in table.values() for event in moves})


def files(root: Path = HERE) -> dict[Path, str]:
    """Everything that is made from the code, by path."""
    made = {
        root / "schema" / f"v{VERSIONS[-1]}.json": _json(schema()),
        root / "schema" / "errors.json": _json(errors()),
        root / "schema" / "limits.json": _json(constants()),
        root / "vectors" / "states.json": _json(state_vectors()),
    }
    page = root / "REFERENCE.md"
    if page.exists():
        made[page] = filled(page.read_text(encoding="utf-8"), definitions())
    return made


def drifted(root: Path = HERE) -> list[Path]:
    """Files that are not what the code makes of them."""
    made = files(root).items()
    return [path for path, text in made if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str], root: Path = HERE) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m protocol.schema [--check]", file=sys.stderr)
        return 2
    stale = drifted(root)
    if arguments:
        for path in stale:
            print(f"drifted: {path.relative_to(root)} (run `make schema`)", file=sys.stderr)
        return 1 if stale else 0
    made = files(root)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path], encoding="utf-8")
        print(f"wrote {path.relative_to(root)}")
    return 0


def _value(state: Enum | None) -> Any:
    return None if state is None else state.value


def _json(value: object, is_sorted: bool = True) -> str:
    return json.dumps(value, indent=2, sort_keys=is_sorted, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
