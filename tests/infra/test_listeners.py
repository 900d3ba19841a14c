"""No web page reaches the local stack: each of its real listening sockets is asked as a page would ask."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

import simulator
from infra.local.stack import LocalStack, Options
from tests import dialect

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

KEY = "AIza-the-developers-own"
EVIL = {"Origin": "https://evil.example"}
REBOUND = {"Host": "evil.example:8787"}
UNSIGNED: dict[str, str] = {}
READ_KEY = {
    "X-Amz-Target": "AmazonSSM.GetParameter",
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ssm/aws4_request, Signature=0",
}
BODY = json.dumps({"Name": "/vivavoce/gemini-api-key", "WithDecryption": True})

#: what a page may send: method, path, headers, and whether the page is this machine's to be told apart by
ASKED = [
    *(("GET", path, headers) for path in (
        "/", "/moto-api/data.json", "/dev/session.json", "/config.json", "/dev/record.json?session=x",
        "/_control/ledger", "/_control/state", "/2018-06-01/runtime/invocation/next",
    ) for headers in (EVIL, REBOUND)),
    *(("POST", path, headers | {"Content-Type": "text/plain"}) for path in (
        "/", "/moto-api/reset", "/_control/fault", "/dev/break/relay?session=x", "/dev/break/drain",
        "/2015-03-31/functions/vivavoce-local-mint/invocations", "/v1/@connections/x",
        "/v1beta/auth_tokens?key=x",
    ) for headers in (EVIL, REBOUND)),
    *(("POST", "/", READ_KEY | headers) for headers in (EVIL, REBOUND, UNSIGNED)),
    ("OPTIONS", "/", EVIL | {"Access-Control-Request-Method": "POST"}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """Workers live on between the tests of this file, and the schedule may start one at any time."""


def listening(process: int) -> Iterator[tuple[str, int]]:
    """(address, port) of every TCP socket on which this process or one below it listens."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = path.joinpath("stat").read_text()
        except OSError:
            continue  # it ended meanwhile
        parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
    family, found = set[int](), {process}
    while found:  # a child's number may be lower than its parent's, once numbers have gone round
        family |= found
        found = {child for child, parent in parents.items() if parent in family} - family
    inodes = set()
    for each in family:
        for link in Path(f"/proc/{each}/fd").glob("*"):
            try:
                inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
    for line in [line for table in tables for line in table.read_text().splitlines()[1:]]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            address, _, port = fields[1].partition(":")
            yield address, int(port, 16)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[LocalStack]:
    async with (
        simulator.serve() as model,
        LocalStack(Options(gemini_url=model.url, gemini_key=KEY, parameters=dialect.parameters())) as running,
        aiohttp.ClientSession() as http,
    ):
        protocols = ["vivavoce", f"vivavoce.jwt.{running.user().token()}"]
        async with http.ws_connect(running.urls.control, protocols=protocols) as control:
            await control.send_json({"type": "start", "request": "r1", "versions": [1], "agent": "assistant"})
            while (await control.receive_json())["type"] != "ready":
                pass  # then there are workers, each with its Runtime API, and a relay
            yield running


async def test_no_listener_answers_a_page_of_another_site(stack: LocalStack) -> None:
    ports = sorted(set(listening(os.getpid())))
    assert {address for address, _ in ports} == {"0100007F"}, "all are on loopback"
    known = {
        stack.urls.page,
        stack.region.default_url,
        stack.connections_url,
        *stack.region.endpoints.values(),
    }
    found = {port for _, port in ports}
    assert {int(url.split(":")[2].split("/")[0]) for url in known} <= found
    assert len(ports) >= 9, "page, gateway, edge, moto, Lambda, ECS, connections, simulator, workers, relay"
    answered = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as http:
        for _, port in ports:
            for method, path, headers in ASKED:
                told = await _ask(http, method, f"http://127.0.0.1:{port}{path}", headers)
                if told:
                    answered.append((port, method, path, headers, told))
    assert answered == []


async def _ask(http: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str]) -> str:
    """What was given away; "" for a refusal."""
    try:
        async with http.request(
            method, url, headers=headers, data=BODY if method == "POST" else None
        ) as answer:
            text = await answer.text()
            allows = answer.headers.get("Access-Control-Allow-Origin", "")
            is_refused = answer.status >= 400 and not allows and KEY not in text
            return "" if is_refused else f"{answer.status} {allows} {text[:80]}"
    except aiohttp.ClientConnectionError:
        return ""
    except TimeoutError:
        return "it waits, as if for an event"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin"])
async def test_a_page_takes_no_event_away_by_a_get_that_has_no_origin(stack: LocalStack, site: str) -> None:
    """An `<img>` sends neither Origin nor a foreign Host; that a page sent it is in Sec-Fetch-Site alone."""
    headers, path = {"Sec-Fetch-Site": site}, "/2018-06-01/runtime/invocation/next"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as http:
        for _, port in sorted(set(listening(os.getpid()))):
            assert await _ask(http, "GET", f"http://127.0.0.1:{port}{path}", headers) == ""


async def test_the_gateway_opens_for_no_rebound_name_even_with_a_good_token(stack: LocalStack) -> None:
    protocols = ["vivavoce", f"vivavoce.jwt.{stack.user().token()}"]
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(stack.urls.control, protocols=protocols, headers=REBOUND)
    assert refused.value.status == 403


async def test_what_belongs_here_is_answered(stack: LocalStack) -> None:
    ssm = stack.client("ssm")
    kept = await asyncio.to_thread(ssm.get_parameter, Name="/vivavoce/gemini-api-key", WithDecryption=True)
    assert kept["Parameter"]["Value"] == KEY
