"""Exceptions that end a request without its reply."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.control import OpenSession


class Refusal(Exception):
    """Request refused: answered by the registry's error of that code."""

    def __init__(
        self,
        code: str,
        *,
        ref: str = "",
        detail: str = "",
        session: str = "",
        retry_after_ms: int = 0,
        fatal: bool = True,
        sessions: Sequence[OpenSession] = (),
    ) -> None:
        super().__init__(code)
        self.code = code
        self.ref = ref  #: subject of the error; empty: the request itself
        self.detail = detail  #: end of the error's sentence: what it was in this case
        self.session = session  #: the user's own session concerned, if any
        self.retry_after_ms = retry_after_ms
        self.fatal = fatal
        self.sessions = sessions  #: the user's open ones, when there are too many


class StaleRequest(Exception):
    """Request needs no reply: the client has sent a newer one, or this one was answered already."""
