"""A connection that says nothing is asked, and left after ten seconds; one that is alive is not."""

from __future__ import annotations

import asyncio

import pytest

from protocol.limits import PING_AFTER_S, SILENCE_S
from protocol.media import Pong, Transcript
from tests.client.fake_server import FakeServer, Peer
from vivavoce import Conversation, Reconnecting
from vivavoce.silence import FROZEN_S, SilenceWatch

QUIET_S = 0.6  #: the silence that ends a connection here


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("SILENCE_S", QUIET_S), ("PING_AFTER_S", QUIET_S / 2), ("TICK_S", QUIET_S / 6)):
        monkeypatch.setattr(f"vivavoce.silence.{name}", seconds)


async def falls_silent(peer: Peer) -> None:
    """It is live; then its network takes everything and gives nothing back."""
    await peer.live()

    async def nothing() -> None:
        pass

    peer.flush = nothing  # type: ignore[method-assign]
    await peer.wire.wait_closed()


async def stays(peer: Peer) -> None:
    await peer.live()
    await peer.end()


async def says_much(peer: Peer) -> None:
    await peer.live()
    for number in range(1_000):
        await peer.send(Transcript("a1", 1, "agent", f"word {number} "))
    await peer.end()


@pytest.mark.usefixtures("impatient")
async def test_a_connection_that_says_nothing_is_left_for_another(server: FakeServer) -> None:
    """The library noticed it after twenty seconds; the protocol says ten."""
    server.peers = [falls_silent, stays]
    async with Conversation(server.url, "jwt") as call, asyncio.timeout(QUIET_S * 5):
        async for event in call.events():
            if isinstance(event, Reconnecting):
                assert event.code == "connection_lost"
                break
        while not call.reconnects:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not server.resumes[0].media_failed
        await call.end()


@pytest.mark.usefixtures("impatient")
async def test_one_that_is_only_quiet_answers_and_its_reader_hears_nothing_of_it(
    server: FakeServer,
) -> None:
    server.peers = [stays]
    async with Conversation(server.url, "jwt") as call:
        await asyncio.sleep(QUIET_S * 4)
        assert call.reconnects == 0
        await call.end()
        assert not [event async for event in call.events() if isinstance(event, Pong | Reconnecting)]


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_reads_late_is_not_taken_for_a_silent_line(server: FakeServer) -> None:
    server.peers = [says_much]
    async with Conversation(server.url, "jwt") as call:
        await asyncio.sleep(QUIET_S * 4)
        await call.end()
        words = [event async for event in call.events() if isinstance(event, Transcript)]
        assert len(words) == 1_000 and call.reconnects == 0


@pytest.mark.looptime
async def test_it_asks_after_five_seconds_and_gives_up_after_ten() -> None:
    now = asyncio.get_running_loop().time
    asked: list[float] = []
    await SilenceWatch(lambda: asked.append(now())).run()
    assert now() == pytest.approx(SILENCE_S) and asked[0] == pytest.approx(PING_AFTER_S)


@pytest.mark.looptime
async def test_a_program_that_was_frozen_asks_before_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a laptop that was closed: what came meanwhile is not read when its clock goes on."""
    now, asked = asyncio.get_running_loop().time, []
    watch = SilenceWatch(lambda: asked.append(now()))
    monkeypatch.setattr("vivavoce.silence.TICK_S", FROZEN_S + 6)  # the first tick comes so late
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(1)
    monkeypatch.undo()
    await asyncio.sleep(FROZEN_S + 5.5)
    assert asked and not running.done()
    await running
    assert now() == pytest.approx(FROZEN_S + 6 + SILENCE_S - PING_AFTER_S)
