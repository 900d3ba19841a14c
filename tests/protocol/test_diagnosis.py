"""Whoever sends a message that cannot be read is told its field and the rule, in words of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import client_messages, control_error, control_requests, media_error
from protocol.diagnosis import explain
from protocol.errors import RemoteProtocolError
from tests.protocol.players import CODECS, Case, as_text, cases
from tests.protocol.search import searched

START = {"type": "start", "request": "r1", "versions": [1]}
HELLO = {"type": "hello", "versions": [1]}
REFUSED = [case for case in cases("codec") if case.get("error") == "bad_message"]


def why(message: dict[str, Any]) -> str:
    codec = control_requests if message["type"] in control_requests.types else client_messages
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode(json.dumps(message))
    assert caught.value.code == "bad_message"
    return caught.value.detail


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"type": "start", "request": "r1"}, "versions is required"),
        ({**START, "versions": []}, "versions must have a length of at least 1"),
        ({**START, "versions": [1, "2"]}, "versions[1] must be an integer"),
        ({**START, "request": 7}, "request must be text"),
        ({**START, "request": "r" * 65}, "request must have a length of at most 64"),
        ({**START, "request": "r 1"}, "request has characters that are not allowed"),
        ({**START, "config": None}, "config must be an object"),
        ({**START, "config": {"voice": 3}}, "config.voice must be text or null"),
        ({**START, "config": {"turns": "never"}}, "config.turns is none of the values that are allowed"),
        ({**START, "tools": [{"name": "a"}, {}]}, "tools[1].name is required"),
        ({**START, "tools": [{"name": "a", "timeout_ms": 9}]}, "tools[0].timeout_ms must be at least 100"),
        ({**START, "metadata": {"k": 1}}, "metadata[...] must be text"),
        ({**START, "metadata": {"k" * 65: "v"}}, "a key of metadata must have a length of at most 64"),
        ({**HELLO, "after": [1]}, "after must have a length of exactly 2"),
        ({**HELLO, "last_turn": 70_000}, "last_turn must be at most 65535"),
        ({"type": "image", "mime": "image/png", "data": "*"}, "data is no base64"),
        ({"type": "text", "text": "hello", "respond": "no"}, "respond must be true or false"),
    ],
)
def test_the_field_and_its_rule_are_named(message: dict[str, Any], said: str) -> None:
    assert why(message) == said


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_nothing_that_is_refused_is_left_without_a_reason(case: Case) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        CODECS[case["direction"]].decode(as_text(case["text"]))
    assert caught.value.detail


def test_a_reason_ends_the_sentence_of_the_registry() -> None:
    said = "The message is not valid JSON for its type: versions is required."
    assert control_error("bad_message", detail="versions is required").message == said
    assert media_error("bad_message", detail="versions is required").message == said


@searched(200)
@given(
    field=st.sampled_from(["request", "versions", "agent", "config", "tools", "metadata", "client", "type"]),
    value=st.recursive(
        st.sampled_from(["a secret", "a secret`", "a secret - at `$.x`", 7, None, True]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["a secret", "name", "turns", "voice"]), inner, max_size=2)
        ),
    ),
)
def test_no_reason_repeats_what_was_sent(field: str, value: Any) -> None:
    try:
        control_requests.decode(json.dumps({**START, field: value}))
    except RemoteProtocolError as error:
        assert "secret" not in error.detail


def test_a_decoder_that_words_it_otherwise_is_not_quoted() -> None:
    assert explain("Expected happiness, got 'a secret' - at `$.config`") == ""
