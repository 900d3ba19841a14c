"""Relay tasks as processes: PROVISIONING, RUNNING, STOPPED, as ECS tells it."""

import asyncio
import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from infra.local.background import Background
from infra.local.process import Child, OnLine
from infra.local.template import Task

#: what ECS says beside a stop code
_STOPPED = {"EssentialContainerExited": "Essential container in task exited"}

Status = Literal["PROVISIONING", "RUNNING", "STOPPED"]


@dataclass(slots=True)
class RelayTask:
    """One task, from RunTask to its end, and as DescribeTasks shows it afterwards."""

    definition: Task
    arn: str
    overrides: Mapping[str, str]
    started_by: str
    status: Status = "PROVISIONING"
    desired: Literal["RUNNING", "STOPPED"] = "RUNNING"
    address: str = ""  #: host:port, once it runs
    process_id: int | None = None
    exit_status: int | None = None
    stop_code: str = ""
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    is_running: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    times: dict[str, float] = field(default_factory=lambda: {"createdAt": time.time()})

    def stop(self, reason: str) -> None:
        """Asks the task to end; `reason` is the caller's and is not kept."""
        if self.status != "STOPPED":
            self.stop_code = self.stop_code or "UserInitiated"
        self.desired = "STOPPED"
        self.stop_asked.set()

    def describe(self) -> dict[str, Any]:
        """The task in the shape of the ECS API. Private addresses are loopback here."""
        container = {"name": self.definition.container, "lastStatus": self.status}
        ended = {} if self.exit_status is None else {"exitCode": self.exit_status}
        told = {
            "taskArn": self.arn,
            "clusterArn": self.definition.arn.partition(":task-definition")[0]
            + f":cluster/{self.definition.cluster}",
            "taskDefinitionArn": self.definition.arn,
            "lastStatus": self.status,
            "desiredStatus": self.desired,
            "startedBy": self.started_by,
            "launchType": "FARGATE",
            "containers": [{**container, **ended}],
            **self.times,
        }
        if not self.stop_code:
            return told
        return {**told, "stopCode": self.stop_code, "stoppedReason": _STOPPED.get(self.stop_code, "")}


class LastLine:
    """Hands a relay's lines on, and knows the last one: of a crash it is the one that names the cause."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self._last = ""

    def __call__(self, text: str) -> None:
        self._last = text.strip() or self._last
        self._on_line(text)

    def judge(self, exit_status: int) -> None:
        """Report, as a line of the relay's, an end that nobody asked for."""
        if exit_status == 0:
            return
        how = f"exit status {exit_status}" if exit_status > 0 else f"signal {-exit_status}"
        cause = "" if self._last.startswith("{") else f": {self._last}"
        remedy = "Mend that and call again: the next call starts another."
        fact = {"level": "ERROR", "message": f"the relay stopped by itself ({how}){cause}. {remedy}"}
        self._on_line(json.dumps(fact))


class Tasks:
    """Starts tasks and keeps them. `environment` is what every process here gets (AWS endpoints)."""

    def __init__(
        self,
        definition: Task,
        environment: Mapping[str, str],
        root: Path,
        log: Callable[[str], OnLine],
        *,
        start_delay_s: Callable[[], float] = lambda: 0.0,
        on_stopped: Callable[[RelayTask], object] = lambda task: None,
    ) -> None:
        self.definition = definition
        self.all: list[RelayTask] = []
        self.start_delay_s = start_delay_s  #: stands for Fargate's cold start of 20 to 60 s
        self._environment = environment
        self._root = root
        self._log = log
        self._on_stopped = on_stopped  #: not called for those that end with the stack
        self._background = Background()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._background.__aexit__()

    def start(self, overrides: Mapping[str, str], started_by: str) -> RelayTask:
        """Starts one task; it is PROVISIONING when this returns."""
        account = self.definition.arn.partition(":task-definition")[0]
        arn = f"{account}:task/{self.definition.cluster}/{secrets.token_hex(16)}"
        task = RelayTask(self.definition, arn, overrides, started_by)
        self.all.append(task)
        self._background.start(self._live(task), name=f"task {arn[-8:]}")
        return task

    def find(self, name: str) -> RelayTask | None:
        """The task of that ARN or id."""
        id = name.rpartition("/")[2]
        return next((task for task in self.all if task.arn.endswith(f"/{id}")), None)

    async def _live(self, task: RelayTask) -> None:
        try:
            async with asyncio.timeout(self.start_delay_s()):
                await task.stop_asked.wait()
        except TimeoutError:
            await self._run(task)
        else:
            self._ended(task, None)  # stopped before it started
        self._on_stopped(task)

    async def _run(self, task: RelayTask) -> None:
        port = _free_port()
        task.address = f"127.0.0.1:{port}"
        place = {"RELAY_ADDRESS": task.address, "RELAY_HOST": "127.0.0.1", "RELAY_PORT": str(port)}
        environment = {**self._environment, **self.definition.environment, **task.overrides, **place}
        printed = LastLine(self._log(f"relay-{task.arn[-8:]}"))
        child = await Child.start(self.definition.command, environment, cwd=self._root, on_line=printed)
        task.status, task.process_id = "RUNNING", child.process.pid
        task.times["startedAt"] = time.time()
        task.is_running.set()
        try:
            await self._until_asked_or_ended(task, child)
            if not child.is_alive and not task.stop_asked.is_set():
                printed.judge(await child.wait())
            await child.stop(self.definition.stop_timeout_s)
        finally:
            # When the whole stack goes, nobody's call is saved: it may be cancelled while a task stops.
            self._ended(task, await child.stop(0))

    async def _until_asked_or_ended(self, task: RelayTask, child: Child) -> None:
        async with asyncio.TaskGroup() as either:
            waiting = {either.create_task(task.stop_asked.wait()), either.create_task(child.wait())}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task_left in waiting:
                task_left.cancel()

    def _ended(self, task: RelayTask, exit_status: int | None) -> None:
        task.status = task.desired = "STOPPED"
        task.exit_status = exit_status
        task.stop_code = task.stop_code or "EssentialContainerExited"
        task.times["stoppedAt"] = time.time()
        task.is_over.set()


def _free_port() -> int:
    """A port that is free now. Another process could take it first; nothing here is that busy."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
