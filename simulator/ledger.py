"""Event log of the simulator: input, output, and facts that never go over the wire.

One JSON object a line: `n` (from 1), `t` (virtual seconds since start), `epoch_s`
(wall clock), `kind` (past tense), and the fact's own fields. Tone codes, word
times and watermark numbers are here and nowhere on the wire. Keys, tokens and
handles appear only as fingerprints.
"""

import asyncio
import hashlib
import json
import time
from collections import deque
from pathlib import Path
from typing import Any, TextIO

from simulator.clock import Clock

KEPT_LINES = 20_000  #: in memory; the file, if any, holds all

Line = dict[str, Any]


def fingerprint(secret: str) -> str:
    """Eight hex digits that tell credentials apart without giving them away."""
    return hashlib.blake2s(secret.encode(), digest_size=4).hexdigest()


class Ledger:
    """Lines in memory (bounded) and, with a path, in a JSONL file."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._clock = clock
        self._count = 0
        self._file: TextIO | None = path.open("a", encoding="utf-8", buffering=1) if path else None
        self._news = asyncio.Event()

    def note(self, kind: str, **fields: Any) -> Line:
        self._count += 1
        line: Line = {
            "n": self._count,
            "t": round(self._clock.now(), 4),
            "epoch_s": round(time.time(), 4),
            "kind": kind,
            **fields,
        }
        self.lines.append(line)
        if self._file:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._news.set()
        return line

    def where(self, kind: str, **fields: Any) -> list[Line]:
        """Lines of one kind whose fields have these values, oldest first."""
        return [line for line in self.lines if _fits(line, kind, fields)]

    def after(self, number: int, limit: int) -> list[Line]:
        """At most `limit` lines that come after line `number`."""
        return [line for line in self.lines if line["n"] > number][:limit]

    async def wait_for(self, kind: str, *, count: int = 1, within_s: float = 10.0, **fields: Any) -> Line:
        """The `count`-th such line, now or when it comes. Raises TimeoutError after real seconds."""
        async with asyncio.timeout(within_s):
            while len(found := self.where(kind, **fields)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def _fits(line: Line, kind: str, fields: dict[str, Any]) -> bool:
    return line["kind"] == kind and all(line.get(name) == value for name, value in fields.items())
