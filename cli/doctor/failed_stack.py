"""Why a stack failed, from its events: what failed first in its last operation, and what to do about it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import yaml

from cli.doctor.report import wrapped
from cli.stack.deployed import call

TABLE = Path(__file__).with_name("failed_stack.yaml")
#: reasons of what failed only because something else had
ECHOES = re.compile(r"resource (creation|update|deletion) cancelled|the following resource\(s\) failed", re.I)
BEGINS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"}
OTHERWISE = "Nothing here knows that reason: search for it, or look at the stack's events in the console."
PAGES = 20  #: of events, a hundred each; a stack's whole life may be longer


@dataclass(frozen=True, slots=True)
class Cause:
    """One resource that failed of itself."""

    resource: str  #: its name in the template
    kind: str  #: its type, as AWS::ECS::Cluster
    reason: str  #: in AWS's words
    code: str  #: empty: a reason that is not in the table
    advice: str


def is_failed(status: str) -> bool:
    """Whether a stack in that state is not what was deployed. One that was rolled back works as before."""
    return "ROLLBACK" in status or status.endswith("_FAILED")


def causes(stack: str, region: str | None) -> list[Cause]:
    """What failed of itself in the stack's last operation, first things first. Raises Failure."""
    found = []
    for event in _last_operation(stack, _events(stack, region)):
        reason = str(event.get("ResourceStatusReason", ""))
        if str(event["ResourceStatus"]).endswith("_FAILED") and not ECHOES.search(reason):
            found.append(_cause(stack, event, reason))
    seen: dict[str, Cause] = {}
    for cause in found:  # oldest first: a resource may fail again on the way back, for another reason
        seen.setdefault(cause.resource, cause)
    return list(seen.values())


def _events(stack: str, region: str | None) -> Iterator[Mapping[str, Any]]:
    """Newest first."""
    following: dict[str, str] = {}
    for _ in range(PAGES):
        answer = call(region, "cloudformation", "describe_stack_events", StackName=stack, **following)
        yield from answer["StackEvents"]
        if not answer.get("NextToken"):
            return
        following = {"NextToken": answer["NextToken"]}


def _last_operation(stack: str, newest_first: Iterator[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Its events, oldest first: back to where the stack itself began to be made, updated or deleted."""
    kept: list[Mapping[str, Any]] = []
    for event in newest_first:
        kept.append(event)
        is_stack = event.get("PhysicalResourceId") == event.get("StackId")
        if is_stack and event["ResourceStatus"] in BEGINS:
            break
    return kept[::-1]


def _cause(stack: str, event: Mapping[str, Any], reason: str) -> Cause:
    name, kind = str(event["LogicalResourceId"]), str(event["ResourceType"])
    for pattern, code, advice in advice_table():
        if pattern.search(reason):
            return Cause(name, kind, reason, code, advice.replace("STACK", stack))
    return Cause(name, kind, reason, "", OTHERWISE)


@functools.cache
def advice_table() -> Sequence[tuple[re.Pattern[str], str, str]]:
    """Rows of TABLE: what a reason says, its code, what to do."""
    rows = yaml.safe_load(TABLE.read_text("utf-8"))
    return [(re.compile(row["says"], re.I), row["code"], row["advice"].strip()) for row in rows]


def report(out: TextIO, stack: str, status: str, found: Sequence[Cause]) -> None:
    """Print them, for people."""
    print(f"{stack} is {status}\n", file=out)
    for cause in found:
        print(f"{cause.resource} ({cause.kind})", file=out)
        print(*wrapped("  ", cause.reason, "  "), sep="\n", file=out)
        print(*wrapped("  -> ", cause.advice, "     "), "", sep="\n", file=out)
    if not found:
        print("None of its events says why: CloudFormation keeps them for 90 days.", file=out)
