"""The template's schedules: functions that are called by the clock; nobody waits for the answer."""

import asyncio
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)s?\)")
_UNIT_S = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Schedule:
    """One rule. `event` is what the template gives the function; None: what EventBridge makes up."""

    function: str
    every_s: int
    event: Any = None


def period_s(expression: str) -> int:
    """Seconds of `rate(5 minutes)` and its like. Raises ValueError for any other form."""
    found = _RATE.fullmatch(expression)
    if found is None:
        raise ValueError(f"the schedule {expression} is not supported")
    return int(found[1]) * _UNIT_S[found[2]]


async def keep(
    schedules: Sequence[Schedule], invoke: Callable[[str, Any], object], *, speed: float = 1.0
) -> None:
    """Calls each function at its times, `speed` times as often as is written, until cancelled."""
    async with asyncio.TaskGroup() as clocks:
        for schedule in schedules:
            clocks.create_task(_keep(schedule, invoke, speed), name=f"schedule of {schedule.function}")


async def _keep(schedule: Schedule, invoke: Callable[[str, Any], object], speed: float) -> None:
    while True:
        await asyncio.sleep(schedule.every_s / speed)
        invoke(schedule.function, scheduled_event() if schedule.event is None else schedule.event)


def scheduled_event() -> dict[str, Any]:
    """As EventBridge sends it. Source: its user guide, "Scheduled Event"."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    }
