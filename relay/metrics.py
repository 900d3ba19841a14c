"""What a turn was like, and what troubled a call, as one line each in CloudWatch's embedded metric format.

Source: the format's specification; CloudWatch makes metrics of such lines in any log stream.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from relay.turn import Turn

logger = logging.getLogger("relay.metrics")

NAMESPACE = "Vivavoce"
VOICE_LATENCY = "voice_latency_ms"  #: end of the user's speech to the first audio here
TALK = "talk_s"  #: how long models were connected


class Meter:
    """Writes metrics of one deployment, `service`."""

    def __init__(self, service: str, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._clock = clock

    def turn(self, turn: Turn) -> None:
        """A finished turn. One without a known latency has nothing to tell."""
        if turn.first_audio_ms:
            self._emit("turn kept", {VOICE_LATENCY: "Milliseconds"}, {VOICE_LATENCY: turn.first_audio_ms})

    def connected(self, seconds: float) -> None:
        """A model was connected for so much longer: what is paid for, spoken or not."""
        self._emit("model connected", {TALK: "Seconds"}, {TALK: round(seconds, 3)})

    def troubles(self, counts: Mapping[str, int]) -> None:
        """What the watchdogs of a call have found. Nothing, nothing told: a metric costs by the hour."""
        found = {f"watchdog_{name}": float(count) for name, count in counts.items() if count}
        if found:
            self._emit("call troubled", dict.fromkeys(found, "Count"), found)

    def _emit(self, what: str, units: Mapping[str, str], values: Mapping[str, float]) -> None:
        listed = [{"Name": name, "Unit": unit} for name, unit in units.items()]
        how = {"Namespace": NAMESPACE, "Dimensions": [["service"]], "Metrics": listed}
        told = {"Timestamp": int(self._clock() * 1000), "CloudWatchMetrics": [how]}
        logger.info(what, extra={"_aws": told, "service": self._service, **values})
