"""What the model's side of a call tells it."""

from __future__ import annotations

from dataclasses import dataclass

from gemini.messages import Credential, ModelCommand, ModelEvent
from relay.model.uplink_queue import Quiet, Speech
from relay.ports import TroubleFound


@dataclass(frozen=True, slots=True)
class LegOpened:
    """A leg is open and up to date."""

    gap_ms: int | None  #: for so long there was none; None the first time
    credential: Credential  #: whose model, and what its setup says


@dataclass(frozen=True, slots=True)
class LegClosed:
    """What the leg had begun will not be finished by the next one."""


@dataclass(frozen=True, slots=True)
class ModelSaid:
    event: ModelEvent


@dataclass(frozen=True, slots=True)
class Sent:
    """The leg has taken it."""

    item: Speech | Quiet | ModelCommand


@dataclass(frozen=True, slots=True)
class HandleIssued:
    """The model has issued a handle; `Resumption.handle` may have changed."""


@dataclass(frozen=True, slots=True)
class PongCame:
    """The other end of the leg is there."""


ConnectionEvent = LegOpened | LegClosed | ModelSaid | Sent | HandleIssued | PongCame | TroubleFound
