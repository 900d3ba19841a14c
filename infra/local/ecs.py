"""The four ECS calls that start, watch and stop relays; a task is a real process on this machine.

Source: botocore's ECS model (JSON 1.1); idempotency as documented for RunTask's clientToken.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from infra.local.endpoint import AwsError
from infra.local.tasks import RelayTask, Tasks

TOKEN_CHARACTERS = 64
OVERRIDES_CHARACTERS = 8192

Call = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def ecs_app(tasks: Tasks, guard: Middleware) -> web.Application:
    """The ECS API over `tasks`."""
    calls = Ecs(tasks).calls()
    app = web.Application(middlewares=[guard])

    async def dispatch(request: web.Request) -> web.Response:
        name = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        call = calls.get(name)
        if call is None:
            raise AwsError(400, "UnsupportedFeatureException", f"{name} is not emulated")
        answer = json.dumps(await call(json.loads(await request.read())))
        return web.Response(text=answer, content_type="application/x-amz-json-1.1")

    app.router.add_post("/", dispatch)
    return app


class Ecs:
    """RunTask, StopTask, DescribeTasks, ListTasks for the one cluster and task definition."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self._by_token: dict[str, tuple[str, list[RelayTask]]] = {}

    def calls(self) -> dict[str, Call]:
        """The calls by the name that the X-Amz-Target header has."""
        return {
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            "DescribeTasks": self.describe_tasks,
            "ListTasks": self.list_tasks,
        }

    async def run_task(self, request: dict[str, Any]) -> dict[str, Any]:
        """Starts `count` tasks. The same clientToken with the same parameters starts nothing new."""
        self._check_cluster(request)
        token = request.get("clientToken", "")
        asked = json.dumps(request, sort_keys=True)
        if len(token) > TOKEN_CHARACTERS:
            raise _invalid(f"clientToken is longer than {TOKEN_CHARACTERS} characters")
        if token in self._by_token:
            before, started = self._by_token[token]
            if before != asked:
                raise AwsError(400, "ConflictException", "The clientToken was used with other parameters")
        else:
            started = self._start(request)
            if token:
                self._by_token[token] = (asked, started)
        return {"tasks": [task.describe() for task in started], "failures": []}

    async def stop_task(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sends SIGTERM, and SIGKILL after the task definition's stopTimeout."""
        self._check_cluster(request)
        task = self.tasks.find(str(request["task"]))
        if task is None:
            raise _invalid("The referenced task was not found.")
        task.stop(str(request.get("reason", "")))
        return {"task": task.describe()}

    async def describe_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describes the tasks that are known; the others are failures with the reason MISSING."""
        self._check_cluster(request)
        found, missing = [], []
        for name in request["tasks"]:
            task = self.tasks.find(str(name))
            if task:
                found.append(task.describe())
            else:
                missing.append({"arn": name, "reason": "MISSING"})
        return {"tasks": found, "failures": missing}

    async def list_tasks(self, request: dict[str, Any]) -> dict[str, Any]:
        """The tasks of a desired status, RUNNING unless the request says otherwise; one page."""
        self._check_cluster(request)
        wanted = request.get("desiredStatus", "RUNNING")
        started_by = request.get("startedBy")
        arns = [
            task.arn
            for task in self.tasks.all
            if task.desired == wanted and started_by in (None, task.started_by)
        ]
        return {"taskArns": arns}

    def _start(self, request: dict[str, Any]) -> list[RelayTask]:
        definition = self.tasks.definition
        family = definition.arn.rpartition("/")[2].rpartition(":")[0]
        names = (definition.arn, definition.arn.rpartition("/")[2], family)
        if request.get("taskDefinition") not in names:
            raise AwsError(400, "ClientException", "Unable to find task definition.")
        if "launchType" in request and "capacityProviderStrategy" in request:
            raise _invalid("launchType and capacityProviderStrategy exclude each other")
        if "networkConfiguration" not in request:
            raise _invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        count = int(request.get("count", 1))
        if not 1 <= count <= 10:
            raise _invalid("count is not between 1 and 10")
        environment = self._overrides(request.get("overrides", {}))
        return [self.tasks.start(environment, str(request.get("startedBy", ""))) for _ in range(count)]

    def _overrides(self, overrides: dict[str, Any]) -> dict[str, str]:
        if len(json.dumps(overrides)) > OVERRIDES_CHARACTERS:
            raise _invalid(f"overrides are longer than {OVERRIDES_CHARACTERS} characters")
        environment: dict[str, str] = {}
        for container in overrides.get("containerOverrides", ()):
            if container.get("name") != self.tasks.definition.container:
                raise _invalid("Override for container that is not in the task definition")
            environment |= {pair["name"]: pair["value"] for pair in container.get("environment", ())}
        return environment

    def _check_cluster(self, request: dict[str, Any]) -> None:
        name = str(request.get("cluster", "default")).rpartition("/")[2]
        if name != self.tasks.definition.cluster:
            raise AwsError(400, "ClusterNotFoundException", "Cluster not found.")


def _invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)
