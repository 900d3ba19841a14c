"""A table in memory with DynamoDB's conditions, as a function: items and a request to an answer and items.

Items are never changed in place, so that the explorer can go back to any state. Held against moto by
`test_memory_table.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.races import expressions
from tests.races.expressions import Invalid, Item

Items = Mapping[tuple[str, str], Item]
Answer = dict[str, Any]  #: what boto3 returns, or {"error": code, …} of what it raises
Changes = dict[tuple[str, str], Item | None]  #: of the items; None: deleted
TRANSACTION_MAX = 100

PLACEHOLDER = re.compile(r"[#:]\w+")
EXPRESSIONS = ("ConditionExpression", "UpdateExpression", "KeyConditionExpression")


def answer(items: Items, operation: str, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    """Do one request."""
    try:
        return _OPERATIONS[operation](items, request)
    except Invalid as invalid:
        return {"error": "ValidationException", "message": str(invalid)}, {}


def _key(attributes: Mapping[str, Any]) -> tuple[str, str]:
    return attributes["PK"]["S"], attributes["SK"]["S"]


def _places(request: Mapping[str, Any]) -> dict[str, Any]:
    """Placeholders of a request. As DynamoDB, refuses those that are not used."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    used = {each for name in EXPRESSIONS for each in PLACEHOLDER.findall(request.get(name, ""))}
    if used != {*names, *values}:
        raise Invalid("placeholders")
    return {**names, **values}


def _get_item(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    found = items.get(_key(request["Key"]))
    return ({} if found is None else {"Item": found}), {}


def _batch_get_item(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    ((table, asked),) = request["RequestItems"].items()
    keys = [_key(each) for each in asked["Keys"]]
    if len(set(keys)) < len(keys) or not 1 <= len(keys) <= TRANSACTION_MAX:
        raise Invalid("keys")
    return {"Responses": {table: [items[key] for key in keys if key in items]}}, {}


def _write(items: Items, request: Mapping[str, Any], make: Callable[..., Any]) -> tuple[Answer, Changes]:
    places = _places(request)
    key = _key(request["Key"] if "Key" in request else request["Item"])
    before = items.get(key)
    condition = request.get("ConditionExpression")
    if condition and not expressions.holds(condition, before or {}, places):
        wants_item = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
        return {"error": "ConditionalCheckFailedException"} | ({"item": before} if wants_item else {}), {}
    after = make(before, places)
    told = {"Attributes": after} if request.get("ReturnValues") == "ALL_NEW" else {}
    return told, {key: after}


def _put_item(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    return _write(items, request, lambda before, places: dict(request["Item"]))


def _delete_item(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    return _write(items, request, lambda before, places: None)


def _update_item(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    def make(before: Item | None, places: Mapping[str, Any]) -> Item:
        return expressions.updated(request["UpdateExpression"], before or dict(request["Key"]), places)

    return _write(items, request, make)


def _check(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    told, _ = _write(items, request, lambda before, places: before)
    return told, {}


def _transact_write_items(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    kinds = {"Put": _put_item, "Update": _update_item, "Delete": _delete_item, "ConditionCheck": _check}
    steps = [next(iter(step.items())) for step in request["TransactItems"]]
    keys = [_key(step["Key"] if "Key" in step else step["Item"]) for _, step in steps]
    if len(set(keys)) < len(keys) or not 1 <= len(keys) <= TRANSACTION_MAX:
        raise Invalid("two steps on one item")
    changes: Changes = {}
    reasons = []
    for kind, step in steps:
        told, changed = kinds[kind](items, step)
        changes |= changed
        reasons.append(_reason(told))
    if any(reason["Code"] != "None" for reason in reasons):
        return {"error": "TransactionCanceledException", "reasons": reasons}, {}
    return {}, changes


def _reason(told: Answer) -> dict[str, Any]:
    if "error" not in told:
        return {"Code": "None"}
    return {"Code": "ConditionalCheckFailed"} | ({"Item": told["item"]} if "item" in told else {})


def _query(items: Items, request: Mapping[str, Any]) -> tuple[Answer, Changes]:
    places, condition = _places(request), request["KeyConditionExpression"]
    sort_key = "GSI1SK" if "IndexName" in request else "SK"
    found = [item for item in items.values() if expressions.holds(condition, item, places)]
    found.sort(key=lambda item: str(item[sort_key]["S"]), reverse=not request.get("ScanIndexForward", True))
    if "IndexName" in request:
        found = [dict(_projected(item)) for item in found]
    return {"Items": found[: request.get("Limit", len(found))]}, {}


def _projected(item: Item) -> Iterator[tuple[str, Any]]:
    return ((name, item[name]) for name in ("PK", "SK", "GSI1PK", "GSI1SK") if name in item)


_OPERATIONS: Mapping[str, Callable[[Items, Mapping[str, Any]], tuple[Answer, Changes]]] = {
    "get_item": _get_item,
    "batch_get_item": _batch_get_item,
    "put_item": _put_item,
    "delete_item": _delete_item,
    "update_item": _update_item,
    "transact_write_items": _transact_write_items,
    "query": _query,
}
