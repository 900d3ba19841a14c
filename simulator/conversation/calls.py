"""Open tool calls of one connection, their responses and their time limit."""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.conversation.replies import Returned
from simulator.scenario import Call
from simulator.session.setup import Setup
from simulator.wire.refusal import invalid

CALL_PATIENCE_S = 120.0  #: an unanswered call no longer counts as executing after this (our guess)
WHEN_IDLE = "WHEN_IDLE"


@dataclass(slots=True)
class Pending:
    """A tool call the client has not answered yet."""

    id: str
    name: str
    is_blocking: bool
    interaction: int  #: number of the turn in which the user set it off
    made_at: float
    done: asyncio.Event = field(default_factory=asyncio.Event)  #: answered or cancelled
    returned: Returned | None = None
    is_twin: bool = False  #: a fault's copy: nothing waits for its answer
    is_nameless: bool = False  #: a fault has sent it without its id


@dataclass(frozen=True, slots=True)
class Response:
    """One FunctionResponse, checked."""

    id: str
    returned: Returned
    scheduling: str
    will_continue: bool


class Calls:
    """The open calls of one connection. A resumed session starts without: results mid-way are lost."""

    def __init__(self) -> None:
        self._open: dict[str, Pending] = {}

    def open(self, call: Call, setup: Setup, interaction: int, now: float) -> Pending:
        """A call with an id of its own. An undeclared function counts as the model's default."""
        declared = setup.declared(call.name)
        is_blocking = declared.is_blocking if declared else not setup.model.non_blocking_by_default
        pending = Pending(_new_id(), call.name, is_blocking, interaction, now)
        self._open[pending.id] = pending
        return pending

    def open_twin(self, pending: Pending) -> Pending:
        """The same call under another id."""
        twin = replace(pending, id=_new_id(), done=asyncio.Event(), is_twin=True)
        self._open[twin.id] = twin
        return twin

    def answered(self, response: Response) -> Pending | None:
        """The call that this answers; None for one that is unknown, cancelled or answered before."""
        pending = self._open.get(response.id) or self._nameless(response)
        if pending is None:
            return None
        if not response.will_continue:
            del self._open[pending.id]
        if pending.is_blocking:
            pending.returned = response.returned
            pending.done.set()
        return pending

    @property
    def needs_id(self) -> bool:
        """Whether every response must have an id, as every open call has."""
        return not any(pending.is_nameless for pending in self._open.values())

    def _nameless(self, response: Response) -> Pending | None:
        """The oldest call without an id, for a response without one."""
        waiting = (each for each in self._open.values() if each.is_nameless and not response.id)
        return next((each for each in waiting if each.name == response.returned.tool), None)

    def cancel_blocking(self) -> list[str]:
        """Cancel every blocking call, as new input makes the model do. Returns their ids."""
        cancelled = [pending for pending in self._open.values() if pending.is_blocking]
        for pending in cancelled:
            del self._open[pending.id]
            pending.done.set()
        return [pending.id for pending in cancelled]

    def is_waiting(self, interaction: int) -> bool:
        """Whether a call set off by that turn of the user is still open."""
        return any(pending.interaction == interaction for pending in self._counted())

    def is_executing(self, now: float) -> bool:
        return any(now - pending.made_at < CALL_PATIENCE_S for pending in self._counted())

    def _counted(self) -> list[Pending]:
        return [pending for pending in self._open.values() if not pending.is_twin]


def read(given: dict[str, Any], setup: Setup, *, needs_id: bool = True) -> Response:
    """A FunctionResponse. Raises Refusal: `id` is mandatory, and `name` on the 3.8 models.

    That a missing name is refused is documented; with which code is our guess.
    """
    call_id, name, body = given.get("id"), given.get("name"), given.get("response")
    if needs_id and not (isinstance(call_id, str) and call_id):
        raise invalid()
    if setup.model.profile.response_name.value and not name:
        raise invalid()
    if setup.is_vertex and given.get("scheduling"):
        raise invalid()
    # Older documents put the scheduling inside the response.
    inner = body.get("scheduling") if isinstance(body, dict) else None
    return Response(
        id=str(call_id or ""),
        returned=Returned(str(name or ""), body),
        scheduling=str(given.get("scheduling") or inner or WHEN_IDLE),
        will_continue=given.get("willContinue") is True,
    )


def _new_id() -> str:
    return f"function-call-{secrets.randbelow(10**19):019d}"
