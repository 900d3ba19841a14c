"""What clients do to a server: leave without a word, send anything, stop reading; and our own mistakes."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_client import PATH, SETUP, live, socket_to

from simulator import Config, Running, parse, serve
from simulator.conversation import world
from simulator.conversation.calls import Calls
from simulator.conversation.conversation import Conversation
from simulator.conversation.dispatch import MessageDispatch
from simulator.fault_triggers import FaultTriggers
from simulator.session import context, setup
from simulator.session.models import table
from simulator.speech.samples import Sample
from simulator.speech.turn_detection import TurnDetector
from simulator.wire import messages
from simulator.wire.refusal import Refusal


@pytest.mark.parametrize("stage", ["handshake", "setup", "speech", "answer"])
async def test_a_client_may_vanish_at_any_stage(
    running: Running, known: dict[str, Sample], stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with socket_to(running) as client:
        if stage != "handshake":
            await client.send(setup=SETUP)
            await client.receive()
        if stage in ("speech", "answer"):
            await client.say(known["interruption"].pcm)
        if stage == "answer":
            await client.until_content("modelTurn")
        client.socket.transport.abort()
        closed = await running.ledger.wait_for("connection.closed")
    assert closed["code"] == 1006
    assert running.connections == {}
    assert not caplog.records


async def test_our_own_mistake_looks_like_googles(
    running: Running, known: dict[str, Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.speech.samples.recognise", lambda *_: 1 / 0)
    async with live(running) as client:
        await client.say(known["interruption"].pcm)
        assert await client.closed() == (1011, "Internal error encountered.")
    assert "ZeroDivisionError" in running.ledger.where("connection.failed")[0]["trace"]


async def test_nothing_may_come_before_the_setup_and_no_second_one(running: Running) -> None:
    async with socket_to(running) as client:
        await client.send(realtimeInput={"text": "hi"})
        assert await client.closed() == (1007, "setup must be the first message and only the first")
    async with live(running) as client:
        await client.send(setup=SETUP)
        assert await client.closed() == (1007, "setup must be the first message and only the first")


async def test_a_plain_request_on_the_live_path_is_refused(running: Running) -> None:
    path = PATH.format(version="v1", method="BidiGenerateContent")
    async with aiohttp.ClientSession() as http, http.get(running.url + path) as answer:
        assert answer.status == 400


async def test_content_without_a_role_is_refused_by_the_new_models(running: Running) -> None:
    async with live(running) as client:
        await client.send(clientContent={"turns": [{"parts": [{"text": "hi"}]}], "turnComplete": True})
        assert (await client.closed())[0] == 1007


async def test_a_legacy_model_takes_history_only_at_the_start() -> None:
    easy = Config(time_scale=40, scenario=parse("settings: {dialect: permissive}"))
    past = {"turns": [{"role": "user", "parts": [{"text": "hi"}]}]}
    legacy = "models/gemini-3.1-flash-live-preview"
    async with serve(easy) as running, live(running, model=legacy) as client:
        await client.send(clientContent=past)
        await client.send(realtimeInput={"text": "hello"})
        messages = await client.turn()
        assert "interactionStatus" not in messages[-1]["serverContent"]
        await client.send(clientContent=past)
        assert (await client.closed())[0] == 1007


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with serve(Config(time_scale=40)) as running, live(running) as client:
        await client.send(realtimeInput={"text": "hello"})
        await client.until_content("modelTurn")
    assert asyncio.all_tasks() == before


class Nowhere:
    """An outlet that nobody reads."""

    puts_words_first = False

    def emit(self, message: dict[str, Any]) -> None:
        messages.encode(message)

    def emit_audio(self, message: bytes) -> None: ...


def dispatch_of(here: world.World) -> MessageDispatch:
    agreed = setup.read(SETUP, "v1beta", table("permissive"))
    return MessageDispatch(
        Conversation(
            number=1,
            setup=agreed,
            memory=context.Memory("x", agreed.model.name),
            detector=TurnDetector(agreed.detection),
            calls=Calls(),
            outlet=Nowhere(),
            triggers=FaultTriggers(here.clock, (), lambda _: None, lambda *_, **__: None),
            world=here,
        )
    )


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("AAAA")
_CONTENT = st.fixed_dictionaries(
    {},
    optional={"role": _LEAVES | st.just("user"), "parts": st.lists(st.fixed_dictionaries({"text": _LEAVES}))},
)
_REPLY = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "name", "response", "scheduling", "willContinue"), _LEAVES)
)
_AFTER_SETUP = st.one_of(
    st.fixed_dictionaries(
        {
            "clientContent": st.fixed_dictionaries(
                {}, optional={"turns": st.lists(_CONTENT), "turnComplete": _LEAVES}
            )
        }
    ),
    st.fixed_dictionaries({"toolResponse": st.fixed_dictionaries({"functionResponses": st.lists(_REPLY)})}),
    st.fixed_dictionaries(
        {"contextUpdate": st.fixed_dictionaries({}, optional={"systemInstruction": _CONTENT})}
    ),
    st.fixed_dictionaries(
        {"realtimeInput": st.dictionaries(st.sampled_from(["text", "activityEnd"]), _LEAVES)}
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_AFTER_SETUP, max_size=4))
def test_a_session_takes_or_refuses_whatever_comes(given_messages: list[Any]) -> None:
    async def talk() -> None:
        dispatch = dispatch_of(world.make(Config(samples=Path("none"))))
        for message in given_messages:
            try:
                dispatch.handle(messages.decode(messages.encode(message)))
            except Refusal as refused:
                assert refused.close.code == 1007
            dispatch.model_turns.offer_handle()

    asyncio.run(talk())
