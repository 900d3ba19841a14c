"""What came out of the speaker: counted, and written to a file as it comes."""

from __future__ import annotations

from pathlib import Path

from protocol.audio import downlink_ms
from vivavoce.wavefile import WavWriter


class Heard:
    """Takes the agent's sound as it is heard. The file begins with the first of it."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path  #: None: nothing is kept
        self.failure: OSError | None = None  #: why the file ends early
        self._bytes = 0
        self._file: WavWriter | None = None

    @property
    def ms(self) -> int:
        """How much it is."""
        return round(downlink_ms(self._bytes))

    def take(self, pcm: bytes) -> None:
        """24 kHz mono s16le. A file that cannot be written ends nothing but itself."""
        self._bytes += len(pcm)
        if self.path is None or self.failure:
            return
        try:
            self._file = self._file or WavWriter(self.path)
            self._file.write(pcm)
        except OSError as error:
            self.failure = error

    def close(self) -> None:
        """Ends the file."""
        if self._file:
            try:
                self._file.close()
            except OSError as error:
                self.failure = self.failure or error


def cannot_write(path: Path) -> OSError | None:
    """Why a file cannot be written there; None: it can. Nothing is changed by asking."""
    is_new = not path.exists()
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        return error
    return None
