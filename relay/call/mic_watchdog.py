"""Notices a microphone that is said to be open and sends nothing. Pure: time is an argument."""

from __future__ import annotations


class MicWatchdog:
    """Notices a microphone that is said to be open and sends nothing."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._awaited_since: float | None = None

    def said(self, state: str, now: float) -> None:
        """The client told what its microphone does."""
        self._awaited_since = now if state == "open" else None

    def frame(self, now: float) -> None:
        if self._awaited_since is not None:
            self._awaited_since = now

    def is_mute(self, now: float, *, is_here: bool) -> bool:
        """True once for each silence. A client that is not here owes nothing."""
        if self._awaited_since is None:
            return False
        if not is_here:
            self._awaited_since = now
            return False
        if now < self._awaited_since + self._timeout_s:
            return False
        self._awaited_since = float("inf")  # until the next frame, or word
        return True

    def next_timeout(self) -> float | None:
        """Time at which to ask `is_mute`; None for never."""
        at = None if self._awaited_since is None else self._awaited_since + self._timeout_s
        return None if at == float("inf") else at
