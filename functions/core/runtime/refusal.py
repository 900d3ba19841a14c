"""What a request comes to when it is not granted."""

from __future__ import annotations


class Refusal(Exception):
    """Answered by the registry's error of that code."""

    def __init__(
        self, code: str, *, ref: str = "", session: str = "", retry_after_ms: int = 0, fatal: bool = True
    ) -> None:
        super().__init__(code)
        self.code = code
        self.ref = ref  #: what the error is about; empty: the request itself
        self.session = session  #: the user's own session that it is about, if there is one
        self.retry_after_ms = retry_after_ms
        self.fatal = fatal


class Overtaken(Exception):
    """Another answers: the client has asked again since, maybe on another connection, or was told already."""
