"""Lambda on this machine: the real runtime client in real processes, and the Invoke API over them."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.endpoint import Endpoint, listen, signed_only
from infra.local.functions import Functions, Pool, UnknownFunction
from infra.local.invocation import InvocationLog
from infra.local.lambda_api import lambda_app
from infra.local.logs import Logs
from infra.local.process import machine_environment
from infra.local.region import Region
from infra.local.template import Function
from infra.local.worker import Site

FIXTURES = Path(__file__).parent / "fixtures"


class Room:
    """The functions under test, with their logs."""

    def __init__(self, functions: Functions, logs: Logs) -> None:
        self.functions = functions
        self.logs = logs

    async def run(self, event: Any, function: str = "probe") -> tuple[str, Any]:
        """Status and parsed payload of one invocation."""
        outcome = await self.functions.invoke(function, event)
        return outcome.status, json.loads(outcome.payload)

    async def line(self, text: str) -> None:
        """Returns when a worker has printed `text`."""
        printed = asyncio.Event()
        self.logs.watchers.append(lambda line: printed.set() if text in line.text else None)
        if text not in self.logs.text():
            await printed.wait()


@asynccontextmanager
async def room(
    *, timeout_s: float = 10.0, workers: int = 3, environment: dict[str, str] | None = None
) -> AsyncIterator[Room]:
    logs = Logs(None)
    common = machine_environment(FIXTURES) | (environment or {})
    pools = {}
    for name in ("probe", "broken"):
        function = Function(name, f"lambdas.{name}.handler", 512, timeout_s, {"SETTING": "1"})
        own = {**common, **function.environment}
        site = Site(function, own, FIXTURES, "eu-west-1", "000000000000", logs.sink(name))
        pools[name] = Pool(site, workers)
    async with Functions(pools, InvocationLog(logs.sink("invocations"))) as functions:
        yield Room(functions, logs)


async def test_a_function_gets_its_event_and_lambdas_context() -> None:
    async with room() as r:
        assert await r.run({"x": [1, "ü"]}) == ("ok", {"x": [1, "ü"]})
        status, context = await r.run({"do": "context"})
    assert status == "ok"
    assert context["name"] == "probe"
    assert context["arn"] == "arn:aws:lambda:eu-west-1:000000000000:function:probe"
    assert context["memory"] == "512"
    assert 8_000 < context["left_ms"] <= 10_000
    assert context["request_id"] == r.functions.log.entries[-1].request_id


async def test_a_worker_gets_the_templates_environment_and_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_PRIVATE_KEY", "canary")
    async with room(environment={"AWS_REGION": "eu-west-1"}) as r:
        _, environment = await r.run({"do": "environment"})
    assert "canary" not in json.dumps(environment)
    reserved = {name for name in environment if name.startswith(("AWS_LAMBDA_", "LAMBDA_", "_HANDLER"))}
    machine = {*machine_environment(FIXTURES), "AWS_REGION", "AWS_EXECUTION_ENV", "LC_CTYPE"}
    assert environment.keys() - reserved - machine == {"SETTING"}
    assert environment["_HANDLER"] == "lambdas.probe.handler"
    assert environment["LAMBDA_TASK_ROOT"] == str(FIXTURES)


async def test_a_warm_worker_is_used_again_and_takes_one_event_at_a_time(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with room() as r:
        _, first = await r.run({"do": "identity"})
        _, second = await r.run({"do": "identity"})
        assert (second["pid"], second["invocations"]) == (first["pid"], 2)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(r.run({"do": "wait", "for": str(gate)}))
            await r.line("waiting")
            _, third = await r.run({"do": "identity"})
            gate.touch()
        assert third["pid"] != first["pid"]
        assert waiting.result() == ("ok", {"waited": True})


async def test_no_more_workers_than_the_limit_are_started() -> None:
    async with room(workers=2) as r:
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(r.run({"do": "identity"})) for _ in range(12)]
        assert len({run.result()[1]["pid"] for run in runs}) <= 2


async def test_a_handlers_exception_is_lambdas_error_payload() -> None:
    async with room() as r:
        status, error = await r.run({"do": "fail"})
        assert (status, error["errorType"], error["errorMessage"]) == (
            "error",
            "KeyError",
            "'a secret detail'",
        )
        _, after = await r.run({"do": "identity"})
        assert after["invocations"] == 2, "the worker lives on, as on Lambda"


async def test_a_timeout_kills_the_worker_and_the_next_event_gets_a_new_one(tmp_path: Path) -> None:
    async with room(timeout_s=0.5) as r:
        _, first = await r.run({"do": "identity"})
        status, error = await r.run({"do": "wait", "for": str(tmp_path / "never")})
        assert (status, error["errorType"]) == ("timeout", "Sandbox.Timedout")
        assert error["errorMessage"].endswith("Task timed out after 0.50 seconds")
        with pytest.raises(ProcessLookupError):
            os.kill(first["pid"], 0)
        _, second = await r.run({"do": "identity"})
        assert second["pid"] != first["pid"]


async def test_a_worker_that_ends_is_an_error_and_is_replaced() -> None:
    async with room() as r:
        status, error = await r.run({"do": "exit"})
        assert (status, error["errorType"]) == ("exit", "Runtime.ExitError")
        assert "exit status 7" in error["errorMessage"]
        assert (await r.run({"a": 1})) == ("ok", {"a": 1})


async def test_an_idle_worker_that_was_killed_is_replaced() -> None:
    async with room() as r:
        _, first = await r.run({"do": "identity"})
        os.kill(first["pid"], signal.SIGKILL)
        # Whether its end is noticed before or during the next event, one more event is enough.
        statuses = [(await r.run({"do": "identity"}))[0] for _ in range(2)]
        assert statuses[1] == "ok"


async def test_a_module_that_cannot_be_imported_is_an_init_error() -> None:
    async with room() as r:
        status, error = await r.run({}, "broken")
    assert (status, error["errorType"], error["errorMessage"]) == (
        "init",
        "RuntimeError",
        "broken on purpose",
    )


async def test_what_a_function_prints_is_found_in_its_log_line_by_line() -> None:
    async with room() as r:
        await r.run({"do": "print", "text": "needle"})
        await r.line("needle")
        await r.run({})
        printed = [line.text for line in r.logs.lines if line.source == "probe" and "needle" in line.text]
    assert printed.count("needle") == 2
    assert any(json.loads(text).get("level") == "WARNING" for text in printed if text.startswith("{"))


async def test_the_invocation_log_has_ids_and_times_but_no_content() -> None:
    context = {"routeKey": "start", "connectionId": "c=", "identity": {"sourceIp": "1.2.3.4"}}
    event = {"requestContext": context, "body": "canary", "headers": {"Authorization": "canary"}}
    async with room() as r:
        await r.run(event)
        entry = r.functions.log.entries[-1]
        (text,) = (line.text for line in r.logs.lines if line.source == "invocations")
    assert (entry.function, entry.route_key, entry.connection_id, entry.status) == (
        "probe",
        "start",
        "c=",
        "ok",
    )
    line = json.loads(text)
    ids, times = {"function", "requestId", "routeKey", "connectionId"}, {"duration_ms", "init_ms"}
    assert line.keys() == ids | times | {"status"}
    assert "canary" not in text
    assert "1.2.3.4" not in text


async def test_a_caller_that_stops_waiting_does_not_stop_the_function(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with room(workers=1) as r:
        caller = asyncio.create_task(r.run({"do": "wait", "for": str(gate)}))
        await r.line("waiting")
        caller.cancel()
        gate.touch()
        _, after = await r.run({"do": "identity"})  # waits for the only worker
        assert after["invocations"] == 2
        assert [entry.status for entry in r.functions.log.entries] == ["ok", "ok"]


async def test_an_unknown_function_is_an_error() -> None:
    async with room() as r:
        with pytest.raises(UnknownFunction):
            await r.run({}, "nobody")


# ---- the Invoke API, through boto3


@asynccontextmanager
async def api() -> AsyncIterator[tuple[Any, Room]]:
    async with room() as r, Endpoint(lambda_app(r.functions, signed_only("KEY")), listen()) as endpoint:
        client = Region("eu-west-1", "", {"lambda": endpoint.url}, "KEY").client("lambda")
        yield client, r
        client.close()


async def invoke(client: Any, **given: Any) -> Any:
    return await asyncio.to_thread(client.invoke, **given)


async def test_boto3_invokes_a_function_by_name_and_by_arn() -> None:
    async with api() as (client, _):
        for name in ("probe", "arn:aws:lambda:eu-west-1:000000000000:function:probe", "probe:$LATEST"):
            answer = await invoke(client, FunctionName=name, Payload=b'{"n":1}')
            assert (answer["StatusCode"], json.load(answer["Payload"])) == (200, {"n": 1})
            assert "FunctionError" not in answer


async def test_boto3_sees_a_functions_failure_as_function_error() -> None:
    async with api() as (client, r):
        answer = await invoke(client, FunctionName="probe", Payload=b'{"do":"fail"}')
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert json.load(answer["Payload"])["errorType"] == "KeyError"
        assert answer["ResponseMetadata"]["RequestId"] == r.functions.log.entries[-1].request_id


async def test_boto3_invokes_without_waiting() -> None:
    async with api() as (client, r):
        answer = await invoke(
            client, FunctionName="probe", InvocationType="Event", Payload=b'{"do":"print","text":"later"}'
        )
        assert answer["StatusCode"] == 202
        await r.line("later")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"FunctionName": "nobody", "Payload": b"{}"}, "ResourceNotFoundException"),
        ({"FunctionName": "probe", "Payload": b"{"}, "InvalidRequestContentException"),
        ({"FunctionName": "probe", "Payload": b'"' + b"x" * 7_000_000 + b'"'}, "RequestTooLargeException"),
    ],
)
async def test_boto3_sees_lambdas_own_errors(given: dict[str, Any], code: str) -> None:
    async with api() as (client, _):
        with pytest.raises(ClientError) as refused:
            await invoke(client, **given)
    assert refused.value.response["Error"]["Code"] == code
