"""What the processes of the local stack print: a file for each source, and the latest lines in memory."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TextIO

KEPT_LINES = 20_000


class Line(NamedTuple):
    """One line of output. `source` is a function's name, `relay`, or another part of the stack."""

    source: str
    text: str


class Logs:
    """Collects lines. `directory` None: in memory only."""

    def __init__(self, directory: Path | None) -> None:
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self.watchers: list[Callable[[Line], None]] = []
        self._directory = directory
        self._files: dict[str, TextIO] = {}
        if directory:
            directory.mkdir(parents=True, exist_ok=True)

    def sink(self, source: str) -> Callable[[str], None]:
        """What a process's output is handed to, line by line."""
        return lambda text: self.write(source, text)

    def write(self, source: str, text: str) -> None:
        """Keeps one line and shows it to whoever watches."""
        line = Line(source, text)
        self.lines.append(line)
        if self._directory:
            if source not in self._files:
                path = self._directory / f"{source}.log"
                self._files[source] = path.open("w", encoding="utf-8", buffering=1)
            self._files[source].write(text + "\n")
        for watcher in list(self.watchers):
            watcher(line)

    def text(self, source: str = "") -> str:
        """The lines in memory, of one source or of all."""
        return "\n".join(line.text for line in self.lines if source in ("", line.source))

    def close(self) -> None:
        """Closes the files; lines in memory stay."""
        for file in self._files.values():
            file.close()
        self._files.clear()
