"""The words of a turn: collected at a cost that grows with them, not with their square, and up to a bound."""

from __future__ import annotations

import pytest

from gemini import messages as model
from protocol import media
from protocol.limits import TURN_TEXT_BYTES
from protocol.server import ServerSession
from relay.call.conversation import Conversation
from tests.relay.test_conversation import Table


class Piece(str):
    """Text that counts what is copied when it is concatenated."""

    copied = 0

    def __radd__(self, other: str) -> str:
        Piece.copied += len(other) + len(self)
        return Piece("".join((other, self)))

    def __add__(self, other: str) -> str:
        Piece.copied += len(other) + len(self)
        return Piece("".join((self, other)))


class Unheard(ServerSession):
    """A session whose client is told nothing."""

    def send(self, event: media.Event) -> None:
        pass


@pytest.mark.parametrize("source", ["typed", "heard", "said"])
def test_collecting_the_words_of_a_turn_copies_no_more_than_there_are(source: str) -> None:
    talk = Conversation(Unheard(epoch=1, now=0.0), [])
    Piece.copied = 0
    for n in range(200):
        piece = Piece(f"word{n} ")
        if source == "typed":
            talk.client_said(media.Text(piece, respond=False), 1.0)
        else:
            talk.model_said(model.Heard(piece) if source == "heard" else model.Said(piece), 1.0)
    talk.close(2.0)
    (turn,) = talk.finished
    words = "".join(f"word{n} " for n in range(200))
    assert turn.user_text + turn.agent_text == words
    assert Piece.copied <= len(words)


@pytest.mark.parametrize("word", ["a", "ж", "語", "😀"])
def test_the_words_of_a_turn_are_recorded_and_told_up_to_a_bound(word: str) -> None:
    table, typed = Table(), word * 7_999 + " "
    for _ in range(20):
        table.says(media.Text(typed, respond=False))
    table.talk.close(2.0)
    (turn,) = table.talk.finished
    told = "".join(event.text for event in table.got if isinstance(event, media.Transcript))
    assert told == turn.user_text and turn.user_text.endswith("[…]")
    kept = turn.user_text.removesuffix(" […]")
    assert kept == (typed * 20).encode()[:TURN_TEXT_BYTES].decode(errors="ignore")
    sent = [command.text for command in table.talk.commands if isinstance(command, model.SayText)]
    assert sent == [typed] * 20  # the model gets all of it
