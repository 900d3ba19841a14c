"""A bookkeeper who reads nothing but the simulator's ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Book:
    """What the service has charged, and how long it was connected."""

    told: int = 0  #: micro-dollars of turns whose usage was told
    untold: int = 0  #: micro-dollars of what was not: hung up on, or not told at all
    connected_s: float = 0.0
    connections: int = 0
    turns: int = 0
    unclosed: int = 0

    @property
    def total(self) -> int:
        return self.told + self.untold


def read(log: Path) -> Book:
    """All of a ledger's lines."""
    book, opened = Book(), dict[int, float]()
    for text in log.read_text("utf-8").splitlines():
        line = json.loads(text)
        match line["kind"]:
            case "charged":
                book.turns += 1
                if line["told"]:
                    book.told += line["micro_dollars"]
                else:
                    book.untold += line["micro_dollars"]
            case "session.opened":
                opened[line["connection"]] = line["t"]
            case "connection.closed" if line["connection"] in opened:
                book.connected_s += line["t"] - opened.pop(line["connection"])
                book.connections += 1
    book.unclosed = len(opened)
    return book
