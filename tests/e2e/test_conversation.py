"""A spoken conversation through everything: client, gateway, functions, record, edge, relay, model, back."""

from __future__ import annotations

import asyncio

import pytest

from protocol import media
from protocol.audio import AudioFrame
from protocol.control import Config
from simulator.audio import tones
from simulator.audio.similarity import similarity
from tests import dialect
from tests.conftest import WIRES
from tests.e2e.conftest import System
from tests.e2e.talk import INTERRUPTION, QUESTION, user

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]


async def test_the_words_come_back_behind_the_tone_code_of_this_run(system: System) -> None:
    async with user(system) as visitor:
        await visitor.microphone.say(QUESTION)
        await visitor.until(media.TurnEnded, count=2)
        await visitor.speaker.is_silent.wait()
    codes = dialect.codes(system.simulator.ledger.where("answer.begun"))
    assert [code for code, _ in tones.find(bytes(visitor.heard))] == codes
    assert similarity(QUESTION, bytes(visitor.heard)) > 0.9
    assert visitor.said("user") == "Could you tell me when the next train leaves?"
    assert "train" in visitor.said("agent")
    (metrics,) = visitor.of(media.Metrics)
    assert isinstance(metrics, media.Metrics) and 0 < metrics.first_audio_ms < 10_000
    (turn,) = await asyncio.to_thread(system.turns, visitor.call.session)
    assert (turn.number, turn.user_text, turn.agent_text) == (1, visitor.said("user"), visitor.said("agent"))
    assert turn.heard is None and turn.audio_ms > 2000
    used, (ended,) = await asyncio.to_thread(system.used, visitor.call.session), visitor.of(media.Ended)
    assert isinstance(ended, media.Ended) and used.tokens == ended.usage
    assert used.tokens.input_audio > 0 < used.tokens.output_audio and used.seconds > 2
    admitted = [i for i in system.stack.invocations if i.route_key in ("$connect", "start")]
    assert {i.route_key for i in admitted} == {"$connect", "start"}
    assert all(i.request_id for i in admitted)


async def test_speaking_over_the_answer_stops_it_and_the_record_says_what_was_heard(system: System) -> None:
    async with user(system) as visitor:
        await visitor.microphone.say(QUESTION)
        await visitor.until(media.Transcript, count=5)
        await visitor.microphone.say(INTERRUPTION)
        await visitor.until(media.TurnInterrupted)
        await visitor.until(media.Metrics, count=2)
    cut = next(i for i, e in enumerate(visitor.events) if isinstance(e, media.TurnInterrupted))
    assert visitor.events[cut].turn == 1  # type: ignore[attr-defined]
    assert [e for e in visitor.events[cut:] if isinstance(e, AudioFrame) and e.turn == 1] == []
    first, second = await asyncio.to_thread(system.turns, visitor.call.session)
    assert first.heard is not None and first.agent_text.startswith(first.heard)
    assert len(first.heard) < len(first.agent_text)
    assert first.interrupted_at_ms is not None and 0 < first.interrupted_at_ms < first.audio_ms
    assert second.user_text == "Wait, stop, not that."


async def test_a_cut_media_socket_changes_nothing_in_what_is_told(system: System) -> None:
    async with user(system) as uncut:
        await uncut.microphone.say(INTERRUPTION)
        await uncut.until(media.Metrics)
    answers = len(system.simulator.ledger.where("answer.begun"))
    async with user(system) as cut:
        await cut.microphone.say(INTERRUPTION)
        await cut.until(AudioFrame, count=10)
        wires = [wire for wire in WIRES if wire.request and "/r/" in wire.request.path]
        assert wires
        for wire in wires:
            wire.transport.abort()
        await cut.until(media.Metrics)
    assert cut.call.reconnects == 1
    assert cut.numbers() == [(1, n) for n in range(1, len(cut.numbers()) + 1)]
    assert cut.story() == uncut.story()
    assert cut.call.counters.missing_frames == 0
    assert len(system.simulator.ledger.where("answer.begun")) == answers + dialect.turns()
    assert similarity(INTERRUPTION, cut.received(1)) > 0.9


async def test_an_answer_in_text_brings_no_audio_and_what_was_read_of_a_cut_one_was_heard(
    system: System,
) -> None:
    async with user(system, config=Config(reply="text")) as visitor:
        await visitor.call.send_text("hello there")
        await visitor.until(media.Metrics)
        await visitor.call.send_text("and now a long one")
        await visitor.until(media.Transcript, count=len(visitor.of(media.Transcript)) + 3)
        await visitor.call.interrupt()
        await visitor.until(media.Metrics, count=2)
    assert [event for event in visitor.events if isinstance(event, AudioFrame)] == []
    first, second = await asyncio.to_thread(system.turns, visitor.call.session)
    assert first.agent_text and first.heard is None and first.audio_ms == 0
    assert second.agent_text and second.heard == second.agent_text


async def test_typed_text_is_answered_by_voice(system: System) -> None:
    async with user(system) as visitor:
        await visitor.call.send_text("hello there")
        await visitor.until(media.Metrics)
    codes = dialect.codes(system.simulator.ledger.where("answer.begun"))
    assert [code for code, _ in tones.find(visitor.received(1))] == codes
    assert visitor.said("user") == "hello there"
