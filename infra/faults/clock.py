"""Wall clocks that jump: what a process reads as the time is off by a number that we write."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INSIDE = Path(__file__).with_name("inside")


class JumpingClock:
    """Of all processes that run with its `environment`. Only `time.time` jumps, the loop's clock does not."""

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file
        self._root = root
        self._write(0.0)

    @property
    def environment(self) -> dict[str, str]:
        return {"CLOCK_FILE": str(self._file), "PYTHONPATH": f"{_INSIDE}:{self._root}"}

    @contextmanager
    def ahead(self, seconds: float) -> Iterator[None]:
        """The clock is off during the block; negative: it is behind."""
        self._write(seconds)
        try:
            yield
        finally:
            self._write(0.0)

    def _write(self, seconds: float) -> None:
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:  # in place: others have it mapped
            file.write(struct.pack("d", seconds))
