"""Typed errors of a conversation."""

from __future__ import annotations

from ._protocol.control import ControlError, OpenSession
from ._protocol.errors import REGISTRY
from ._protocol.media import Error

#: codes of this client only; all others are the protocol's (protocol/ERRORS.md)
LOCAL: dict[str, tuple[str, bool]] = {
    "connect_failed": ("The server cannot be reached.", True),
    "connect_timeout": ("The server did not answer in time.", True),
    "connection_lost": ("The connection broke and could not be made again in time.", True),
    "token_failed": ("No token could be fetched.", True),
    "closed": ("The conversation is over.", False),
}

#: HTTP status of a refused handshake -> code; any other is `connect_failed`
OF_STATUS = {
    401: "auth_invalid",
    403: "origin_refused",
    413: "too_large",
    429: "rate_limited",
    431: "too_large",
}
_REQUEST_TIMEOUT = 408  #: like 5xx, the one of the statuses without a code that passes


class VoiceError(Exception):
    """A conversation, or the attempt to begin one, failed.

    `code` is stable: one of the protocol's registry or of `LOCAL`. `retryable` says whether a new attempt may
    succeed, not before `retry_after_ms` (0: no such wish).
    """

    def __init__(self, code: str, message: str, retryable: bool = False, retry_after_ms: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.status: int | None = None  #: HTTP status of a refused handshake
        self.sessions: tuple[
            OpenSession, ...
        ] = ()  #: with `quota_sessions`: the user's, `end_session` ends one
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms

    @classmethod
    def of(cls, code: str, detail: str = "") -> VoiceError:
        """The error with its own sentence. `detail` is appended: an address, an HTTP status, a close code."""
        if code in LOCAL:
            message, retryable = LOCAL[code]
        elif code in REGISTRY:
            message, retryable = REGISTRY[code].message, REGISTRY[code].retryable
        else:  # a newer server's
            message, retryable = "The server gave an error this client does not know.", False
        return cls(code, f"{message} {detail}".rstrip(), retryable)

    @classmethod
    def refused(cls, status: int, detail: str = "") -> VoiceError:
        """Return the error of a handshake that was answered with an HTTP status: a table of PROTOCOL.md."""
        code = OF_STATUS.get(status, "connect_failed")
        error = cls.of(code, detail)
        if code == "connect_failed":
            error.retryable = status >= 500 or status == _REQUEST_TIMEOUT
        error.status = status
        return error

    @classmethod
    def received(cls, error: ControlError | Error) -> VoiceError:
        """Convert an error message of the server."""
        made = cls(error.code, error.message, error.retryable, error.retry_after_ms)
        if isinstance(error, ControlError):
            made.sessions = tuple(error.sessions)
        return made


class ToolError(Exception):
    """Raise it in a tool to refuse: its text, and only its text, is told to the model."""
