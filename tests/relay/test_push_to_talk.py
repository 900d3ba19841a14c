"""A microphone that is released or muted right after the last word, on each family of models.

The whole relay on real sockets with the simulator's dialects behind it, in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bench import virtual
from protocol import media
from protocol.audio import AudioFrame
from protocol.control import Config
from simulator.scenario import Behaviour
from simulator.speech.samples import SHIPPED
from vivavoce import Conversation
from vivavoce.microphone import Microphone
from vivavoce.wavefile import read_wav

QUESTION = read_wav(SHIPPED / "question.wav")
WORDS = "Could you tell me when the next train leaves?"
ANSWERED_S = 12.0  #: from the last word to the end of the answer, which is as long as the question
#: by name, with what its setup must have besides
MODELS: dict[str, dict[str, Any]] = {
    "gemini-3.8-live": {},
    "gemini-3.8-live-extended-thinking": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
    "gemini-3.1-flash-live-preview": {"historyConfig": {"initialHistoryInClientContent": True}},
    "gemini-2.5-flash-native-audio-preview-12-2025": {},
}
MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}

Act = Callable[[Conversation], Awaitable[None]]


async def spoken(call: Conversation) -> None:
    """The question in real time, and not a sample of quiet after it."""
    async with asyncio.TaskGroup() as tasks:
        microphone = Microphone(call.send_audio)
        running = tasks.create_task(microphone.run())
        await microphone.say(QUESTION)
        running.cancel()


async def released(call: Conversation) -> None:
    await call.mic("open")
    await spoken(call)
    await call.mic("paused")


async def muted(call: Conversation) -> None:
    await call.mic("open")
    await spoken(call)
    await call.mic("closed")


async def gone_quiet(call: Conversation) -> None:
    """A client that sends nothing more, and says nothing of it."""
    await call.mic("open")
    await spoken(call)
    await asyncio.sleep(12)


async def marked(call: Conversation) -> None:
    await call.send(media.Activity("start"))
    await spoken(call)
    await call.send(media.Activity("end"))


async def typed(call: Conversation) -> None:
    await call.send_text(WORDS)


async def answered(act: Act, name: str, config: Config, extra: dict[str, Any]) -> tuple[list[object], int]:
    """What the client was told from then on, and how many connections the model had."""
    told: list[object] = []
    async with virtual.house(
        Behaviour(voice="synthetic", seed=1, dialect="profile"), f"models/{name}", extra
    ) as house:
        async with house.conversation(1, config=config) as call, asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen(call, told))
            await asyncio.sleep(1)
            await act(call)
            await asyncio.sleep(ANSWERED_S)
            listening.cancel()
        return told, len(house.model.ledger.where("connection.opened"))


async def listen(call: Conversation, told: list[object]) -> None:
    async for event in call.events():
        if not isinstance(event, AudioFrame):
            told.append(event)  # noqa: PERF401 - it is cancelled


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("act", [released, muted, gone_quiet, marked, typed])
def test_what_was_said_is_answered_once_on_every_model(name: str, act: Act) -> None:
    is_manual = act is marked
    config = Config(turns="manual") if is_manual else Config()
    extra = MODELS[name] | (MANUAL if is_manual else {})
    told, legs = virtual.run(answered(act, name, config, extra))
    ends = [each for each in told if isinstance(each, media.TurnEnded) and each.role == "agent"]
    assert [(each.turn, each.outcome) for each in ends] == [(1, "completed")]
    heard = [each.text for each in told if isinstance(each, media.Transcript) and each.role == "user"]
    assert "".join(heard) == WORDS
    assert legs == 1
