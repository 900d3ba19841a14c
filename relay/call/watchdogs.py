"""All watchdogs of one call. Pure: time is an argument."""

from __future__ import annotations

from relay.call.mic_watchdog import MicWatchdog
from relay.call.outage import Outage
from relay.call.watchdog import ModelWatchdog
from relay.timeouts import Timeouts


class Watchdogs:
    """The model's, the microphone's, and that of a model that is away."""

    def __init__(self, timeouts: Timeouts, *, is_read: bool) -> None:
        self.model = ModelWatchdog(timeouts, is_read=is_read)
        self.mic, self.outage = MicWatchdog(timeouts.mic_s), Outage()
        self._is_suspended = False

    def suspend(self, is_suspended: bool, now: float) -> None:
        """Whether the model is not the one that is waited for. What it owes is counted from then on anew."""
        if self._is_suspended and not is_suspended:
            self.model.check(now, suspended=True)
        self._is_suspended = is_suspended
