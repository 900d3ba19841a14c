"""What the vectors cannot say: Python's own edges of the codec."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from protocol import codec, media
from protocol.codec import client_messages, common_version, control_requests, encode, server_messages
from protocol.errors import REGISTRY, RemoteProtocolError
from protocol.limits import CONTROL_MESSAGE_BYTES, JSON_DEPTH, MEDIA_MESSAGE_BYTES, TOOL_RESULT_BYTES


def _code(decode: Any, text: str | bytes) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(text)
    return caught.value.code


def _result(data: str) -> str:
    return f'{{"type":"tool.result","call_id":"c","ok":true,"data":{data}}}'


def test_defaults_are_not_written() -> None:
    assert encode(media.Hello([1])) == '{"type":"hello","versions":[1]}'
    assert encode(media.TurnStarted(1, "user")) == '{"type":"turn.started","turn":1,"role":"user"}'


def test_bytes_are_decoded_like_text() -> None:
    assert client_messages.decode(b'{"type":"ping","t":1}') == media.Ping(1.0)


def test_bytes_that_are_no_utf8_are_a_bad_message() -> None:
    assert _code(client_messages.decode, b'{"type":"text","text":"\xff"}') == "bad_message"
    assert _code(client_messages.decode, b"\xff\xfe") == "bad_message"


def test_text_with_a_lone_surrogate_is_a_bad_message() -> None:
    assert _code(client_messages.decode, '{"type":"text","text":"\ud800"}') == "bad_message"


def test_every_direction_has_its_own_types() -> None:
    assert set(codec.control_requests.types) == {"start", "resume", "end"}
    assert set(codec.control_replies.types) == {"starting", "ready", "error", "ended"}
    assert len(client_messages.types) == 11
    assert len(server_messages.types) == 19


def test_the_limit_counts_bytes_of_utf8_and_not_characters() -> None:
    frame = '{"type":"end","session":"s","x":"%s"}'
    room = CONTROL_MESSAGE_BYTES - len(frame % "")
    assert control_requests.decode(frame % ("a" * room)).session == "s"
    assert control_requests.decode(frame % ("é" * (room // 2))).session == "s"
    assert _code(control_requests.decode, frame % ("a" * (room + 1))) == "too_large"
    assert _code(control_requests.decode, frame % ("é" * (room // 2 + 1))) == "too_large"
    assert _code(control_requests.decode, (frame % ("a" * (room + 1))).encode()) == "too_large"
    assert _code(control_requests.decode, frame % ("\ud800" * room)) == "too_large"


def test_a_whole_image_fits_one_message() -> None:
    image = media.Image("image/png", b"\xff" * 700 * 1024)
    text = encode(image)
    assert len(text) < MEDIA_MESSAGE_BYTES
    assert client_messages.decode(text) == image


def test_a_tool_result_larger_than_allowed_is_refused() -> None:
    room = TOOL_RESULT_BYTES - len(_result('""'))
    assert client_messages.decode(_result('"' + "a" * room + '"')).ok
    assert _code(client_messages.decode, _result('"' + "a" * (room + 1) + '"')) == "too_large"
    assert _code(client_messages.decode, _result('"' + "é" * room + '"')) == "too_large"


def test_a_tool_result_that_could_not_be_written_on_is_refused() -> None:
    """Deeper JSON can be read here, yet raises RecursionError where it is encoded from a deeper stack."""
    fits = client_messages.decode(_result("[" * JSON_DEPTH + "]" * JSON_DEPTH))
    assert json.dumps(fits.data) == "[" * JSON_DEPTH + "]" * JSON_DEPTH
    for depth in (JSON_DEPTH + 1, 500, 900, 5000):
        assert _code(client_messages.decode, _result("[" * depth + "]" * depth)) == "bad_message"
        assert _code(client_messages.decode, _result('{"a":' * depth + "1" + "}" * depth)) == "bad_message"


def test_wide_json_is_not_deep() -> None:
    assert client_messages.decode(_result("[" + "[]," * 5000 + "{}]")).ok


def test_an_id_with_a_line_break_behind_it_is_refused() -> None:
    """Python's `$` matches there; the same pattern in JavaScript does not."""
    assert _code(control_requests.decode, '{"type":"end","session":"s_9\\n"}') == "bad_message"
    tool = '{"type":"start","request":"r","versions":[1],"tools":[{"name":"%s"}]}'
    assert control_requests.decode(tool % "look_up").tools[0].name == "look_up"
    assert _code(control_requests.decode, tool % "look_up\\n") == "bad_message"


def test_the_newest_common_version_wins() -> None:
    assert common_version([1, 2, 3], (1, 2)) == 2
    assert common_version([10**30, 1], (1,)) == 1
    with pytest.raises(RemoteProtocolError, match="protocol_mismatch"):
        common_version([2], (1,))


@pytest.mark.parametrize("code", sorted(REGISTRY))
def test_errors_say_what_the_registry_says(code: str) -> None:
    row = REGISTRY[code]
    control = codec.control_error(code, ref="r", retry_after_ms=5)
    on_media = codec.media_error(code, ref="r", retry_after_ms=5)
    assert (control.message, control.retryable, control.fatal) == (row.message, row.retryable, True)
    assert (on_media.message, on_media.retryable, on_media.fatal) == (row.message, row.retryable, False)
    assert codec.control_replies.decode(encode(control)) == control
    assert server_messages.decode(encode(on_media)) == on_media


def test_messages_cannot_be_changed() -> None:
    message: Any = media.Mic("open")
    with pytest.raises(AttributeError):
        message.state = "closed"


def test_encoding_is_compact_utf8() -> None:
    assert encode(media.Context("Grüezi")) == '{"type":"context","text":"Grüezi"}'
    assert msgspec.json.decode(encode(media.Context("Grüezi")))["text"] == "Grüezi"
