"""RunTask and its kin through boto3, with real processes as tasks."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.ecs import ecs_app
from infra.local.endpoint import Endpoint, listen, signed_only
from infra.local.logs import Logs
from infra.local.process import machine_environment
from infra.local.region import Region
from infra.local.tasks import RelayTask, Tasks
from infra.local.template import Task

FIXTURES = Path(__file__).parent / "fixtures"
TASK = Task(
    arn="arn:aws:ecs:us-east-1:000000000000:task-definition/viva-relay:1",
    cluster="viva-Cluster",
    container="relay",
    command=("python", "-m", "sleeper"),
    environment={"RELAY_HOST": "0.0.0.0", "RELAY_PORT": "8080", "TABLE_NAME": "t"},
    stop_timeout_s=120,
)
RUN = {
    "cluster": "viva-Cluster",
    "taskDefinition": TASK.arn,
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
}


class Ecs:
    """boto3's ECS client, awaitable, and the tasks behind it."""

    def __init__(self, client: Any, tasks: Tasks, logs: Logs) -> None:
        self.client = client
        self.tasks = tasks
        self.logs = logs

    async def call(self, name: str, **given: Any) -> Any:
        return await asyncio.to_thread(getattr(self.client, name), **given)

    async def refused(self, name: str, **given: Any) -> str:
        with pytest.raises(ClientError) as refusal:
            await self.call(name, **given)
        return str(refusal.value.response["Error"]["Code"])

    async def printed(self, text: str) -> str:
        """The first line with `text` in it, as soon as a task has printed one."""
        found = asyncio.get_running_loop().create_future()
        self.logs.watchers.append(
            lambda line: found.set_result(line.text) if text in line.text and not found.done() else None
        )
        before = [line.text for line in self.logs.lines if text in line.text]
        return before[0] if before else str(await found)

    async def ended(self, task: RelayTask) -> None:
        """Returns when the task is STOPPED."""
        await task.is_over.wait()


@asynccontextmanager
async def ecs(definition: Task = TASK, *, start_delay_s: float = 0.0) -> AsyncIterator[Ecs]:
    logs = Logs(None)
    environment = machine_environment(FIXTURES)
    running = Tasks(definition, environment, FIXTURES, logs.sink, start_delay_s=lambda: start_delay_s)
    async with running as tasks, Endpoint(ecs_app(tasks, signed_only("KEY")), listen()) as endpoint:
        client = Region("us-east-1", "", {"ecs": endpoint.url}, "KEY").client("ecs")
        yield Ecs(client, tasks, logs)
        client.close()


async def test_a_task_runs_with_its_definitions_environment_the_overrides_and_a_place_to_listen() -> None:
    override = {"name": "relay", "environment": [{"name": "RELAY_ID", "value": "r1"}]}
    async with ecs() as e:
        answer = await e.call("run_task", **RUN, overrides={"containerOverrides": [override]})
        assert answer["failures"] == []
        (told,) = answer["tasks"]
        assert told["taskDefinitionArn"] == TASK.arn
        environment = json.loads(await e.printed('"RELAY_ID"'))
    assert environment["RELAY_ID"] == "r1"
    assert environment["TABLE_NAME"] == "t"
    assert environment["RELAY_HOST"] == "127.0.0.1"
    assert environment["RELAY_ADDRESS"] == f"127.0.0.1:{environment['RELAY_PORT']}"
    assert environment["RELAY_PORT"] != "8080"


async def test_the_same_client_token_and_parameters_start_nothing_new() -> None:
    async with ecs() as e:
        first = await e.call("run_task", **RUN, clientToken="t1")
        second = await e.call("run_task", **RUN, clientToken="t1")
        assert first["tasks"][0]["taskArn"] == second["tasks"][0]["taskArn"]
        assert len(e.tasks.all) == 1
        await e.call("run_task", **RUN, clientToken="t2")
        await e.call("run_task", **RUN)
        assert len(e.tasks.all) == 3


async def test_a_client_token_with_other_parameters_is_a_conflict() -> None:
    async with ecs() as e:
        await e.call("run_task", **RUN, clientToken="t1")
        assert await e.refused("run_task", **RUN, clientToken="t1", startedBy="x") == "ConflictException"
        assert len(e.tasks.all) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cluster": "other"}, "ClusterNotFoundException"),
        ({"taskDefinition": "other"}, "ClientException"),
        ({"clientToken": "x" * 65}, "InvalidParameterException"),
        ({"count": 11}, "InvalidParameterException"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}, "InvalidParameterException"),
        ({"overrides": {"containerOverrides": [{"name": "no"}]}}, "InvalidParameterException"),
        (
            {
                "overrides": {
                    "containerOverrides": [
                        {"name": "relay", "environment": [{"name": "A", "value": "x" * 8192}]}
                    ]
                }
            },
            "InvalidParameterException",
        ),
    ],
)
async def test_run_task_refuses_what_ecs_refuses(change: dict[str, Any], code: str) -> None:
    async with ecs() as e:
        assert await e.refused("run_task", **{**RUN, **change}) == code
        assert e.tasks.all == []


async def test_a_task_without_a_network_is_refused() -> None:
    async with ecs() as e:
        given = {name: value for name, value in RUN.items() if name != "networkConfiguration"}
        assert await e.refused("run_task", **given) == "InvalidParameterException"


async def test_stop_task_sends_sigterm_and_the_task_may_take_its_time() -> None:
    async with ecs() as e:
        (told,) = (await e.call("run_task", **RUN))["tasks"]
        await e.printed("RELAY_HOST")
        answer = await e.call("stop_task", cluster="viva-Cluster", task=told["taskArn"], reason="r")
        assert answer["task"]["desiredStatus"] == "STOPPED"
        await e.printed("got SIGTERM")
        await e.ended(e.tasks.all[0])
        answer = await e.call("describe_tasks", cluster="viva-Cluster", tasks=[told["taskArn"], "gone"])
    (task,) = answer["tasks"]
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "UserInitiated")
    assert task["containers"][0]["exitCode"] == 0
    assert answer["failures"] == [{"arn": "gone", "reason": "MISSING"}]


async def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout() -> None:
    stubborn = {**TASK.environment, "STUBBORN": "1"}
    async with ecs(replace(TASK, stop_timeout_s=0.2, environment=stubborn)) as e:
        (told,) = (await e.call("run_task", **RUN))["tasks"]
        await e.printed("RELAY_HOST")
        await e.call("stop_task", cluster="viva-Cluster", task=told["taskArn"])
        await e.ended(e.tasks.all[0])
        assert e.tasks.all[0].exit_status == -9


async def test_a_task_that_ends_by_itself_is_stopped() -> None:
    async with ecs(replace(TASK, environment={"LEAVE": "3"})) as e:
        await e.call("run_task", **RUN)
        await e.ended(e.tasks.all[0])
        listed = await e.call("list_tasks", cluster="viva-Cluster")
        stopped = await e.call("list_tasks", cluster="viva-Cluster", desiredStatus="STOPPED")
    task = e.tasks.all[0]
    assert (task.status, task.exit_status, task.stop_code) == ("STOPPED", 3, "EssentialContainerExited")
    assert listed["taskArns"] == []
    assert stopped["taskArns"] == [task.arn]


async def test_a_cold_start_keeps_a_task_provisioning_and_it_can_be_stopped_meanwhile() -> None:
    async with ecs(start_delay_s=3600) as e:
        (told,) = (await e.call("run_task", **RUN))["tasks"]
        assert told["lastStatus"] == "PROVISIONING"
        await e.call("stop_task", cluster="viva-Cluster", task=told["taskArn"])
        await e.ended(e.tasks.all[0])
        assert e.tasks.all[0].process_id is None


@pytest.mark.parametrize("is_stopping", [False, True])
async def test_tasks_end_with_the_stack_and_leave_no_process(is_stopping: bool) -> None:
    stubborn = {**TASK.environment, "STUBBORN": "1"}
    async with ecs(replace(TASK, environment=stubborn)) as e:
        await e.call("run_task", **RUN, count=2)
        for task in e.tasks.all:
            await task.is_running.wait()
        await e.printed("RELAY_HOST")
        if is_stopping:
            await e.call("stop_task", cluster="viva-Cluster", task=e.tasks.all[0].arn)
        ids = [task.process_id for task in e.tasks.all]
    for id in ids:
        assert id is not None
        with pytest.raises(ProcessLookupError):
            os.kill(id, 0)
