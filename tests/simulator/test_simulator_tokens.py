"""Ephemeral tokens: minting over HTTP, uses, windows, locks and masks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from live_client import SETUP, LiveClient, Message, live, socket_to

from simulator import Config, Running, parse, serve

AUDIO = {"responseModalities": ["AUDIO"]}
LOCKED = {"model": "models/gemini-3.8-live", "generationConfig": AUDIO}


def later(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


async def post(running: Running, body: Any, version: str = "v1beta", key: str = "k") -> tuple[int, Message]:
    headers = {"x-goog-api-key": key} if key else {}
    url = f"{running.url}/{version}/auth_tokens"
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as answer:
        return answer.status, await answer.json()


async def mint(running: Running, **body: Any) -> str:
    status, answer = await post(running, body)
    assert status == 200, answer
    assert list(answer) == ["name"], "only the name comes back"
    return str(answer["name"])


async def attempt(running: Running, token: str, setup: Message | None = None) -> tuple[int | None, str]:
    """Connect with the token: (0, lineage) when set up, else the close."""
    async with constrained(running, token) as client:
        await client.send(setup=SETUP if setup is None else setup)
        try:
            first = await client.receive()
        except Exception:
            return await client.closed()
        return 0, first["setupComplete"]["sessionId"]


def constrained(running: Running, token: str) -> Any:
    query = f"?access_token={token.replace('/', '%2F')}"
    return socket_to(running, query, "BidiGenerateContentConstrained")


async def handle_of(client: LiveClient) -> Message:
    return {"sessionResumption": {"handle": await client.handle()}}


async def test_a_token_is_good_for_its_uses(running: Running) -> None:
    token = await mint(running, uses=2)
    assert [(await attempt(running, token))[0] for _ in range(2)] == [0, 0]
    assert await attempt(running, token) == (1011, "Token has been used too many times")


async def test_zero_uses_are_unlimited(running: Running) -> None:
    token = await mint(running, uses=0)
    assert [(await attempt(running, token))[0] for _ in range(3)] == [0, 0, 0]


async def test_a_refused_setup_costs_no_use(running: Running) -> None:
    token = await mint(running, uses=1)
    assert (await attempt(running, token, {"model": "models/none"}))[0] == 1008
    assert (await attempt(running, token))[0] == 0


async def test_resuming_is_free_and_allowed_after_the_window(running: Running) -> None:
    async with live(running) as client:
        resume = {**SETUP, **await handle_of(client)}
    token = await mint(running, uses=1, newSessionExpireTime=later(seconds=-1))
    assert (await attempt(running, token, resume))[0] == 0
    spent = await mint(running, uses=1)
    for setup in (SETUP, resume, resume):
        assert (await attempt(running, spent, setup))[0] == 0


async def test_a_window_stays_open_long_enough_to_connect_in_fast_time() -> None:
    async with serve(Config(time_scale=1000)) as running:
        token = await mint(running, newSessionExpireTime=later(seconds=60))
        assert (await attempt(running, token))[0] == 0


async def test_a_new_session_outside_the_window_is_refused(running: Running) -> None:
    token = await mint(running, newSessionExpireTime=later(seconds=-1))
    assert (await attempt(running, token))[0] == 1011


async def test_an_expired_token_is_refused_even_to_resume(running: Running) -> None:
    async with live(running) as client:
        resume = {**SETUP, **await handle_of(client)}
    token = await mint(running, expireTime=later(seconds=-1))
    assert await attempt(running, token, resume) == (1011, "Token has expired")


async def test_a_full_lock_replaces_the_clients_setup_handle_and_all(running: Running) -> None:
    async with live(running) as client:
        resume = {**SETUP, **await handle_of(client), "model": "models/none"}
    token = await mint(running, bidiGenerateContentSetup=LOCKED)
    assert (await attempt(running, token, resume))[0] == 0
    assert running.ledger.where("session.opened")[-1]["resumed"] is False


async def test_a_lock_that_pins_only_the_model_gets_the_servers_defaults(running: Running) -> None:
    token = await mint(running, bidiGenerateContentSetup={"model": LOCKED["model"]})
    code, reason = await attempt(running, token)
    assert code == 1007 and "(TEXT)" in reason


async def test_a_mask_overwrites_only_what_it_covers(running: Running) -> None:
    async with live(running) as client:
        resume = await handle_of(client)
    locked = {**LOCKED, "systemInstruction": {"parts": [{"text": "locked"}]}}
    token = await mint(
        running, bidiGenerateContentSetup=locked, fieldMask="model,system_instruction.parts", uses=0
    )
    own = {"model": "models/none", "generationConfig": AUDIO, **resume}
    assert (await attempt(running, token, own))[0] == 0
    assert running.ledger.where("session.opened")[-1]["resumed"] is True


async def test_a_mask_on_resumption_locks_the_handle_out(running: Running) -> None:
    async with live(running) as client:
        resume = await handle_of(client)
    locked = {**LOCKED, "sessionResumption": {}}
    token = await mint(running, bidiGenerateContentSetup=locked, fieldMask="model,sessionResumption")
    assert (await attempt(running, token, {**SETUP, **resume}))[0] == 0
    assert running.ledger.where("session.opened")[-1]["resumed"] is False


async def test_a_masked_field_that_the_token_lacks_is_taken_away(running: Running) -> None:
    token = await mint(
        running, bidiGenerateContentSetup=LOCKED, fieldMask="model,generationConfig.thinkingConfig"
    )
    thinking = {**AUDIO, "thinkingConfig": {"thinkingLevel": "LOW"}}
    assert (await attempt(running, token, {**SETUP, "generationConfig": thinking}))[0] == 0


@pytest.mark.parametrize(
    ("rule", "code", "resumed"), [("honour", 0, True), ("ignore", 0, False), ("reject", 1007, None)]
)
async def test_what_a_handle_inside_the_lock_does_is_a_setting(
    rule: str, code: int, resumed: bool | None
) -> None:
    config = Config(time_scale=40, scenario=parse(f"settings: {{locked_handle: {rule}}}"))
    async with serve(config) as running:
        async with live(running) as client:
            resume = await handle_of(client)
        token = await mint(running, bidiGenerateContentSetup={**LOCKED, **resume})
        assert (await attempt(running, token))[0] == code
        if resumed is not None:
            assert running.ledger.where("session.opened")[-1]["resumed"] is resumed


async def test_an_expiring_token_ends_its_session(running: Running) -> None:
    token = await mint(running, expireTime=later(seconds=40))
    async with constrained(running, token) as client:
        await client.send(setup=SETUP)
        assert await client.closed() == (1011, "auth token has expired")


async def test_a_token_is_taken_from_the_authorization_header_too(running: Running) -> None:
    token = await mint(running)
    path = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
    headers = {"Authorization": f"Token {token}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.ws_connect(running.url + path) as socket:
        await socket.send_json({"setup": SETUP})
        assert b"setupComplete" in (await socket.receive()).data


@pytest.mark.parametrize("query", ["", "?key=", "?key=auth_tokens/abc", "?access_token=auth_tokens/abc"])
async def test_strangers_are_told_so(running: Running, query: str) -> None:
    async with socket_to(running, query) as client:
        await client.send(setup=SETUP)
        code, reason = await client.closed()
    assert code == 1008 and reason.startswith("Method doesn't allow unregistered callers")


async def test_only_the_configured_key_is_admitted() -> None:
    async with serve(Config(api_key="right")) as running:
        async with socket_to(running, "?key=wrong") as client:
            await client.send(setup=SETUP)
            assert await client.closed() == (1007, "API key not valid. Please pass a valid API key.")
        async with live(running, "?key=right"):
            pass
        status, answer = await post(running, {}, key="wrong")
        assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_minting_needs_a_key(running: Running) -> None:
    status, answer = await post(running, {}, key="")
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"expireTime": later(hours=21)}, "expire_time is too far in the future. Maximum lifetime is 20h"),
        ({"newSessionExpireTime": later(hours=21)}, "new_session_expire_time is too far"),
        ({"expireTime": "soon"}, "Invalid value at 'expire_time'"),
        ({"uses": -1}, "Invalid value at 'uses'"),
        ({"bidiGenerateContentSetup": {"setup": LOCKED}}, 'Unknown name "setup"'),
        ({"liveConnectConstraints": {}}, 'Unknown name "liveConnectConstraints"'),
        ({"bidiGenerateContentSetup": LOCKED, "fieldMask": "model,colour"}, 'Unknown name "colour"'),
        ({"bidiGenerateContentSetup": LOCKED, "fieldMask": 3}, "Invalid value at 'field_mask'"),
        ([], "Invalid value"),
    ],
)
async def test_tokens_that_cannot_be_minted(running: Running, body: Any, text: str) -> None:
    status, answer = await post(running, body)
    assert status == 400
    assert text in answer["error"]["message"]


async def test_no_credential_is_in_the_ledger(running: Running) -> None:
    token = await mint(running, bidiGenerateContentSetup=LOCKED)
    await attempt(running, token)
    async with live(running, "?key=canary-key") as client:
        handle = await client.handle()
    text = str(list(running.ledger.lines))
    assert "token.minted" in text
    for secret in (token, token.removeprefix("auth_tokens/"), handle, "canary-key"):
        assert secret not in text


@pytest.mark.parametrize("path", ["/", "/v1beta/models", "/v1beta/auth_tokens/abc", "/v2/auth_tokens"])
async def test_there_is_nothing_else(running: Running, path: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(running.url + path) as answer:
        assert answer.status == 404
