"""The whole local stack from the real template, with stand-ins for functions and relay."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from infra.local.process import machine_environment
from infra.local.stack import LocalStack, Options
from infra.local.template import read_template
from records import start_times
from records.routes import sign_route
from records.table import Table
from tests.infra.stand_ins import children

FIXTURES = Path(__file__).parent / "fixtures"
TEMPLATE = FIXTURES.parents[2] / "template.yaml"
GEMINI_KEY = "canary-gemini-key"

pytestmark = pytest.mark.asyncio(loop_scope="module")


def options(directory: Path, **more: Any) -> Options:
    """The real template, but for the modules that are run."""
    template = directory / "template.yaml"
    text = TEMPLATE.read_text().replace("Handler: functions.", "Handler: lambdas.")
    template.write_text(text.replace("[python, -m, relay]", "[python, -m, echo_relay]"))
    return Options(template=template, root=FIXTURES, gemini_key=GEMINI_KEY, **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    given = options(
        directory, gemini_url="http://127.0.0.1:9", log_directory=directory / "logs", schedule_speed=20
    )
    before = children()
    async with LocalStack(given) as running:
        yield running
    assert children() <= before, "a process outlived the stack"
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task outlived the stack"


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """Workers live on between the tests of this file; the `stack` fixture looks for them at its end."""


async def ask(client: ClientConnection, do: str, **more: Any) -> Any:
    """What the stand-in session function answers through @connections."""
    await client.send(json.dumps({"type": "start", "do": do, **more}))
    async with asyncio.timeout(20):
        return json.loads(await client.recv())


async def line(stack: LocalStack, text: str) -> str:
    """The first log line with `text`, as soon as there is one."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stack.logs.watchers.append(
        lambda line: found.set_result(line.text) if text in line.text and not found.done() else None
    )
    before = [line.text for line in stack.logs.lines if text in line.text]
    async with asyncio.timeout(20):
        return before[0] if before else await found


async def test_a_message_goes_through_gateway_and_function_and_comes_back_by_connections(
    stack: LocalStack,
) -> None:
    async with connect(stack.urls.control, subprotocols=["vivavoce", "vivavoce.jwt.x"]) as client:
        assert client.subprotocol == "vivavoce"
        assert await ask(client, "echo", n=1) == {"type": "start", "do": "echo", "n": 1}
        (id,) = stack.gateway.connections
        await line(stack, '"routeKey": "start"')
    entry = next(each for each in stack.invocations if each.connection_id == id and each.route_key == "start")
    assert entry.function == "vivavoce-local-session"
    assert entry.status == "ok"
    assert len(entry.request_id) == 36


async def test_the_first_caller_is_told_of_seconds_and_not_of_the_half_minute_of_fargate(
    stack: LocalStack,
) -> None:
    table, now = Table(stack.client("dynamodb"), stack.table), int(time.time())
    assert await asyncio.to_thread(start_times.eta_ms, table, "fargate", now, now) == 2_000


async def test_a_refused_connect_gives_its_status_through_the_real_runtime(stack: LocalStack) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(stack.urls.control + "?refuse=401"):
            pass
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("do", ["fail", "leave"])
async def test_a_function_that_fails_or_dies_is_an_internal_server_error(stack: LocalStack, do: str) -> None:
    async with connect(stack.urls.control) as client:
        assert (await ask(client, do))["message"] == "Internal server error"
        assert await ask(client, "echo") == {"type": "start", "do": "echo"}


async def test_a_function_has_the_templates_settings_the_regions_and_no_others(stack: LocalStack) -> None:
    async with connect(stack.urls.control) as client:
        environment = await ask(client, "environment")
    template = stack.template.functions["vivavoce-local-session"].environment
    region = stack.region.environment()
    assert template.items() <= environment.items()
    assert region.items() <= environment.items()
    rest = environment.keys() - template.keys() - region.keys() - machine_environment(FIXTURES).keys()
    assert {name for name in rest if not name.startswith(("AWS_LAMBDA_", "LAMBDA_"))} <= {
        "_HANDLER",
        "AWS_EXECUTION_ENV",
        "LC_CTYPE",
    }
    assert environment["CONNECTIONS_URL"].startswith("http://127.0.0.1:")
    assert environment["MEDIA_URL"] == stack.urls.media


async def test_what_is_laid_over_the_template_reaches_functions_and_relays_apart(tmp_path: Path) -> None:
    sides = {"function_environment": {"SIDE": "function"}, "relay_environment": {"SIDE": "relay"}}
    async with LocalStack(options(tmp_path, gemini_url="http://127.0.0.1:9", **sides)) as apart:
        async with connect(apart.urls.control) as client:
            assert (await ask(client, "environment"))["SIDE"] == "function"
        assert apart.tasks.definition.environment["SIDE"] == "relay"
        assert "SIDE" not in apart.template.task.environment


async def test_a_function_reads_its_parameter_and_invokes_another(stack: LocalStack) -> None:
    async with connect(stack.urls.control) as client:
        assert (await ask(client, "parameter"))["value"] == stack.secrets.route
        answer = await ask(client, "mint", function="vivavoce-local-mint", n=4)
        assert answer == {"error": None, "payload": {"twice": 8}}
        assert (await ask(client, "mint", function="vivavoce-local-mint", n=None))["error"] == "Unhandled"


async def test_a_function_starts_a_relay_that_a_client_reaches_through_the_edge(stack: LocalStack) -> None:
    async with connect(stack.urls.control) as client:
        task = (await ask(client, "relay", relay="r1"))["task"]
        assert (await ask(client, "relay", relay="r1"))["task"] == task, "one task for one client token"
    ready = json.loads(await line(stack, '{"ready"'))["ready"]
    assert {"RELAY_ID", "RELAY_ADDRESS", "MINT_FUNCTION", "SESSION_FUNCTION", "GEMINI_URL"} <= set(ready)
    dynamodb = stack.client("dynamodb")
    items = (await asyncio.to_thread(dynamodb.scan, TableName=stack.table))["Items"]
    (item,) = [item for item in items if "address" in item]
    path = sign_route(stack.secrets.route.encode(), "s1", item["address"]["S"], int(time.time()) + 60)
    async with connect(stack.urls.media + path) as media:
        await media.send(b"\x01" * 648)
        assert await media.recv() == b"\x01" * 648
    stop = stack.client("ecs").stop_task
    await asyncio.to_thread(stop, cluster=stack.template.task.cluster, task=task)
    assert await line(stack, "ended by SIGTERM")


async def test_the_templates_schedule_calls_its_function(stack: LocalStack) -> None:
    assert json.loads(await line(stack, "Scheduled Event")) == {"swept_because_of": "Scheduled Event"}


async def test_the_templates_table_is_there_and_forgets(stack: LocalStack) -> None:
    dynamodb = stack.client("dynamodb")
    answer = await asyncio.to_thread(dynamodb.describe_table, TableName=stack.table)
    keys = {pair["AttributeName"]: pair["KeyType"] for pair in answer["Table"]["KeySchema"]}
    assert keys == {"PK": "HASH", "SK": "RANGE"}
    assert [index["IndexName"] for index in answer["Table"]["GlobalSecondaryIndexes"]] == ["GSI1"]
    expiry = await asyncio.to_thread(dynamodb.describe_time_to_live, TableName=stack.table)
    told = expiry["TimeToLiveDescription"]
    assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}


async def test_the_page_gives_a_token_that_connect_can_verify(stack: LocalStack) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{stack.urls.page}/dev/session.json") as answer:
        session = await answer.json()
    assert session["url"] == stack.urls.control
    ssm = stack.client("ssm")
    name = stack.template.functions["vivavoce-local-session"].environment["JWT_SECRET_PARAMETER"]
    kept = await asyncio.to_thread(ssm.get_parameter, Name=name, WithDecryption=True)
    assert jwt.decode(session["token"], kept["Parameter"]["Value"], algorithms=["HS256"])["sub"]


async def test_gemini_is_where_the_options_say_and_its_key_is_in_ssm_only(stack: LocalStack) -> None:
    mint = stack.template.functions["vivavoce-local-mint"].environment
    assert mint["GEMINI_URL"] == stack.template.task.environment["GEMINI_URL"] == "http://127.0.0.1:9"
    ssm = stack.client("ssm")
    name = mint["GEMINI_KEY_PARAMETER"]
    kept = await asyncio.to_thread(ssm.get_parameter, Name=name, WithDecryption=True)
    assert (kept["Parameter"]["Type"], kept["Parameter"]["Value"]) == ("SecureString", GEMINI_KEY)


async def test_no_secret_is_printed_or_shown(stack: LocalStack) -> None:
    assert stack.options.log_directory
    files = "".join(path.read_text() for path in stack.options.log_directory.iterdir())
    for secret in (GEMINI_KEY, stack.secrets.jwt, stack.secrets.route):
        assert secret not in files + stack.logs.text() + repr(stack.secrets) + repr(stack.options)


async def test_a_taken_port_is_an_error_and_leaves_nothing(stack: LocalStack, tmp_path: Path) -> None:
    taken = int(stack.urls.page.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        async with LocalStack(options(tmp_path, port=taken)):
            pass


async def test_only_this_machines_stack_admits_any_page_of_this_machine(stack: LocalStack) -> None:
    allowed = stack.template.functions["vivavoce-local-session"].environment["ALLOWED_ORIGINS"].split(",")
    assert "http://localhost:*" in allowed and "http://127.0.0.1:*" in allowed
    deployed = read_template(TEMPLATE, {"ServePage": "false"}, stack="s")
    assert "ALLOWED_ORIGINS" not in deployed.functions["s-session"].environment, "deployment.yaml says"
    assert ":*" not in deployed.functions["s-session"].environment["PAGE_ORIGINS"]
