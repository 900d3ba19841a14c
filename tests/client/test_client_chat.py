"""What is shown of a conversation: the words of the record, whatever order they came in."""

from __future__ import annotations

import json

import msgspec
import pytest

from protocol.media import History, PastTurn, ServerMessage
from tests.protocol.players import Case, cases
from vivavoce.chat import Chat

read = msgspec.json.Decoder(ServerMessage).decode  #: of an event


@pytest.mark.parametrize("case", cases("chat"), ids=lambda case: case["name"])
def test_chat_vector(case: Case) -> None:
    assert set(case) == {"name", "events", "messages"}
    chat = Chat()
    for event in case["events"]:
        chat.take(read(json.dumps(event)))
    shown = [{name: getattr(line, name) for name in case["messages"][0]} for line in chat.lines]
    assert shown == case["messages"]


def test_what_is_fetched_of_the_past_takes_the_place_of_what_is_there() -> None:
    chat = Chat()
    chat.take(read('{"type":"transcript","message":"a1","turn":1,"role":"agent","text":"It is","e":1,"n":1}'))
    chat.take(History([PastTurn(1, "When?", "It is ten.", interrupted=True, outcome="interrupted")]))
    assert [(line.message, line.text, line.interrupted) for line in chat.lines] == [
        ("u1", "When?", False),
        ("a1", "It is ten.", True),
    ]
