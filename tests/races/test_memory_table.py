"""The table in memory answers as moto does: random requests, and those of a whole call."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from records.attributes import pack, unpack_item
from tests.races import memory_table, parties
from tests.races.door import NAMES, Door, Settings, deterministic
from tests.races.world import EMPTY, Kept, outcomes

sys.path.append(str(Path(__file__).parent.parent / "records"))
import dynamo

SEED = int(os.environ.get("TABLE_SEED", random.randrange(10**6)))
REQUESTS = 600
NAMED = ("a", "b", "m.x", "m.y")  #: paths; `m` is a map of every item that is put
CONDITIONS = (
    "attribute_exists({p})",
    "attribute_not_exists({p})",
    "{p} = :v",
    "{p} < :v",
    "{p} <= :v",
    "{p} > :v",
    "{p} IN (:v, :w)",
    "size(#m) < :n",
    "NOT {p} = :v",
    "attribute_not_exists(PK)",
    "attribute_exists(PK)",
)
UPDATES = (
    "SET {p} = :v",
    "SET {p} = if_not_exists({p}, :v)",
    "REMOVE {p}",
    "ADD #c :n",
    "SET #a = :v, #b = :w ADD #c :n REMOVE #d",
    "ADD #s :s",
    "DELETE #s :s",
)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    dynamo.make_atomic()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        made = boto3.client("dynamodb", region_name="eu-west-1")
        dynamo.make_table(made, "t")
        yield made
        made.close()


class Both:
    """A table in memory, and moto's beside it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.items: dict[tuple[str, str], Any] = {}
        self.broken = 0

    def ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        by_moto = self._ask_moto(operation, request)
        if by_moto is None:
            return {}
        told, changes = memory_table.answer(self.items, operation, request)
        for key, item in changes.items():
            if item is None:
                self.items.pop(key, None)
            else:
                self.items[key] = item
        assert _form(told) == _form(by_moto), (operation, request)
        return told

    def _ask_moto(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """None where moto breaks: at the size of what is not there, which is unequal to all in DynamoDB."""
        try:
            told: dict[str, Any] = getattr(self.client, operation)(**request)
            return told
        except ClientError as error:
            response: dict[str, Any] = dict(error.response)
            if any(reason["Code"] == "ValueError" for reason in response.get("CancellationReasons", [])):
                return self._broke()
            return {
                "error": response["Error"]["Code"],
                "item": response.get("Item"),
                "reasons": response.get("CancellationReasons"),
            }
        except ValueError as error:
            assert "Invalid attribute name m" in str(error)
            return self._broke()

    def _broke(self) -> None:
        self.broken += 1


def _form(told: dict[str, Any]) -> Any:
    """What of an answer the records look at."""
    if "error" in told:
        reasons = [each["Code"] for each in told.get("reasons") or []]
        return told["error"], reasons, _plain(told.get("item") or {})
    if "Responses" in told:
        return sorted(map(repr, map(_plain, told["Responses"]["t"])))
    if "Items" in told:
        return [_plain(item) for item in told["Items"]]
    return _plain(told.get("Item") or told.get("Attributes") or {})


def _plain(item: Any) -> Any:
    return sorted(unpack_item(item).items(), key=repr)


def _expressions(chance: random.Random) -> dict[str, str]:
    def filled(form: str) -> str:
        path = "#" + chance.choice(NAMED).replace(".", ".#")
        return form.format(p=path)

    condition = filled(chance.choice(CONDITIONS))
    for _ in range(chance.randrange(3)):
        joined = chance.choice(("{0} AND {1}", "{0} OR {1}", "{1} OR {0} AND {1}", "{1} AND {0}"))
        condition = joined.format(condition, filled(chance.choice(CONDITIONS)))
    if " OR " in condition and chance.random() < 0.5:
        condition = f"({condition}) AND {filled(chance.choice(CONDITIONS))}"
    return {"ConditionExpression": condition, "UpdateExpression": filled(chance.choice(UPDATES))}


def _request(chance: random.Random, *expressions: str) -> dict[str, Any]:
    """A random write of one of these expressions, on one of three items."""
    parts = {name: text for name, text in _expressions(chance).items() if name in expressions}
    whole = " ".join(parts.values())
    values = {":v": chance.choice((1, 2)), ":w": chance.choice((2, 3)), ":n": chance.randrange(3)}
    values[":s"] = frozenset(chance.sample(("x", "y", "z"), 2))
    used = {name: pack(value) for name, value in values.items() if name in _placeholders(whole)}
    names = {name: name[1:] for name in _placeholders(whole) if name.startswith("#")}
    request: dict[str, Any] = {"TableName": "t", "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **parts}
    request |= {"ExpressionAttributeNames": names} if names else {}
    request |= {"ExpressionAttributeValues": used} if used else {}
    return request


def _placeholders(text: str) -> set[str]:
    return set(memory_table.PLACEHOLDER.findall(text))


def _step(chance: random.Random, pk: str) -> tuple[str, dict[str, Any]]:
    key = {"PK": {"S": pk}, "SK": {"S": "META"}}
    match chance.randrange(4):
        case 0:
            item = key | {
                "a": pack(chance.randrange(3)),
                "m": pack({"x": 1} if chance.random() < 0.7 else {}),
            }
            return "Put", _request(chance, "ConditionExpression") | {"Item": item}
        case 1:
            return "Delete", _request(chance, "ConditionExpression") | {"Key": key}
        case _:
            expressions = ("ConditionExpression", "UpdateExpression")
            return "Update", _request(chance, *expressions) | {"Key": key}


def test_random_requests_are_answered_as_moto_answers_them(client: Any) -> None:
    print(f"TABLE_SEED={SEED}")
    chance, both, refused = random.Random(SEED), Both(client), 0
    for number in range(REQUESTS):
        if number % 4 == 0:
            steps = [dict([_step(chance, pk)]) for pk in chance.sample("pqr", 2)]
            told = both.ask("transact_write_items", {"TransactItems": steps})
        else:
            kind, request = _step(chance, chance.choice("pqr"))
            told = both.ask(f"{kind.lower()}_item", request)
        refused += "error" in told
        for pk in "pqr":
            both.ask("get_item", {"TableName": "t", "Key": {"PK": {"S": pk}, "SK": {"S": "META"}}})
    assert REQUESTS / 10 < refused < REQUESTS * 9 / 10, "both happen"
    assert both.broken < REQUESTS / 5


def test_a_whole_call_is_answered_as_moto_answers_it(client: Any) -> None:
    """All requests that functions and relays make from a start to an end, with the sweep between them."""
    both, held = Both(client), [EMPTY.with_({("clock",): parties.NOW})]
    for part, connection in parties.empty("c1", "c2").named("item").items():
        client.put_item(TableName="t", Item=connection)
        both.items[part[1:]] = connection  # type: ignore[index]

    def ask(kind: str, payload: dict[str, Any]) -> Any:
        if kind == "table":
            return both.ask(payload["operation"], payload["request"])
        told, held[0] = outcomes(held[0], kind, payload)[0]
        return Kept.of(told).value

    def next_call(door: Door) -> None:
        told = door.wait_for("c1", "ready")
        parties.resume("c2", told["session"], told["resume_key"], media_failed=True)(door)
        parties.end("c2", told["session"])(door)

    roles = (parties.start("c1"), parties.relay_task, parties.client("c1"), parties.sweep_once, next_call)
    with deterministic():
        for number, role in enumerate((*roles, parties.sweep_after(400), parties.sweep_once)):
            NAMES.begin(f"role{number}-")
            role(Door(ask, Settings()))
    assert [pk for pk, _ in both.items if pk.startswith("SES#")]
