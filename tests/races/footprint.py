"""Which parts of a world a request reads and writes: two requests that share none may change places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.races.world import Part

INDEX: Part = ("index",)  #: all that is found by the index
CLOCK: Part = ("clock",)
WRITES, READS = True, False

Touch = tuple[Part, bool]  #: a part, and whether it is written


def of(kind: str, payload: Mapping[str, Any]) -> frozenset[Touch]:
    """All touches of a request."""
    return frozenset(_touches(kind, payload))


def _touches(kind: str, payload: Mapping[str, Any]) -> Iterator[Touch]:
    match kind:
        case "table":
            yield from _of_table(payload["operation"], payload["request"])
        case "begin":
            return
        case "pass_time":
            yield CLOCK, WRITES
        case "send":
            yield ("inbox", payload["connection"]), WRITES
        case "wait_for":
            yield ("inbox", payload["connection"]), READS
        case "note" | "until":
            yield ("note", payload["name"]), kind == "note"
        case "until_resumed":
            yield _item({"PK": {"S": f"RELAY#{payload['relay']}"}}), READS
            yield ("machines",), READS
        case _:  # tasks and MicroVMs
            yield ("machines",), kind not in ("tasks", "vms")
            yield CLOCK, READS


def _of_table(operation: str, request: Mapping[str, Any]) -> Iterator[Touch]:
    match operation:
        case "query":
            if "IndexName" in request:
                yield INDEX, READS
            else:
                yield ("items", request["ExpressionAttributeValues"][":pk"]["S"]), READS
        case "get_item":
            yield _item(request["Key"]), READS
        case "batch_get_item":
            ((_, asked),) = request["RequestItems"].items()
            for key in asked["Keys"]:
                yield _item(key), READS
        case "transact_write_items":
            for step in request["TransactItems"]:
                ((kind, one),) = step.items()
                yield from _of_write(one, kind != "ConditionCheck")
        case _:
            yield from _of_write(request, WRITES)


def _of_write(request: Mapping[str, Any], writes: bool) -> Iterator[Touch]:
    key = request.get("Key") or request["Item"]
    yield _item(key), writes
    names = request.get("ExpressionAttributeNames", {}).values()
    if "Item" in request or any(name.startswith("GSI1") for name in names):
        yield INDEX, writes


def _item(key: Mapping[str, Any]) -> Part:
    """An item; all of one partition count as one, for a query may read any of them."""
    return ("items", key["PK"]["S"])
