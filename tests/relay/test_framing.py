"""Whatever the model says at once, each message to the client is one that a client can take."""

from __future__ import annotations

import pytest

from gemini import messages as model
from protocol import media
from protocol.audio import AudioFrame, downlink_ms
from protocol.limits import DOWNLINK_FRAME_MS
from tests.relay.fakes import Visitor, house


@pytest.mark.parametrize("samples", [1, 480, 4_800, 4_801, 1_000_000])
async def test_a_client_hears_the_whole_of_what_the_model_says_at_once(samples: int) -> None:
    pcm = b"".join(number.to_bytes(3, "big")[1:] for number in range(samples))
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.model.leg.say(model.Audio(pcm), model.GenerationEnded(), model.TurnCompleted(idle=True))
        await visitor.until(media.TurnAudioEnd)
    heard = [message for message in visitor.got if isinstance(message, AudioFrame)]
    assert b"".join(frame.pcm for frame in heard) == pcm
    assert max(downlink_ms(len(frame.pcm)) for frame in heard) <= DOWNLINK_FRAME_MS


async def test_a_tool_call_too_large_for_a_client_is_answered_here() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.model.leg.say(model.ToolRequested("id-1", "weather", {"place": "x" * 3_000_000}))
        here.model.leg.say(model.ToolRequested("id-2", "weather", {"place": "here"}))
        call = await visitor.until(media.ToolCall)
    assert isinstance(call, media.ToolCall) and call.args == {"place": "here"}
    assert model.AnswerTool("id-1", "weather", {"error": "arguments_too_long"}) in here.model.leg.commands
