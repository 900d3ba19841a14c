"""What users match on has public names."""

from __future__ import annotations

from typing import get_args

from protocol import media
from vivavoce import ConversationEvent, Quality, Reconnecting, messages


def test_everything_that_events_gives_has_a_public_name() -> None:
    given = set(get_args(ConversationEvent)) - {
        Quality,
        Reconnecting,
        media.Ack,
    }  # an ack is kept from the reader
    assert given <= {getattr(messages, name) for name in messages.__all__}


def test_every_public_name_is_there_and_is_the_protocols_own() -> None:
    assert sorted(messages.__all__) == messages.__all__
    for name in messages.__all__:
        assert getattr(messages, name) is not None
    assert messages.Transcript is media.Transcript
