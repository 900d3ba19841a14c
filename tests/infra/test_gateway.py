"""API Gateway's documented behaviour, one test for each, on the emulator with stand-in functions.

Sources are in infra/README.md. Times are virtual: ten minutes pass in milliseconds.
"""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from infra.local.gateway import Options
from tests.infra.stand_ins import OpenGateway, RawConnect, refusal, throttled, upgrade

KIB = 1024


# ---- $connect


@pytest.mark.parametrize("status", [401, 403, 418, 429, 500])
async def test_a_refused_connect_gives_its_own_http_status(open_gateway: OpenGateway, status: int) -> None:
    async with open_gateway({"$connect": lambda _: {"statusCode": status}}) as (gateway, functions):
        assert (await refusal(gateway.url))[0] == status
        assert gateway.connections == {}
    assert functions.of("$disconnect") == []


async def test_the_handshake_waits_for_connect(open_gateway: OpenGateway) -> None:
    gate = asyncio.Event()

    async def slow(_: Any) -> dict[str, int]:
        await gate.wait()
        return {"statusCode": 200}

    async with open_gateway({"$connect": slow}) as (gateway, functions), asyncio.TaskGroup() as group:
        opening = group.create_task(connect(gateway.url).__aenter__())
        await functions.wait_for("$connect")
        assert not opening.done()
        assert gateway.connections == {}, "@connections knows it only when it is open"
        gate.set()
        client = await opening
        await client.close()


async def test_a_connect_that_fails_is_502(open_gateway: OpenGateway) -> None:
    async with open_gateway({"$connect": lambda _: 1 / 0}) as (gateway, _):
        assert (await refusal(gateway.url))[0] == 502


@pytest.mark.parametrize("status", [500, 429, 503])
async def test_a_throttled_connect_has_a_status_of_its_own(open_gateway: OpenGateway, status: int) -> None:
    """Lambda did not run it: AWS tells that apart from a function that failed."""
    options = Options(throttled_status=status)
    async with open_gateway({"$connect": throttled}, options=options) as (gateway, _):
        assert (await refusal(gateway.url))[0] == status
    assert Options().throttled_status == 500


async def test_a_throttled_message_is_an_internal_error_and_the_connection_stays(
    open_gateway: OpenGateway,
) -> None:
    async with open_gateway({"start": throttled}) as (gateway, _), connect(gateway.url) as client:
        await client.send('{"type":"start"}')
        assert json.loads(await client.recv())["message"] == "Internal server error"
        assert gateway.connections


@pytest.mark.parametrize("result", [None, "yes", {}, {"statusCode": "many"}, [200]])
async def test_a_connect_without_a_status_is_502(open_gateway: OpenGateway, result: Any) -> None:
    async with open_gateway({"$connect": lambda _: result}) as (gateway, _):
        assert (await refusal(gateway.url))[0] == 502


@pytest.mark.looptime
async def test_a_connect_over_29_seconds_is_504(open_gateway: OpenGateway) -> None:
    async with open_gateway({"$connect": lambda _: asyncio.sleep(60)}) as (gateway, _):
        assert (await refusal(gateway.url, open_timeout=None))[0] == 504
        assert 29 <= asyncio.get_running_loop().time() < 45


async def test_only_what_connect_returns_is_echoed_as_subprotocol(open_gateway: OpenGateway) -> None:
    chosen = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "vivavoce"}}
    offered = ["vivavoce", "vivavoce.jwt.abc"]
    async with (
        open_gateway({"$connect": lambda _: chosen}) as (gateway, _),
        connect(gateway.url, subprotocols=offered) as client,
    ):
        assert client.subprotocol == "vivavoce"
    async with open_gateway() as (gateway, _), connect(gateway.url, subprotocols=offered) as client:
        assert client.subprotocol is None, "a browser would fail this connection, as on AWS"


async def test_another_path_than_the_stages_is_forbidden(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        status, body = await refusal(gateway.url.replace("/v1", "/v2"))
        assert (status, json.loads(body)) == (403, {"message": "Forbidden"})
        assert functions.events == []


async def test_a_request_that_is_no_handshake_never_reaches_connect(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        port = int(gateway.url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upgrade("/v1").replace(b"Sec-WebSocket-Key", b"Sec-Other"))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        await writer.wait_closed()
        assert functions.events == []


async def test_a_client_that_leaves_during_connect_leaves_nothing(open_gateway: OpenGateway) -> None:
    gate = asyncio.Event()

    async def slow(_: Any) -> dict[str, int]:
        await gate.wait()
        return {"statusCode": 200}

    async with open_gateway({"$connect": slow}) as (gateway, functions):
        port = int(gateway.url.split(":")[2].split("/")[0])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upgrade("/v1"))
        await functions.wait_for("$connect")
        writer.transport.abort()
        gate.set()
        async with connect(gateway.url):
            assert len(gateway.connections) == 1


# ---- event shapes

CONTEXT = {
    "routeKey",
    "eventType",
    "extendedRequestId",
    "requestTime",
    "messageDirection",
    "stage",
    "connectedAt",
    "requestTimeEpoch",
    "identity",
    "requestId",
    "domainName",
    "connectionId",
    "apiId",
}


async def test_connect_event_has_headers_in_their_case_and_no_body(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        async with connect(gateway.url, additional_headers={"X-Mixed-Case": "a"}, origin="https://o.example"):
            pass
        (event,) = functions.of("$connect")
    assert event.keys() == {"headers", "multiValueHeaders", "requestContext", "isBase64Encoded"}
    assert event["headers"]["X-Mixed-Case"] == "a"
    assert event["multiValueHeaders"]["X-Mixed-Case"] == ["a"]
    assert event["headers"]["Origin"] == "https://o.example"
    assert {"Host", "Sec-WebSocket-Key", "X-Forwarded-For", "X-Amzn-Trace-Id"} <= event["headers"].keys()
    assert not {"Connection", "Upgrade"} & event["headers"].keys()
    context = event["requestContext"]
    assert context.keys() == CONTEXT
    assert (context["routeKey"], context["eventType"]) == ("$connect", "CONNECT")
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["requestId"] == context["extendedRequestId"]
    assert len(context["connectionId"]) == 16
    assert context["connectionId"].endswith("=")


async def test_connect_event_has_the_query_only_when_there_is_one(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        async with connect(gateway.url + "?a=1&a=2&b="):
            pass
        (event,) = functions.of("$connect")
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}


async def test_message_event_has_neither_headers_nor_query(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        async with connect(gateway.url + "?a=1") as client:
            await client.send('{"type":"start","x":1}')
            (event,) = await functions.wait_for("start")
        (opened,) = functions.of("$connect")
    assert event.keys() == {"requestContext", "body", "isBase64Encoded"}
    assert event["body"] == '{"type":"start","x":1}'
    assert event["requestContext"].keys() == CONTEXT | {"messageId"}
    for same in ("connectionId", "connectedAt", "apiId", "domainName", "identity"):
        assert event["requestContext"][same] == opened["requestContext"][same]
    assert event["requestContext"]["requestId"] != opened["requestContext"]["requestId"]


async def test_disconnect_event_tells_the_clients_code_and_reason(open_gateway: OpenGateway) -> None:
    async with open_gateway() as (gateway, functions):
        client = await connect(gateway.url)
        await client.close(4000, "had enough")
        (event,) = await functions.wait_for("$disconnect")
    assert event.keys() == {"headers", "multiValueHeaders", "requestContext", "isBase64Encoded"}
    assert event["headers"].keys() == {"Host", "x-api-key", "X-Forwarded-For", "x-restapi"}
    extra = {"disconnectStatusCode": 4000, "disconnectReason": "had enough"}
    assert event["requestContext"].keys() == CONTEXT | extra.keys()
    assert extra.items() <= event["requestContext"].items()


async def test_a_close_without_a_status_is_reported_as_1005(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, functions):
        async with raw_connect(gateway) as client:
            await client.frame(8)
            assert await client.received() == (8, b"")
        (event,) = await functions.wait_for("$disconnect")
    told = event["requestContext"]
    assert told["disconnectStatusCode"] == 1005
    assert told["disconnectReason"] == "Client-side close frame status not set"


async def test_a_lost_connection_is_reported_as_1006(
    open_gateway: OpenGateway, raw_connect: RawConnect
) -> None:
    async with open_gateway() as (gateway, functions):
        async with raw_connect(gateway):
            pass
        (event,) = await functions.wait_for("$disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1006


async def test_disconnect_is_best_effort_and_may_never_come(open_gateway: OpenGateway) -> None:
    options = Options(loses_disconnect=True)
    async with open_gateway({}, options) as (gateway, functions):
        async with connect(gateway.url):
            pass
        async with connect(gateway.url) as second:
            await second.send('{"type":"start"}')
            await functions.wait_for("start")
    assert functions.of("$disconnect") == []


# ---- routes


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "",
        "[]",
        "3",
        "null",
        "{}",
        '{"type":null}',
        '{"type":{}}',
        '{"type":"Start"}',
        '{"type":"other"}',
        '{"type":"$connect"}',
        '{"Type":"start"}',
        "[" * 100_000,
    ],
)
async def test_what_selects_no_route_goes_to_default(open_gateway: OpenGateway, body: str) -> None:
    async with open_gateway() as (gateway, functions), connect(gateway.url) as client:
        await client.send([body[i : i + 32 * KIB] for i in range(0, len(body), 32 * KIB)] or "")
        (event,) = await functions.wait_for("$default")
    assert event["body"] == body
    assert len(functions.of("$connect")) == 1


@pytest.mark.parametrize(("value", "key"), [("1", "1"), ("true", "true"), ("1.5", "1.5")])
async def test_a_route_key_that_is_no_string_is_stringified(
    open_gateway: OpenGateway, value: str, key: str
) -> None:
    async with open_gateway({key: lambda _: None}) as (gateway, functions), connect(gateway.url) as client:
        await client.send(f'{{"type":{value}}}')
        assert await functions.wait_for(key)


async def test_without_default_the_client_is_told_forbidden(open_gateway: OpenGateway) -> None:
    async with open_gateway(without=("$default",)) as (gateway, _), connect(gateway.url) as client:
        await client.send("hello")
        told = json.loads(await client.recv())
        assert told.keys() == {"message", "connectionId", "requestId"}
        assert told["message"] == "Forbidden"
        assert told["connectionId"] in gateway.connections


async def test_an_integration_failure_has_the_documented_shape(open_gateway: OpenGateway) -> None:
    async with (
        open_gateway({"start": lambda _: 1 / 0}) as (gateway, functions),
        connect(gateway.url) as client,
    ):
        await client.send('{"type":"start"}')
        told = json.loads(await client.recv())
        (event,) = functions.of("start")
        assert told == {
            "message": "Internal server error",
            "connectionId": event["requestContext"]["connectionId"],
            "requestId": event["requestContext"]["requestId"],
        }
        await client.send("still open")
        await functions.wait_for("$default")


@pytest.mark.looptime
async def test_a_function_over_29_seconds_is_given_up(open_gateway: OpenGateway) -> None:
    async with (
        open_gateway({"start": lambda _: asyncio.sleep(100)}) as (gateway, _),
        connect(gateway.url, ping_interval=None) as client,
    ):
        await client.send('{"type":"start"}')
        assert json.loads(await client.recv())["message"] == "Endpoint request timed out"
        assert asyncio.get_running_loop().time() == pytest.approx(29, abs=1)


async def test_a_result_goes_to_the_client_only_by_a_route_response(open_gateway: OpenGateway) -> None:
    answers = {"start": lambda _: {"statusCode": 200, "body": "for you"}, "$default": lambda _: 1 / 0}
    for replies, first in ((True, "for you"), (False, "Internal server error")):
        async with (
            open_gateway(answers, replies=replies) as (gateway, functions),
            connect(gateway.url) as client,
        ):
            await client.send('{"type":"start"}')
            await functions.wait_for("start")
            await client.send("fail, so that something comes")
            assert first in await client.recv()


async def test_two_slow_messages_of_one_connection_run_concurrently(open_gateway: OpenGateway) -> None:
    everybody = asyncio.Barrier(3)  # two functions and this test

    async def slow(_: Any) -> None:
        await everybody.wait()  # would never pass if the second waited for the first

    async with open_gateway({"start": slow}) as (gateway, functions), connect(gateway.url) as client:
        await client.send('{"type":"start","n":1}')
        await client.send('{"type":"start","n":2}')
        assert len(await functions.wait_for("start", 2)) == 2
        async with asyncio.timeout(5):
            await everybody.wait()


async def test_replies_may_overtake_each_other(open_gateway: OpenGateway) -> None:
    second_done = asyncio.Event()

    async def answer(event: dict[str, Any]) -> dict[str, Any]:
        if "first" in event["body"]:
            await second_done.wait()
        second_done.set()
        return {"statusCode": 200, "body": event["body"]}

    async with (
        open_gateway({"$default": answer}, replies=True) as (gateway, _),
        connect(gateway.url) as client,
    ):
        await client.send("first")
        await client.send("second")
        assert [await client.recv(), await client.recv()] == ["second", "first"]
