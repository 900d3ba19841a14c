"""A relay whose host has vanished: connections stay open, new ones are taken, and nothing answers."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

import simulator
from infra.local.stack import LocalStack, Options
from protocol import media
from tests import dialect
from tests.e2e.conftest import obedient
from vivavoce import Conversation, Reconnecting

NOTICED_S = 22.0  #: two pings of the client's, and a margin
BACK_S = 12.0  #: the address may be led to once more: ten seconds of a handshake


async def hum(call: Conversation) -> None:
    """Silence from a microphone, as if somebody waited for an answer."""
    while True:
        await call.send_audio(bytes(640))
        await asyncio.sleep(0.02)


async def live_again(call: Conversation, process: int) -> tuple[float, float]:
    """Freezes the relay after a first answer. Seconds until that is noticed, and until another is live."""
    since = noticed_s = live_s = 0.0
    await call.send_text("Say only OK.")
    async for event in call.events():
        now = time.monotonic()
        if isinstance(event, media.TurnEnded) and event.role == "agent" and since:
            return noticed_s, live_s
        if isinstance(event, media.TurnEnded) and event.role == "agent":
            os.kill(process, signal.SIGSTOP)
            since = now
        if isinstance(event, Reconnecting) and since:
            noticed_s = noticed_s or now - since
        if isinstance(event, media.Live) and event.e == 2:
            live_s = now - since
            await call.send_text("Say only OK.")
    raise AssertionError("the call ended")


@pytest.mark.timeout(240)
async def test_a_call_on_a_relay_that_stands_still_goes_on_with_another_within_half_a_minute() -> None:
    async with simulator.serve(obedient()) as model:
        options = Options(gemini_url=model.url, parameters=dialect.parameters(), workers=2)
        async with (
            LocalStack(options) as stack,
            Conversation(stack.urls.control, stack.user().token()) as call,
        ):
            (first,) = stack.tasks.all
            assert first.process_id is not None
            humming = asyncio.create_task(hum(call))
            try:
                async with asyncio.timeout(120):
                    noticed_s, live_s = await live_again(call, first.process_id)
            finally:
                humming.cancel()
                os.kill(first.process_id, signal.SIGCONT)
            await call.end()
            print(f"noticed after {noticed_s:.1f} s, live after {live_s:.1f} s")
            assert 0 < noticed_s < NOTICED_S
            assert 0 < live_s - noticed_s < BACK_S
            assert len(stack.tasks.all) == 2, "another relay has the call"
