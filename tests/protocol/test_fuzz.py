"""Whatever a peer sends is accepted or refused by name; nothing else ever comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec, media
from protocol.audio import ADPCM, UPLINK_MAX_BYTES, UPLINK_MIN_BYTES, decode_audio, decode_uplink
from protocol.client import ClientSession
from protocol.codec import Codec, encode, json_codec
from protocol.errors import REGISTRY, RemoteProtocolError
from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from tests.protocol.players import CODECS, as_text, cases
from tests.protocol.search import searched

DIRECTIONS = st.sampled_from(list(CODECS.values()))
#: st.text leaves lone surrogates out unless asked
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**53, 2**63, 2**64, 10**400, -1, 0.0, -0.0])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
SEEDS = [as_text(case["text"]) for case in cases("codec") if isinstance(case["text"], str)]
GOOD = [json.loads(as_text(case["text"])) for case in cases("codec") if "decoded" in case]
OBJECTS = [message for message in GOOD if len(str(message)) < 2000]


def accepted_or_refused(decoder: Codec, text: str | bytes) -> None:
    try:
        message = decoder.decode(text)
    except RemoteProtocolError as error:
        assert error.code in ("bad_message", "unknown_type", "too_large")
        assert len(error.ref) <= 64
        encode(codec.media_error(error.code, ref=error.ref))
    else:
        assert type(message) in decoder.types.values()
        again = encode(message)
        assert encode(decoder.decode(again)) == again


@searched(200)
@given(decoder=DIRECTIONS, text=ANY_TEXT | st.binary(max_size=80))
def test_any_text(decoder: Codec, text: str | bytes) -> None:
    accepted_or_refused(decoder, text)


@searched(200)
@given(decoder=DIRECTIONS, value=ANY_JSON)
def test_any_json(decoder: Codec, value: Any) -> None:
    accepted_or_refused(decoder, json.dumps(value, ensure_ascii=False))


@searched(200)
@given(
    decoder=DIRECTIONS,
    text=st.sampled_from(SEEDS),
    at=st.integers(0, 400),
    cut=st.integers(0, 6),
    put=ANY_TEXT.map(lambda text: text[:6]),
)
def test_a_message_with_a_piece_replaced(decoder: Codec, text: str, at: int, cut: int, put: str) -> None:
    at %= len(text) + 1
    accepted_or_refused(decoder, text[:at] + put + text[at + cut :])


@searched(200)
@given(decoder=DIRECTIONS, message=st.sampled_from(OBJECTS), data=st.data())
def test_a_message_with_a_field_replaced(decoder: Codec, message: dict[str, Any], data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(message)) | ANY_TEXT)
    accepted_or_refused(decoder, json.dumps({**message, name: data.draw(ANY_JSON)}))


@pytest.mark.parametrize("decoder", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5000])
def test_numbers_that_json_or_a_double_cannot_hold(decoder: Codec, number: str) -> None:
    for kind in decoder.types:
        accepted_or_refused(decoder, f'{{"type":"{kind}","t":{number},"data":{number},"seq":{number}}}')


@pytest.mark.parametrize("decoder", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("depth", [60, 64, 65, 500, 990, 1100, 50_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_nesting_of_any_depth(decoder: Codec, depth: int, left: str, right: str) -> None:
    nest = left * depth + ("1" if right == "}" else "") + right * depth
    for kind in ("tool.result", "start", "tool.call", "nothing"):
        head = '"call_id":"c","name":"n","deadline_ms":1,"ok":true,"request":"r","versions":[1]'
        for tail in (f'"data":{nest}', f'"args":{nest}', f'"tools":[{{"name":"t","parameters":{nest}}}]'):
            accepted_or_refused(decoder, f'{{"type":"{kind}",{head},{tail}}}')


@searched(200)
@given(st.binary(max_size=40) | st.binary(max_size=4000))
def test_any_frame(data: bytes) -> None:
    for decode in (decode_audio, decode_uplink):
        try:
            frame = decode(data)
        except RemoteProtocolError as error:
            assert error.code == "bad_frame"
        else:
            is_adpcm = data[0] == ADPCM  # four bytes of a header, and then four times its size
            assert len(frame.pcm) == (4 * (len(data) - 12) if is_adpcm else len(data) - 8)


@searched(200)
@given(st.binary(max_size=900))
def test_any_frame_of_adpcm(data: bytes) -> None:
    frame = bytes([ADPCM]) + data
    try:
        pcm = decode_uplink(frame).pcm
    except RemoteProtocolError as error:
        assert error.code == "bad_frame"
    else:
        assert UPLINK_MIN_BYTES <= len(pcm) <= UPLINK_MAX_BYTES


INPUTS = st.lists(st.sampled_from(SEEDS) | ANY_TEXT | st.binary(max_size=330), max_size=30)


@searched(100)
@given(
    data=INPUTS,
    says_hello=st.booleans(),
    steps=st.lists(st.sampled_from(["live", "lost", "end"]), max_size=4),
)
def test_a_server_session_takes_anything(data: list[str | bytes], says_hello: bool, steps: list[str]) -> None:
    session = ServerSession(1, 0.0)
    if says_hello:
        session.receive_text('{"type":"hello","versions":[1]}', 0.0)
    for number, one in enumerate(data):
        if isinstance(one, bytes):
            session.receive_audio(one, number)
        else:
            session.receive_text(one, number)
        while (said := session.data_to_send()) is not None:
            json_codec.encode(said)
        if number % 5 == 4 and steps:
            _take_step(session, steps.pop(), number)
    assert session.close_code is None or 1000 <= session.close_code < 5000


def _take_step(session: ServerSession, step: str, now: float) -> None:
    if step == "live" and session.hello is not None and session.state.value == "opening":
        session.go_live(Live("s", 0, Agent("a"), LiveLimits(1, 2)))
    elif step == "lost":
        session.client_lost()
        session.attached(now)
    elif step == "end":
        session.end(media.Ended("client"))


@searched(100)
@given(data=INPUTS, joins=st.booleans())
def test_a_client_session_takes_anything(data: list[str | bytes], joins: bool) -> None:
    session = ClientSession()
    if joins:
        session.hello()
    for one in data:
        for item in session.receive(one):
            assert item
    assert session.counters.bad + session.counters.unknown_types <= len(data)


def test_the_texts_of_refusals_hold_nothing_of_what_was_sent() -> None:
    session = ServerSession(1, 0.0)
    session.receive_text('{"type":"hello","versions":[1],"after":"s3cret"}', 0.0)
    error = session.data_to_send()
    assert error is not None
    text = json_codec.encode(error)
    assert isinstance(text, str)
    assert "s3cret" not in text
    assert REGISTRY["bad_message"].message.removesuffix(".") in text
