"""What may stand in a workflow of GitHub: the machine, and .ci/run. All else is in the Makefile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

#: GitHub's own actions, in order, and what each is told
MACHINE: dict[str, dict[str, Any]] = {
    "actions/checkout": {"persist-credentials": False},
    "actions/setup-python": {"python-version": "3.11"},
    "actions/setup-node": {"node-version": "20"},
    "actions/setup-java": {"distribution": "temurin", "java-version": "17"},
}
PINNED = re.compile(r"(.+)@(v\d+|[0-9a-f]{40})")


def breaches(workflow: dict[Any, Any]) -> Iterator[str]:
    """Yield each thing in a parsed workflow that could drift from .ci/run, or that takes more rights."""
    # YAML 1.1 reads the key `on` as true.
    if workflow.get(True) != {"push": {"branches": ["main"]}, "pull_request": None}:
        yield "it runs on more or less than pushes to main and pull requests"
    if workflow.get("permissions") != {"contents": "read"}:
        yield "it may do more than read the contents"
    if workflow.get("concurrency", {}).get("cancel-in-progress") is not True:
        yield "an older run of the same branch goes on"
    if extra := workflow.keys() - {"name", True, "permissions", "concurrency", "jobs"}:
        yield f"it has {sorted(map(str, extra))}"
    if len(workflow["jobs"]) != 1:
        yield "it has more than one job, or none"
    for job in workflow["jobs"].values():
        yield from _job(job)


def _job(job: dict[str, Any]) -> Iterator[str]:
    if extra := job.keys() - {"runs-on", "timeout-minutes", "steps"}:
        yield f"a job has {sorted(extra)}"
    if not job.get("timeout-minutes"):
        yield "a job may run for hours"
    used = [step for step in job["steps"] if "run" not in step]
    for step in used:
        yield from _action(step)
    if [step["uses"].partition("@")[0] for step in used] != list(MACHINE):
        yield "the machine is another one, or made in another order"
    if [step for step in job["steps"] if "run" in step] != [{"run": ".ci/run"}]:
        yield "it runs something else than .ci/run"
    if "run" not in job["steps"][-1]:
        yield "something comes after .ci/run"


def _action(step: dict[str, Any]) -> Iterator[str]:
    pinned = PINNED.fullmatch(step["uses"])
    if pinned is None:
        yield f"{step['uses']} is not pinned by a major version or a commit"
    elif step != {"uses": step["uses"], "with": MACHINE.get(pinned[1])}:
        yield f"{step['uses']} is told something else"
