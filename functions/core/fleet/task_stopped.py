"""Gives up the relay of a task that has stopped, as soon as ECS tells of it.

Most relays have left the pool before their task ends. One that crashed has not, and if it crashed while it
started, its callers wait: they are told within seconds, where the sweep would need a minute.
Source: Amazon ECS task state change events (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.core.fleet import start_causes
from functions.core.fleet.ecs_launcher import STARTED_BY
from functions.core.fleet.give_up_relay import give_up
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import Dispatch
from records import relays

DETAIL_TYPE = "ECS Task State Change"


def handle(ports: Dispatch, detail: Mapping[str, Any]) -> dict[str, int]:
    """Handle the event's `detail`, which describes the task. Returns how many relays were lost: 0 or 1."""
    relay = relays.load(ports.table, str(detail.get("startedBy", "")).removeprefix(STARTED_BY))
    if relay is None or relay.id not in relays.pool(ports.table).slots.values():
        return {}
    cause = start_causes.of_stop(detail)
    facts = {"relay": relay.id, "state": relay.state, "stop_code": detail.get("stopCode"), "said": cause.said}
    logger.error("relay stopped without leaving", extra=facts)
    give_up(ports, relay, cause)
    return {"relays_lost": 1}
