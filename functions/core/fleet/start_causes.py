"""What AWS says of a task or MicroVM that did not come up, in words for a caller. Its own go to the record.

Source: Amazon ECS, "Stopped tasks error codes" and "RunTask" (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from records.start_failures import Cause

NO_CAPACITY = "Fargate has no capacity now"
NO_QUOTA = "the account's quota of Fargate vCPUs is used up"
BUSY = "ECS is asked too often"
PASSING = {NO_CAPACITY, NO_QUOTA, BUSY}

#: part of what ECS says about a task that has stopped, to our words; the first that fits
STOPPED = {
    "CannotPull": "its image cannot be pulled",
    "OutOfMemory": "its memory does not suffice",
    "ResourceInitializationError": "Fargate cannot prepare it",
    "Timeout waiting for network interface": "its network does not come up",
    "Capacity is unavailable": NO_CAPACITY,
}
#: part of what it says when it starts none
REFUSED = {
    "vCPU": NO_QUOTA,
    "apacity": NO_CAPACITY,
    "RESOURCE:": NO_CAPACITY,
    "service linked role": "the account has no role for ECS yet",
    "AccessDenied": "its start is not permitted",
    "Throttling": BUSY,
}


def of_stop(task: Mapping[str, Any]) -> Cause:
    """Of a task that has stopped, as events and DescribeTasks describe it."""
    containers = list(task.get("containers", ()))
    said = [str(task.get("stoppedReason", "")), *(str(each.get("reason", "")) for each in containers)]
    exits = [each["exitCode"] for each in containers if each.get("exitCode")]
    ended = f"it ended with exit status {exits[0]}" if exits else "it ended as it started"
    text = "; ".join([*filter(None, said), *(f"exit status {code}" for code in exits)])
    return _cause(_first(STOPPED, text) or ended, text)


def of_vm(reason: str) -> Cause:
    """Of a MicroVM that ended as it started. `reason` is its `stateReason`; its words are not documented."""
    return Cause("its MicroVM ended as it started", reason)


def of_refusal(said: Iterable[str]) -> Cause:
    """Of a RunTask that started nothing: an error's code and message, or the reasons of its failures."""
    text = "; ".join(filter(None, said))
    return _cause(_first(REFUSED, text) or "ECS refuses to start it", text)


def _cause(words: str, text: str) -> Cause:
    return Cause(words, text, passes=words in PASSING)


def _first(table: Mapping[str, str], text: str) -> str:
    return next((words for part, words in table.items() if part in text), "")
