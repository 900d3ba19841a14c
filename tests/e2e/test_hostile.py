"""Hostile messages on the control road, through the gateway and the real functions: every one is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from protocol import media
from protocol.codec import control_requests
from protocol.credentials import offer
from protocol.errors import RemoteProtocolError
from protocol.limits import CONTROL_MESSAGES
from tests import hostile
from tests.e2e.conftest import System
from tests.e2e.talk import user

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(1800)]

#: every one is an invocation of 20 to 50 ms, so fewer unless so many were asked for
COUNT = hostile.COUNT if hostile.IS_ASKED else hostile.COUNT // 5
PER_CONNECTION = CONTROL_MESSAGES


def refusal(text: str) -> str | None:
    """The code a message on its own deserves; None when it is well formed."""
    try:
        control_requests.decode(text)
    except RemoteProtocolError as error:
        return error.code
    return None


async def answer(wire: ClientConnection, text: str) -> str:
    """What the message was answered with: an error's code, or another reply's type.

    Replies to an earlier `start` may still come in between; an error that is deserved is waited for.
    """
    deserved = refusal(text)
    await wire.send(text)
    async with asyncio.timeout(30):
        while True:
            reply = json.loads(await wire.recv())
            said = reply.get("code") or reply["type"]
            if reply["type"] == "error":
                assert hostile.is_own_sentence(reply["code"], reply["message"])
            if deserved is None or said == deserved:
                return str(said)


async def torment(system: System, messages: Iterator[str]) -> dict[str, int]:
    """Send them all. Returns how often each answer was given."""
    url = system.stack.urls.control
    given: dict[str, int] = {}
    while batch := list(islice(messages, PER_CONNECTION)):
        protocols = [Subprotocol(entry) for entry in offer("jwt", system.stack.user("mallory").token())]
        async with connect(url, subprotocols=protocols) as wire:
            for text in batch:
                said = await answer(wire, text)
                given[said] = given.get(said, 0) + 1
    return given


async def test_hostile_control_messages_are_answered_and_others_go_on(system: System) -> None:
    async with user(system) as visitor:
        given = await torment(system, hostile.texts(hostile.CONTROL, COUNT))
        print(given)
        assert sum(given.values()) == COUNT
        assert {"bad_message", "unknown_type"} <= set(given)
        assert "internal" not in given
        await visitor.call.send_text("still here")
        await visitor.until(media.Metrics)
    assert visitor.of(media.Error) == []
