"""Reconnecting: a connection that goes live and breaks at once does not end the backoff."""

from __future__ import annotations

import random

import pytest

from protocol.media import Ended
from tests.client.fake_server import FakeServer, Peer
from vivavoce import Conversation, VoiceError, backoff
from vivavoce.backoff import Backoff


async def test_connections_that_break_at_once_are_made_more_and_more_slowly(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def longest(low: float, high: float) -> float:
        limits.append(high)
        return high

    async def cut(peer: Peer) -> None:
        await peer.live()
        peer.cut()

    async def end(peer: Peer) -> None:
        await peer.live()
        await peer.send(Ended("client"))

    monkeypatch.setattr(backoff, "BASE_S", 0.01)
    monkeypatch.setattr(random, "uniform", longest)
    server.peers = [cut, cut, cut, cut, end]
    async with Conversation(server.url, "a.jwt") as call:
        async for _ in call.events():
            pass
    assert limits == [0.01, 0.02, 0.04, 0.08]
    assert call.reconnects == 4


@pytest.mark.looptime
async def test_the_server_waits_anew_after_each_connection_that_went_live() -> None:
    waits, lost = Backoff(10.0), VoiceError.of("connection_lost")
    for _ in range(20):  # far beyond ten seconds
        waits.broke(0.0, 10.0)
        await waits.wait(lost)
    with pytest.raises(VoiceError):
        for _ in range(1_000):
            await waits.wait(lost)
