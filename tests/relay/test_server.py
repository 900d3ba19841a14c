"""The relay on a real loopback socket: admission, the call's life, resume, and leaving."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from dataclasses import replace

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from gemini import messages as model
from protocol import media
from protocol.audio import AudioFrame, encode_audio
from protocol.codec import encode
from relay.model.port import UpstreamError
from relay.timeouts import Timeouts
from tests.relay.calls import Listener, lone_call
from tests.relay.fakes import CONFIG, Visitor, house, session, voice

MS20_UP, MS20_DOWN = bytes(640), voice(960)


async def until(condition: object, *, within_s: float = 5.0) -> None:
    """Let the loop run until `condition()` holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0)


def answer(*, frames: int = 3) -> list[model.ModelEvent]:
    audio = [model.Audio(MS20_DOWN)] * frames
    return [model.Heard("hello"), *audio, model.Said("hi there"), model.GenerationEnded()]


async def test_a_call_from_ticket_to_last_word() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        live = await visitor.join(wire)
        assert wire.subprotocol == "vivavoce"
        assert (live.session, live.version, live.resumed, live.e) == ("s1", 1, False, 1)
        assert live.agent.tools == ["weather"]
        await wire.send(visitor.session.audio(MS20_UP))
        await here.model.leg.told.wait()
        assert bytes(here.model.leg.pcm) == MS20_UP
        here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
        await visitor.until(media.Metrics)
        await wire.send(encode(media.EndCall()))
        ended = await visitor.until(media.Ended)
        assert isinstance(ended, media.Ended) and ended.reason == "client"
        assert await visitor.read_to_the_end() == 1000
        assert [turn.agent_text for _, turn in here.book.turns] == ["hi there"]
        await until(lambda: here.book.finished == {"s1": "client"})
    assert len([m for m in visitor.got if isinstance(m, AudioFrame)]) == 3


async def test_a_forged_ticket_is_refused_in_the_handshake() -> None:
    async with house() as here:
        with pytest.raises(InvalidStatus) as refused:
            await here.connect("forged-0123456789abcdef")
        assert refused.value.response.status_code == 401


async def test_no_ticket_is_refused_in_the_handshake() -> None:
    from websockets.asyncio.client import connect

    async with house() as here:
        with pytest.raises(InvalidStatus) as refused:
            await connect(here.url)
        assert refused.value.response.status_code == 401


async def test_a_page_of_another_origin_is_refused() -> None:
    async with house() as here:
        with pytest.raises(InvalidStatus) as refused:
            await here.connect(here.book.ticket(origin="https://ours"), origin="https://theirs")
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("asked_by", ["", "https://control.example"])
@pytest.mark.parametrize(
    "origin", ["https://media.example", "https://media.example:443", "http://192.168.1.20:8787"]
)
async def test_a_ticket_in_authorization_needs_no_origin(asked_by: str, origin: str) -> None:
    """No page can set that header; React Native sends an Origin with it, made of each road's address."""
    from websockets.asyncio.client import connect

    async with house() as here:
        header = {"Authorization": f"Bearer {here.book.ticket(origin=asked_by)}"}
        offered = [Subprotocol("vivavoce")]
        async with connect(
            f"{here.url}/r/0/x", additional_headers=header, origin=Origin(origin), subprotocols=offered
        ) as wire:
            assert wire.subprotocol == "vivavoce"
            await Visitor().join(wire)


async def test_a_ticket_in_both_places_needs_its_origin() -> None:
    async with house() as here:
        ticket = here.book.ticket(origin="https://ours")
        header = {"Authorization": f"Bearer {ticket}"}
        with pytest.raises(InvalidStatus) as refused:
            await here.connect(ticket, additional_headers=header, origin="https://theirs")
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(("status", "code"), [("expired", "ticket_expired"), ("used", "ticket_used")])
async def test_a_genuine_ticket_that_is_late_is_told_so(status: str, code: str) -> None:
    async with house() as here, here.connect(here.book.ticket(status=status)) as wire:
        error = json.loads(await wire.recv())
        assert (error["type"], error["code"], error["fatal"]) == ("error", code, True)
        await wire.wait_closed()
        assert wire.close_code == 4401


async def test_a_store_that_is_down_is_said_in_the_handshake() -> None:
    async with house() as here:
        here.book.down = True
        with pytest.raises(InvalidStatus) as refused:
            await here.connect("ticket-0123456789abcdef")
        assert refused.value.response.status_code == 503


async def test_a_session_that_has_ended_is_not_begun_again() -> None:
    async with house(session(state="ENDED")) as here, here.connect(here.book.ticket()) as wire:
        assert json.loads(await wire.recv())["code"] == "session_ended"
        await wire.wait_closed()
        assert wire.close_code == 4410


async def test_a_ticket_of_an_older_epoch_does_not_take_a_session_back() -> None:
    async with house() as here:
        ticket = here.book.ticket()
        here.book.sessions["s1"] = session(epoch=2)
        async with here.connect(ticket) as wire:
            assert json.loads(await wire.recv())["code"] == "superseded"


async def test_versions_without_a_common_one_are_said_and_closed() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        await wire.send('{"type":"hello","versions":[99]}')
        assert json.loads(await wire.recv())["code"] == "protocol_mismatch"
        await wire.wait_closed()
        assert wire.close_code == 4406


async def test_the_model_that_cannot_be_had_is_said_by_its_code() -> None:
    async with house() as here:
        here.model.refuse_always = "upstream_quota"
        async with here.connect(here.book.ticket()) as wire:
            await wire.send('{"type":"hello","versions":[1]}')
            visitor = Visitor()
            visitor.wire = wire
            error = await visitor.until(media.Error)
            assert isinstance(error, media.Error) and error.code == "upstream_quota" and error.retryable
            assert await visitor.read_to_the_end() == 4460
        await until(lambda: here.book.finished == {"s1": "upstream_quota"})


async def test_a_model_leg_that_dies_ends_the_call_with_its_turn_kept() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.model.leg.say(*answer(), UpstreamError("upstream_policy"))
        await visitor.until(media.Ended)
        assert await visitor.read_to_the_end() == 4462
        assert [turn.agent_text for _, turn in here.book.turns] == ["hi there"]


async def test_a_cut_socket_comes_back_to_the_same_call_and_lacks_nothing() -> None:
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            here.model.leg.say(*answer(frames=5)[:4])
            for _ in range(2):
                await visitor.until(AudioFrame)
            wire.transport.abort()
        visitor.session.lost()
        here.model.leg.say(*answer(frames=5)[4:], model.TurnCompleted(idle=True))
        await here.book.saved.wait()
        async with here.connect(here.book.ticket()) as wire:
            live = await visitor.join(wire)
            assert live.resumed and live.e == 1
            await visitor.until(media.Metrics)
        assert len(here.model.legs) == 1, "the model leg was not opened again"
    events = [m for m in visitor.got if not isinstance(m, AudioFrame | media.Live)]
    assert [m.n for m in events] == list(range(1, len(events) + 1))  # type: ignore[union-attr]
    frames = [m.seq for m in visitor.got if isinstance(m, AudioFrame)]
    assert frames == list(range(5))
    assert visitor.session.counters.missing_frames == 0


async def test_uplink_frames_sent_again_reach_the_model_once() -> None:
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            sent = [visitor.session.audio(bytes([part, 0]) * 320) for part in range(3)]
            for frame in sent:
                await wire.send(frame)
            await until(lambda: len(here.model.leg.pcm) == 3 * 640)
            wire.transport.abort()
        visitor.session.lost()
        late = visitor.session.audio(b"\3\0" * 320)
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            assert visitor.session.resend() == [late], "the relay has said what it has"
            for frame in [*sent, late]:  # as a client does that does not heed that
                await wire.send(frame)
            await until(lambda: len(here.model.leg.pcm) >= 4 * 640)
    assert bytes(here.model.leg.pcm) == b"".join(bytes([part, 0]) * 320 for part in range(4))


async def test_a_newer_connection_takes_the_place_of_the_older() -> None:
    async with house() as here, here.connect(here.book.ticket()) as older:
        await Visitor().join(older)
        async with here.connect(here.book.ticket()) as newer:
            await Visitor().join(newer)
            await older.wait_closed()
            assert older.close_code == 4409


async def test_a_session_taken_over_elsewhere_is_let_go_of() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.book.sessions["s1"] = session(epoch=2)
        here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
        error = await visitor.until(media.Error)
        assert isinstance(error, media.Error) and error.code == "superseded"
        assert await visitor.read_to_the_end() == 4409
        assert not here.book.turns and not here.book.finished


async def test_a_client_that_does_not_read_stops_the_reading_of_the_model() -> None:
    second = model.Audio(voice(48_000))
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            wire.transport.abort()
        visitor.session.lost()
        here.model.leg.say(model.Heard("tell me a story"), *[second] * 100, model.TurnCompleted(idle=True))
        await until(lambda: here.model.leg.unread == 40)
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            await visitor.until(media.Metrics)
    assert sum(len(m.pcm) for m in visitor.got if isinstance(m, AudioFrame)) == 100 * 48_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("not json", "bad_message"),
        ('{"type":"nonsense"}', "unknown_type"),
        ('{"type":"text"}', "bad_message"),
        ('{"type":"activity","state":"start"}', "mode_refused"),
        ('{"type":"tool.result","call_id":"x","ok":true}', "call_unknown"),
        ('{"type":"hello","versions":[1]}', "out_of_order"),
        (b"", "bad_frame"),
        (b"\1\0\0\0\0\0\0\1", "bad_frame"),
        (b"\3\0\0\0\0\0\0\1" + MS20_UP, "bad_frame"),
        (encode_audio(0, 1, bytes(9999)), "bad_frame"),
    ],
)
async def test_bad_input_gets_a_typed_error_and_the_call_goes_on(data: str | bytes, code: str) -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        await wire.send(data)
        error = await visitor.until(media.Error)
        assert isinstance(error, media.Error) and (error.code, error.fatal) == (code, False)
        await wire.send('{"type":"ping","t":1}')
        await visitor.until(media.Pong)


async def test_a_message_before_hello_is_refused_for_good() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        await wire.send('{"type":"mic","state":"open"}')
        assert json.loads(await wire.recv())["code"] == "out_of_order"
        await wire.wait_closed()
        assert wire.close_code == 4400


async def test_an_order_ends_the_call() -> None:
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.relay.obey({"end:s1", "end:other", "dance"})
        ended = await visitor.until(media.Ended)
        assert isinstance(ended, media.Ended) and ended.reason == "client"


async def test_leaving_tells_the_clients_and_serves_those_who_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.call.call.MOVE_S", 0.1)
    async with house() as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.relay.leave()
        away = await visitor.until(media.GoingAway)
        assert isinstance(away, media.GoingAway) and away.move
        with pytest.raises((InvalidStatus, OSError)):
            async with here.connect(here.book.ticket()) as late:
                assert json.loads(await late.recv())["code"] == "going_away"
                raise OSError
        await until(lambda: len(here.model.legs) == 2)
        here.model.leg.say(*answer(), model.TurnCompleted(idle=True))
        await visitor.until(media.Metrics)
        await wire.send(encode(media.EndCall()))
        assert await visitor.read_to_the_end() == 1000
    assert here.task.calls[-2:] == ["stopping", "leave"]


async def test_a_call_that_outstays_the_deadline_is_sent_on_and_its_session_stays_open() -> None:
    async with house(config=replace(CONFIG, drain_s=0.05)) as here, here.connect(here.book.ticket()) as wire:
        visitor = Visitor()
        await visitor.join(wire)
        here.model.leg.say(*answer())
        await until(lambda: here.model.leg.unread == 0)  # not its end: a model may go on by itself
        await visitor.until(AudioFrame)
        here.relay.leave()
        error = await visitor.until(media.Error)
        assert isinstance(error, media.Error) and (error.code, error.retryable) == ("going_away", True)
        assert await visitor.read_to_the_end() == 4453
    assert [m for m in visitor.got if isinstance(m, media.Ended)] == []
    assert here.book.finished == {} and len(here.book.turns) == 1


async def test_health_says_how_full_the_relay_is() -> None:
    async with house() as here:
        url = here.url.replace("ws", "http", 1) + "/health"
        body = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())
        assert json.loads(body) == {"relay": "relay-1", "calls": 0, "capacity": 40, "open": True}


@pytest.mark.looptime
async def test_a_call_without_a_client_parks_its_model_leg_and_comes_back_by_handle() -> None:
    async with lone_call() as (call, here):
        await asyncio.sleep(1)
        here.leg.say(model.HandleChanged("h1"))
        await asyncio.sleep(20)
        assert here.leg.closed.is_set()
        Listener(call)
        await asyncio.sleep(1)
        assert [leg.handle for leg in here.legs] == [None, "h1"]


@pytest.mark.looptime
async def test_an_answer_cut_by_parking_is_over_and_the_next_one_is_heard() -> None:
    async with lone_call() as (call, here):
        listener = Listener(call)
        here.leg.say(*answer()[:3])
        await asyncio.sleep(1)
        listener.say(media.Interrupt(1, 20))
        await asyncio.sleep(0)
        await listener.leave()
        await asyncio.sleep(20)
        assert here.leg.closed.is_set()
        Listener(call)
        await asyncio.sleep(1)
        here.leg.say(*answer(), model.TurnCompleted(idle=True))
        await asyncio.sleep(1)
        assert [turn.agent_text for _, turn in here.book.turns] == ["", "hi there"]


@pytest.mark.looptime
async def test_a_call_left_alone_ends_after_the_resume_time() -> None:
    async with lone_call(resume_s=120.0) as (call, _):
        await asyncio.sleep(119)
        assert not call.is_over
        await asyncio.sleep(2)
        assert call.reason == "abandoned"


@pytest.mark.looptime
async def test_a_session_ends_at_its_longest_duration() -> None:
    async with lone_call(resume_s=1e6, session_s=1800.0) as (call, _):
        await asyncio.sleep(1799)
        assert not call.is_over
        await asyncio.sleep(2)
        assert call.reason == "session_limit"


def test_config_names_what_is_missing() -> None:
    from relay.config import RelayConfig

    with pytest.raises(ValueError, match=r"TABLE_NAME.*GEMINI_URL.*RELAY_PORT"):
        RelayConfig.from_env({"RELAY_PORT": "x"})
    assert replace(CONFIG, port=1).port == 1


async def test_a_client_that_does_not_read_at_all_is_told_why_and_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.client.leg.SLOW_S", 0.2)
    monkeypatch.setattr("relay.client.leg.CLOSE_S", 5.0)
    async with house() as here:
        visitor = Visitor()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            wire.transport.pause_reading()  # type: ignore[attr-defined]
            here.model.leg.say(*[model.Audio(voice(960_000))] * 40)
            call = here.calls["s1"]
            await until(lambda: call.troubles["slow_client"])
            wire.transport.resume_reading()  # type: ignore[attr-defined]
            error = await visitor.until(media.Error)
            assert isinstance(error, media.Error) and (error.code, error.fatal) == ("slow_client", True)
            assert await visitor.read_to_the_end() == 4422
        visitor.session.lost()
        async with here.connect(here.book.ticket()) as wire:
            await visitor.join(wire)
            wire.transport.abort()  # a close handshake would wait behind a minute of audio


async def test_a_client_without_pongs_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.client.websocket.PING_S", 0.05)
    config = replace(CONFIG, timeouts=Timeouts(client_pong_s=0.1))
    async with house(config=config) as here, here.connect(here.book.ticket()) as wire:
        await Visitor().join(wire)
        call = here.calls["s1"]
        wire.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: call.troubles["client_pong"])
        wire.transport.resume_reading()  # type: ignore[attr-defined]
