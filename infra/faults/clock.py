"""Wall clocks that jump: `time.time` of a process has an offset that we write to a file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INJECTED = Path(__file__).with_name("injected")


class JumpingClock:
    """Clock offset of all processes run with `environment`: of `time.time`, not of the loop's clock."""

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file
        self._root = root
        self._write(0.0)

    @property
    def environment(self) -> dict[str, str]:
        return {"CLOCK_FILE": str(self._file), "PYTHONPATH": f"{_INJECTED}:{self._root}"}

    @contextmanager
    def ahead(self, seconds: float) -> Iterator[None]:
        """Set the offset during the block; negative: the clock is behind."""
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
