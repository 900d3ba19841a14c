"""EventBridge rules that wait for an event: functions that are called when one matches their pattern."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: an event that has what `pattern` has is given to `function`."""

    function: str
    pattern: Mapping[str, Any]


def check(pattern: Mapping[str, Any]) -> None:
    """Raises ValueError for what is not emulated: anything but lists of plain values, and maps of those."""
    for name, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            check(wanted)
        elif not (isinstance(wanted, list) and all(isinstance(value, _PLAIN) for value in wanted)):
            raise ValueError(f"the pattern of {name} is not supported")


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether each field of the pattern has one of its values in the event; other fields do not matter."""
    for name, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            if not matches(wanted, event.get(name) or {}):
                return False
        elif event.get(name) not in wanted:
            return False
    return True


def publish(rules: Iterable[Rule], event: Mapping[str, Any], invoke: Callable[[str, Any], object]) -> None:
    """Gives the event to the function of every rule that it matches."""
    for rule in rules:
        if matches(rule.pattern, event):
            invoke(rule.function, dict(event))


def task_stopped(task: Mapping[str, Any], *, account: str, region: str) -> dict[str, Any]:
    """As ECS sends it. Source: its developer guide, "Task state change events"."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [task["taskArn"]],
        "detail": dict(task),
    }
