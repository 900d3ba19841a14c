"""Hostile messages and frames on the media road: each is accepted or answered, nobody is disturbed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection

from gemini import messages as model
from protocol import media
from protocol.audio import AudioFrame, decode_uplink
from protocol.codec import client_messages
from protocol.errors import RemoteProtocolError
from tests import hostile
from tests.relay.fakes import House, Visitor, house, session, voice

PER_CONNECTION = 90  #: below the refusals after which the relay closes a connection


def refusal(message: str | bytes) -> str | None:
    """The code a message on its own deserves; None when it is well formed."""
    try:
        if isinstance(message, bytes):
            decode_uplink(message)
        else:
            client_messages.decode(message)
    except RemoteProtocolError as error:
        return error.code
    return None


async def answers(wire: ClientConnection, message: str | bytes, mark: int) -> list[str]:
    """The codes of the errors that `message` was answered with, found by a ping behind it."""
    await wire.send(message)
    await wire.send(json.dumps({"type": "ping", "t": mark}))
    codes = []
    while True:
        answer = json.loads(await wire.recv())
        if answer["type"] == "pong" and answer["t"] == mark:
            return codes
        if answer["type"] == "error":
            assert hostile.is_own_sentence(answer["code"], answer["message"])
            codes.append(answer["code"])


async def torment(here: House, messages: Iterator[str | bytes]) -> int:
    """Send them all, over as many connections as it takes. Returns how many were answered by an error."""
    refused = mark = 0
    while batch := list(itertools.islice(messages, PER_CONNECTION)):
        async with here.connect(here.book.ticket("hostile")) as wire:
            await Visitor().join(wire)
            for message in batch:
                mark += 1
                codes = await answers(wire, message, mark)
                deserved = refusal(message)
                if deserved is not None:
                    assert codes == [deserved], f"{message!r:.200} was answered by {codes}"
                assert len(codes) <= 1
                refused += len(codes)
    return refused


@pytest.mark.timeout(600)
async def test_hostile_messages_are_accepted_or_answered_and_others_go_on() -> None:
    async with house(session(), session("hostile")) as here, here.connect(here.book.ticket("s1")) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        honest = here.model.leg
        refused = await torment(here, hostile.texts(hostile.MEDIA)) + await torment(here, hostile.frames())
        assert refused > hostile.COUNT / 2
        await wire.send(visitor.session.audio(bytes(640)))
        honest.say(model.Audio(voice(960)), model.TurnCompleted(idle=True))
        await visitor.until(media.Metrics)
    assert [m for m in visitor.got if isinstance(m, media.Error)] == []
    assert len([m for m in visitor.got if isinstance(m, AudioFrame)]) == 1
