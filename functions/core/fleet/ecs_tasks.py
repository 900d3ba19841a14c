"""The relays' tasks as ECS lists them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from functions.core.fleet import start_causes
from functions.core.fleet.ecs_launcher import STARTED_BY
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import TasksUnknown
from records.start_failures import Cause

PAGE = 100  #: most tasks of one DescribeTasks


class Ecs(Protocol):
    """Client of ECS, as far as it is used."""

    def list_tasks(self, **request: Any) -> Any: ...

    def describe_tasks(self, **request: Any) -> Any: ...

    def stop_task(self, **request: Any) -> Any: ...


class EcsTasks:
    """Relay tasks of one cluster, identified by `startedBy`; others are left alone."""

    def __init__(self, ecs: Ecs, cluster: str) -> None:
        self._ecs = ecs
        self._cluster = cluster

    def running(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for task in self._alive("RUNNING"):  # starting ones too
            found[_relay_of(task)].append(str(task["taskArn"]))
        return found

    def stopping(self) -> Sequence[str]:
        return [str(task["taskArn"]) for task in self._alive("STOPPED")]

    def causes(self) -> Mapping[str, Cause]:
        ended = self._described(list(self._listed("STOPPED")))
        return {_relay_of(task): start_causes.of_stop(task) for task in ended if _is_over(task)}

    def stop(self, task: str) -> None:
        self._call("stop_task", task=task, reason="no call needs it")

    def _alive(self, desired: str) -> Iterator[dict[str, Any]]:
        """Relay tasks of that desired status whose last status is not STOPPED."""
        for task in self._described(list(self._listed(desired))):
            if str(task.get("startedBy", "")).startswith(STARTED_BY) and not _is_over(task):
                yield task

    def _listed(self, desired: str) -> Iterator[str]:
        following: dict[str, str] = {}
        while True:
            answer = self._call("list_tasks", desiredStatus=desired, **following)
            yield from answer["taskArns"]
            if not answer.get("nextToken"):
                return
            following = {"nextToken": answer["nextToken"]}

    def _described(self, arns: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(arns), PAGE):
            yield from self._call("describe_tasks", tasks=list(arns[start : start + PAGE]))["tasks"]

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._ecs, operation)(cluster=self._cluster, **request)
        except (ClientError, HTTPClientError, ConnectionError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            logger.error("tasks unknown", extra={"operation": operation, "code": code})
            raise TasksUnknown from None


def _relay_of(task: Mapping[str, Any]) -> str:
    return str(task.get("startedBy", "")).removeprefix(STARTED_BY)


def _is_over(task: Mapping[str, Any]) -> bool:
    return task.get("lastStatus") == "STOPPED"
