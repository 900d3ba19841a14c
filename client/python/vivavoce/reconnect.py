"""Decides what a client does next when a request was answered, or failed, or a connection broke.

    start ──ready──▶ connect ──live──▶ broken ──▶ (random wait) ──▶ resume ──ready──▶ connect …
                                         └──▶ end

No I/O, no timers, no clock: each call is told the time and returns the next step. PROTOCOL.md has the rules
as a table, protocol/vectors/reconnect.json as cases; the TypeScript client is held to the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._protocol.errors import REGISTRY
from ._protocol.limits import (
    BACKOFF_BASE_S,
    BACKOFF_MAX_S,
    LATER_S,
    MOVE_EARLY_S,
    START_PATIENCE_S,
    START_TRIES,
    STEADY_S,
    TICKET_S,
)
from .errors import LOCAL, VoiceError

#: close code of the media road -> code of an error that ends the session
FINAL_CLOSE_CODES = {
    entry.close: code for code, entry in REGISTRY.items() if entry.close and entry.retry == "never"
}
_OF_TICKET = (401, 403)  #: HTTP status of a relay, or an edge, that was reached and refused the ticket
OF_TOKEN = ("auth_missing", "auth_invalid", "auth_expired")  #: another token may be accepted
_UNANSWERED = ("connection_lost", "connect_timeout")


@dataclass(frozen=True, slots=True)
class Step:
    """Next action, after a random wait between `wait_s` and `wait_s + jitter_s`.

    `start` and `resume` are requests on control, `connect` opens the media connection of the newest `ready`,
    `end` raises `error` or, without one, is the end as it should be. `stay`: a move failed, the old
    connection stays.
    """

    do: Literal["start", "resume", "connect", "end", "stay"]
    error: VoiceError | None = None  #: why; None: nothing is wrong
    media_failed: bool = False
    refresh: bool = False  #: with another token than the last one
    wait_s: float = 0.0
    jitter_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MediaClose:
    """End of a media connection."""

    failure: VoiceError | None = None  #: why its handshake failed, None when it succeeded
    status: int | None = None  #: HTTP status of a refused handshake
    ticket_s: float = 0.0  #: from `ready` to the end of the handshake
    live_s: float | None = None  #: how long it was live; None: never
    code: int | None = None  #: close code; None: this end gave up waiting
    refusal: VoiceError | None = None  #: the fatal error before the close
    is_ended: bool = False  #: `ended` has come


def is_resumable(code: str) -> bool:
    """Return whether a resume mends this error, even if `ended` followed: only the relay's part ended."""
    return code in LOCAL or (code in REGISTRY and REGISTRY[code].retry in ("resume", "refresh"))


def is_relay_failure(status: int | None, ticket_s: float) -> bool:
    """Return whether a failed media handshake is its relay's fault: only then is `media_failed` true.

    Without a status (None) a ticket that had expired meanwhile, because the machine slept, may be the reason.
    """
    return ticket_s < TICKET_S if status is None else status not in _OF_TICKET


def move_within_s(ends_in_ms: int) -> float:
    """Return how long a client may wait for a pause between turns before it leaves a relay that goes away."""
    return max(0.0, ends_in_ms / 1000 - MOVE_EARLY_S)


class Reconnect:
    """The reconnect policy of one session. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.is_admitted = False  #: a `starting` or `ready` has come
        self._request: Literal["start", "resume"] = "start"
        self._media_failed = False
        self._is_refreshed = False  #: the request was made again with another token
        self._is_moving = False  #: a resume while the old connection still serves
        self._refusal: VoiceError | None = None  #: of the connection that broke
        self._unanswered = 0
        self._attempts = 0  #: since the last connection that held
        self._ends_at = 0.0
        self._resume_s = 0.0  #: how long the server waits for its client

    def start(self, now: float) -> Step:
        """Open a session."""
        self._ends_at = now + START_PATIENCE_S
        return Step("start")

    def restore(self, now: float) -> Step:
        """Go on with a session whose key was kept, without memory of its connections."""
        self._request, self._ends_at = "resume", now + START_PATIENCE_S
        return Step("resume")

    def ready(self, resume_s: float) -> Step:
        """Take the answer to a request."""
        self.is_admitted, self._is_refreshed, self._is_moving = True, False, False
        self._resume_s = resume_s
        return Step("connect")

    def failed(self, error: VoiceError, now: float) -> Step:
        """Take why a request failed: the server's error, or one of this client's own."""
        if error.code in OF_TOKEN and error.retryable and not self._is_refreshed:
            self._is_refreshed = True
            return Step(self._request, media_failed=self._media_failed, refresh=True)
        if self._is_moving:
            self._is_moving = self._is_refreshed = False
            return Step("stay")
        if error.code == "session_ended" and self._refusal is not None:
            return Step("end", self._refusal)
        if self._is_final(error):
            return Step("end", error)
        return self._again(error, now)

    def closed(self, closed: MediaClose, now: float) -> Step:
        """Take the end of a media connection, or of the attempt to make one."""
        if closed.is_ended and closed.refusal is None:
            return Step("end")
        error = closed.refusal or closed.failure or _reason(closed)
        if closed.live_s is not None or self._request == "start":  # the server waits anew
            self._ends_at = now + self._resume_s
        if closed.live_s is not None and closed.live_s >= STEADY_S:
            self._attempts = 0
        self._request, self._refusal = "resume", closed.refusal
        self._media_failed = closed.failure is not None and is_relay_failure(closed.status, closed.ticket_s)
        if is_resumable(error.code) or (error.retryable and not closed.is_ended):
            return self._again(error, now)
        return Step("end", error)

    def move(self) -> Step:
        """Resume elsewhere with the old connection still open, which is left when `ready` has come."""
        self._request, self._media_failed, self._is_moving = "resume", False, True
        return Step("resume")

    def _is_final(self, error: VoiceError) -> bool:
        if self._request == "resume" or self.is_admitted:
            return not error.retryable
        self._unanswered += 1
        return error.code not in _UNANSWERED or self._unanswered >= START_TRIES

    def _again(self, error: VoiceError, now: float) -> Step:
        self._is_refreshed = False
        wait_s = error.retry_after_ms / 1000 or (0.0 if is_resumable(error.code) else LATER_S)
        if now + wait_s >= self._ends_at:
            return Step("end", error)
        jitter_s = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0**self._attempts)
        self._attempts += 1
        return Step(self._request, error, self._media_failed, wait_s=wait_s, jitter_s=jitter_s)


def _reason(closed: MediaClose) -> VoiceError:
    """Error of a connection that was closed without one."""
    if closed.code in FINAL_CLOSE_CODES:
        return VoiceError.of(FINAL_CLOSE_CODES[closed.code])
    is_late = closed.live_s is None and closed.code is None
    return VoiceError.of("connect_timeout" if is_late else "connection_lost")
