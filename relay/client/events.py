"""What the client's side of a call tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.audio import AudioFrame
from protocol.media import ClientMessage
from relay.ports import TroubleFound


@dataclass(frozen=True, slots=True)
class ClientSpoke:
    """Microphone audio whose time has come."""

    frames: Sequence[AudioFrame]


@dataclass(frozen=True, slots=True)
class ClientSaid:
    message: ClientMessage


@dataclass(frozen=True, slots=True)
class ClientTook:
    """It has taken something that waited for it."""


@dataclass(frozen=True, slots=True)
class ClientLeft:
    """Its connection is gone, whatever the reason."""


ClientEvent = ClientSpoke | ClientSaid | ClientTook | ClientLeft | TroubleFound
