"""How late a client's microphone audio arrives on a narrow line. Without I/O."""

from __future__ import annotations

from collections import deque
from math import inf

from .limits import PROBE_EVERY_S, UPLINK_WINDOW_S


class UplinkDelay:
    """Waiting time on the way to the relay, from the pings among the frames; says when frames are to wait.

    What the socket has taken cannot be taken back, and the system takes more than is ever reported: so only a
    little more audio is sent than pongs have come for. A pong also tells, on two clocks which differ by a
    constant, how long its ping was under way: what that is above the least so far is waiting, the rest is the
    way, up and back. The model has no part in it, which `ack` would have.
    """

    def __init__(self) -> None:
        self.delay_s = 0.0  #: of the last ping that was answered
        self._audio_s = 0.0  #: sent on this connection
        self._pings: deque[tuple[float, float]] = deque()  #: not answered: time, audio sent before it
        self._probed_s = -inf  #: audio sent before the last ping
        self._way_s = 0.0
        self._least_s = inf  #: a ping's way up when it did not wait, and the clocks' difference

    def connected(self) -> None:
        """Another connection, perhaps to another clock."""
        self._pings.clear()
        self.delay_s = self._way_s = 0.0
        self._probed_s, self._least_s = -inf, inf

    def frame(self, length_s: float, now: float) -> bool:
        """A frame is sent. Return whether a ping with the time `now` has to go before it."""
        is_due = self._audio_s - self._probed_s >= PROBE_EVERY_S
        if is_due:
            self._probed_s = self._audio_s
            self._pings.append((now, self._audio_s))
        self._audio_s += length_s
        return is_due

    def answered(self, sent_at: float, server_s: float, now: float) -> None:
        """A pong came: its ping was sent at `sent_at`, and received at `server_s` of the relay's clock."""
        while self._pings and self._pings[0][0] <= sent_at:
            self._pings.popleft()
        up_s = server_s - sent_at
        self._least_s = min(self._least_s, up_s)
        self.delay_s = up_s - self._least_s
        self._way_s = now - sent_at - self.delay_s

    @property
    def is_full(self) -> bool:
        """More audio is under way than the way explains: frames are to wait on this side of it."""
        return bool(self._pings) and self._audio_s - self._pings[0][1] >= UPLINK_WINDOW_S + self._way_s
