"""Form of a client's microphone audio: PCM, or ADPCM on a line that is too narrow for it. Without I/O."""

from __future__ import annotations

from math import inf

from .limits import ADPCM_MAX_S, ADPCM_S, NARROW_S


class UplinkForm:
    """ADPCM from the first frame that had to be dropped, then PCM again, after longer and longer times.

    How wide the line is cannot be seen while a third of it is used, only by PCM itself. So PCM is tried, and
    when that fails soon, not again for twice as long.
    """

    def __init__(self) -> None:
        self._until = -inf  #: ADPCM
        self._wait_s = 0.0  #: the last time of ADPCM; what has not failed for as long counts as wide

    def dropped(self, now: float, *, is_possible: bool) -> None:
        """A frame was dropped that had waited too long for room. `is_possible`: the server takes ADPCM."""
        if now >= self._until + self._wait_s:
            self._wait_s = ADPCM_S
        elif now >= self._until:
            self._wait_s = min(2 * self._wait_s, ADPCM_MAX_S)
        if not is_possible:
            self._wait_s = 0.0
        self._until = now + self._wait_s

    def held(self, now: float) -> None:
        """A frame has to wait for room. A try of PCM fails at that, before anything is dropped."""
        if self._wait_s and self._until <= now < self._until + NARROW_S:
            self.dropped(now, is_possible=True)

    def is_adpcm(self, now: float) -> bool:
        return now < self._until

    def is_narrow(self, now: float) -> bool:
        """The line does not carry PCM, or did not a moment ago."""
        return now < self._until + NARROW_S
