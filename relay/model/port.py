"""The model side of a call as a port: one connection, and how it fails. What it says: gemini/messages.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from gemini.messages import Credential, ModelCommand, ModelEvent


class UpstreamError(Exception):
    """The model leg failed. `code` is one of the registry's `upstream_*`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ModelLeg(Protocol):
    """One open connection to the model."""

    async def send_audio(self, pcm: bytes) -> None: ...

    async def send(self, command: ModelCommand) -> None: ...

    def events(self) -> AsyncIterator[ModelEvent]:
        """What the model says, until it closes. Raises UpstreamError when it fails."""
        ...

    async def ping(self) -> None:
        """Returns when the peer has answered a ping. Raises UpstreamError when the connection is gone."""
        ...

    async def close(self) -> None: ...


class Legs(Protocol):
    """Where model legs come from. Both raise UpstreamError."""

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        """A credential for one connection. `refused`: models that could not be had."""
        ...

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg: ...
