"""What another relay needs to go on: the model's handle, of which model it is, and what is not answered."""

from __future__ import annotations

from records.sessions import key
from records.table import ConditionFailed, Fenced, Table

QUESTION_CHARS = 4_000  #: the end of a question that is longer
HANDLE_BYTES = 16 * 1024  #: largest resumption handle stored; each read of the session pays for it


def save_handle(table: Table, session: str, epoch: int, handle: str, now: int) -> bool:
    """Keep the model's newest resumption handle. Raises Fenced.

    False when it is too large. Then none is kept: an old handle would silently omit turns; without a handle
    the relay replays them.
    """
    fits, owned = len(handle.encode()) <= HANDLE_BYTES, "#epoch = :epoch"
    try:
        if fits:
            update = "SET #handle = :handle, #handle_at = :now"
            table.update(key(session), update, owned, handle=handle, now=now, epoch=epoch)
        else:
            table.update(key(session), "REMOVE #handle, #handle_at", owned, epoch=epoch)
    except ConditionFailed:
        raise Fenced(session) from None
    return fits


def save_model(table: Table, session: str, epoch: int, model: str) -> None:
    """Keep which of its agent's models a session fell back to: its handles are of that one. Raises Fenced."""
    try:
        table.update(key(session), "SET #model = :model", "#epoch = :epoch", model=model, epoch=epoch)
    except ConditionFailed:
        raise Fenced(session) from None


def save_question(
    table: Table, session: str, epoch: int, turn: int, words: str, frames: tuple[int, int] = (0, -1)
) -> None:
    """Keep what was said in `turn` and is not answered, or that nothing is (no words). Raises Fenced.

    `frames` are the first and the last of the microphone's in which it was said. When that turn is written
    the question is answered, and need not be taken back.
    """
    first, last = frames
    set_words = "SET #question = :question, #question_turn = :turn"
    update = f"{set_words}, #question_first = :first, #question_last = :last"
    owned, words = "#epoch = :epoch", words[-QUESTION_CHARS:]
    try:
        table.update(
            key(session), update, owned, question=words, turn=turn, first=first, last=last, epoch=epoch
        )
    except ConditionFailed:
        raise Fenced(session) from None
