"""What another relay needs to go on with the model: its newest handle, and of which model it is."""

from __future__ import annotations

from records.sessions import key
from records.table import ConditionFailed, Fenced, Table

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
