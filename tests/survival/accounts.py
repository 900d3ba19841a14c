"""Accounts of a microphone's numbered pieces: which of them a model has heard, by its ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from protocol import media
from simulator import Running
from tests.survival.crew import APART, Mate

WRITTEN_S = 10.0  #: for the model's last connection to be closed, and its line to be in the ledger


@dataclass(frozen=True, slots=True)
class Account:
    """Pieces of 20 ms of one conversation."""

    sent: int
    unheard: int  #: by no connection of the model's
    forgotten: int  #: between the first and the last that the model's last memory has
    connections: int
    twice: int  #: events that came twice, or turns that ended twice


async def account(model: Running, mate: Mate) -> Account:
    """Of a conversation that is over."""
    held = await _memories(model, mate)
    heard = {number for line in held for number in _numbers(line["planted"])}
    sent = range(mate.first, mate.first + mate.pieces)
    missing = list(_numbers(held[-1]["missing"])) if held else []
    return Account(mate.pieces, len(set(sent) - heard), len(missing), len(held), _twice(mate))


async def _memories(model: Running, mate: Mate) -> list[dict[str, Any]]:
    """What each of the model's connections has heard of this conversation, the one that heard last behind.

    One whose relay was suspended may still be open: nobody has told the model.
    """
    ends_at = time.monotonic() + WRITTEN_S
    while True:
        open_ones = [one.dispatch.conversation.memory for one in model.connections.values() if one.dispatch]
        held = model.ledger.where("connection.closed") + [memory.consumed() for memory in open_ones]
        ours = sorted((line for line in held if _is_of(line, mate)), key=_newest)
        if time.monotonic() > ends_at or (ours and _newest(ours[-1]) >= mate.first + mate.pieces - 1):
            return ours
        await asyncio.sleep(0.1)


def _newest(line: dict[str, Any]) -> int:
    return max(last for _, last in line["planted"])


def _is_of(line: dict[str, Any], mate: Mate) -> bool:
    return any(mate.first <= first < mate.first + APART for first, _ in line.get("planted", ()))


def _numbers(ranges: Iterable[tuple[int, int]]) -> Iterable[int]:
    return (number for first, last in ranges for number in range(first, last + 1))


def _twice(mate: Mate) -> int:
    numbers = [(e.e, e.n) for e in mate.events if getattr(e, "n", 0)]
    ends = [(e.turn, e.role) for e in mate.events if isinstance(e, media.TurnEnded)]
    return len(numbers) - len(set(numbers)) + len(ends) - len(set(ends))
