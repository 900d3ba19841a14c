"""States and legal moves of both ends of the media road, and of one agent turn, as tables.

A missing pair is illegal. REFERENCE.md prints its diagrams from these tables; a test visits every pair.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

from .errors import LocalProtocolError


class ServerState(Enum):
    """A call, as the relay sees its client."""

    WAITING = "waiting"  #: no client has said hello yet
    OPENING = "opening"  #: hello is in, the model leg is not up yet
    LIVE = "live"
    DETACHED = "detached"  #: the client is disconnected; the call waits for it
    ENDED = "ended"


class ClientState(Enum):
    """A session, as the client sees it."""

    NEW = "new"  #: nothing sent yet
    JOINING = "joining"  #: hello is out, live is awaited
    LIVE = "live"
    BROKEN = "broken"  #: the media connection is lost
    ENDED = "ended"


class TurnState(Enum):
    """The agent's part of one turn."""

    SILENT = "silent"  #: nothing of it has come yet
    SPEAKING = "speaking"
    SPOKEN = "spoken"  #: all of its audio was sent; it may still play, and the agent may go on by itself
    ENDED = "ended"
    INTERRUPTED = "interrupted"


S, C, T = ServerState, ClientState, TurnState

SERVER: dict[ServerState, dict[str, ServerState]] = {
    S.WAITING: {"hello": S.OPENING, "lost": S.DETACHED, "end": S.ENDED},
    S.OPENING: {"live": S.LIVE, "lost": S.DETACHED, "end": S.ENDED},
    S.LIVE: {"lost": S.DETACHED, "end": S.ENDED},
    S.DETACHED: {"hello": S.OPENING, "lost": S.DETACHED, "end": S.ENDED},
    S.ENDED: {"hello": S.ENDED, "lost": S.ENDED, "end": S.ENDED},
}

CLIENT: dict[ClientState, dict[str, ClientState]] = {
    C.NEW: {"hello": C.JOINING, "end": C.ENDED},
    C.JOINING: {"live": C.LIVE, "lost": C.BROKEN, "end": C.ENDED},
    C.LIVE: {"lost": C.BROKEN, "end": C.ENDED},
    C.BROKEN: {"hello": C.JOINING, "lost": C.BROKEN, "end": C.ENDED},
    C.ENDED: {"lost": C.ENDED, "end": C.ENDED},
}

TURN: dict[TurnState, dict[str, TurnState]] = {
    T.SILENT: {"speech": T.SPEAKING, "interrupt": T.INTERRUPTED, "end": T.ENDED},
    T.SPEAKING: {
        "speech": T.SPEAKING,
        "audio_end": T.SPOKEN,
        "interrupt": T.INTERRUPTED,
        "end": T.ENDED,
    },
    T.SPOKEN: {"speech": T.SPEAKING, "audio_end": T.SPOKEN, "interrupt": T.INTERRUPTED, "end": T.ENDED},
    T.INTERRUPTED: {"end": T.ENDED},
    T.ENDED: {},
}

TABLES: dict[str, dict[Any, dict[str, Any]]] = {"server": SERVER, "client": CLIENT, "turn": TURN}

State = TypeVar("State", bound=Enum)


def advance(table: dict[State, dict[str, State]], state: State, event: str) -> State:
    """The state after `event`. Raises LocalProtocolError("out_of_order") for an illegal pair."""
    try:
        return table[state][event]
    except KeyError:
        raise LocalProtocolError("out_of_order", ref=f"{state.value}+{event}") from None


def mermaid(table: dict[State, dict[str, State]]) -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for state, moves in table.items():
        lines += [f"    {state.value} --> {after.value}: {event}" for event, after in moves.items()]
    return "\n".join(lines)
