"""Secrets from SSM, kept in memory for a few minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import ClientError

KEEP_S = 300  #: cache lifetime: every container uses a rotated secret after this


class SecretUnavailable(Exception):
    """Parameter cannot be read. The text is the store's error code."""


class ParameterStore(Protocol):
    """Client of SSM, as far as it is used."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any: ...


class Secret:
    """One SecureString by its name. Never logged, and not in `repr`."""

    def __init__(self, store: ParameterStore, name: str, clock: Callable[[], float]) -> None:
        self.store = store
        self.name = name
        self._clock = clock
        self._value = ""
        self._fetched_at: float | None = None

    def forget(self) -> None:
        """Drop the cached value: it was refused, and may have been replaced."""
        self._fetched_at = None

    def __call__(self) -> str:
        """The value. Raises SecretUnavailable."""
        now = self._clock()
        if self._fetched_at is None or now - self._fetched_at >= KEEP_S:
            try:
                answer = self.store.get_parameter(Name=self.name, WithDecryption=True)
            except ClientError as error:
                raise SecretUnavailable(error.response["Error"]["Code"]) from None
            self._value = str(answer["Parameter"]["Value"])
            self._fetched_at = now
        return self._value
