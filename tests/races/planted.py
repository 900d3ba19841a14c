"""Faults: what settles a race is taken out, and the explorer must find the race.

A condition is taken out of the requests on their way to the table; the product's files are as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from records import lost_relays, open_sessions, session_status
from records.table import Table
from tests.races import memory_table, protocols
from tests.races.explorer import Protocol, Report, explore

ALWAYS = "attribute_exists(PK) OR attribute_not_exists(PK)"


class Without:
    """A condition, or a part of one, that is not asked for."""

    def __init__(self, part: str, instead: str = "") -> None:
        self.part, self.instead, self.hits = part, instead, 0

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "transact_write_items":
            steps = [
                {kind: self._changed(step)}
                for each in request["TransactItems"]
                for kind, step in each.items()
            ]
            return request | {"TransactItems": steps}
        return self._changed(request)

    def _changed(self, request: dict[str, Any]) -> dict[str, Any]:
        condition = request.get("ConditionExpression", "")
        if self.part not in condition:
            return request
        self.hits += 1
        left = request | {"ConditionExpression": condition.replace(self.part, self.instead) or ALWAYS}
        return _without_unused(left)


def _without_unused(request: dict[str, Any]) -> dict[str, Any]:
    """DynamoDB refuses names and values that no expression uses."""
    used = set(
        memory_table.PLACEHOLDER.findall(" ".join(request.get(name, "") for name in memory_table.EXPRESSIONS))
    )
    left = dict(request)
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if name in left:
            left[name] = {each: value for each, value in left[name].items() if each in used}
    return left


class Instead:
    """A function of the product that answers otherwise, for what is settled by no single condition."""

    def __init__(self, module: ModuleType, name: str, answer: Callable[..., object]) -> None:
        self._module, self._name, self._answer, self.hits = module, name, answer, 0

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return request

    @contextmanager
    def in_place(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self._module, self._name, self._told)
            yield

    def _told(self, *asked: Any) -> object:
        self.hits += 1
        return self._answer(*asked)


def _uncount(table: Table, user: str, session: str, *_: object) -> bool:
    """Make room by a session that stays as it is."""
    open_sessions.leave(table, user, session)
    return True


class OneKeyOnly:
    """Each answer voids the resume keys of all answers before it."""

    def __init__(self) -> None:
        self.hits = 0

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        update, issue = request.get("UpdateExpression", ""), "#keys.#new = :seq"
        if issue not in update:
            return request
        self.hits += 1
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        only = {"M": {names["#new"]: values[":seq"]}}
        changed = request | {"UpdateExpression": update.replace(issue, "#keys = :only")}
        return _without_unused(changed | {"ExpressionAttributeValues": values | {":only": only}})


@dataclass(frozen=True)
class Fault:
    """One that is planted, the protocol in which it must show, and a part of what is found."""

    name: str
    protocol: Callable[[], Protocol]
    shows: str
    plant: Callable[[], Without | OneKeyOnly | Instead]

    def explored(self) -> Report:
        """What is found. Raises AssertionError when the fault was never met."""
        plant = self.plant()
        with plant.in_place() if isinstance(plant, Instead) else nullcontext():
            report = explore(self.protocol(), plant)
        assert plant.hits
        return report


FAULTS = (
    Fault(
        "a request that was answered is answered again, with another key",
        protocols.start_and_its_relay,
        "two ready",
        lambda: Without(" AND #answered_seq < :seq"),
    ),
    Fault(
        "the key of an answer that came is void when a later answer is lost",
        protocols.one_resume_twice,
        "does not work",
        OneKeyOnly,
    ),
    Fault(
        "two copies of one start open a session each",
        protocols.one_start_twice_with_room,
        "more than 1 open sessions",
        lambda: Without("attribute_not_exists(PK) OR #ttl <= :now"),
    ),
    Fault(
        "starts at once pass the limit on sessions",
        protocols.starts_at_the_limit,
        "more than 1 open sessions",
        lambda: Without("size(#sessions) < :limit"),
    ),
    Fault(
        "starts at once reserve the same minutes",
        protocols.minutes_that_are_left,
        "s of a day that has 600",
        lambda: Without("attribute_not_exists(#seconds) OR #seconds <= :room"),
    ),
    Fault(
        "an idle relay ends though a call has just got its lease",
        protocols.idle_exit,
        "a relay that is gone",
        lambda: Without(" AND size(#leases) = :none"),
    ),
    Fault(
        "a former relay ends a session that has moved",
        protocols.writes_of_the_former_relay,
        "does not own it",
        lambda: Without("#epoch = :epoch"),
    ),
    Fault(
        "giving up a relay ends a session that has moved",
        protocols.giving_up_what_moved,
        "was ended under its client",
        lambda: Without(
            " AND #epoch = :epoch AND #request_seq = :seq AND #answered_seq < :seq AND #joined_epoch = :never"
        ),
    ),
    Fault(
        "silence is loss, though the table was away",
        protocols.outage,
        "was given up",
        lambda: Instead(lost_relays, "is_silent", lambda *_: True),
    ),
    Fault(
        "a start at the limit takes the place of a session that it does not end",
        protocols.orphan_at_the_limit,
        "more than 1 open sessions",
        lambda: Instead(session_status, "_leaves", _uncount),
    ),
)
