"""Turns: one item for each finished turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from records.sessions import KEEP_S
from records.table import ConditionFailed, Fenced, Key, Table, check_step, put_step


class ToolUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool call that belongs to a turn."""

    call_id: str
    name: str
    args: dict[str, Any] = msgspec.field(default_factory=dict)
    ok: bool | None = None  #: None: never answered
    took_ms: int = 0


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """Text of a turn, and the part of it that was heard."""

    number: int  #: from 1
    user_text: str = ""
    agent_text: str = ""  #: all that the model generated
    heard: str | None = None  #: the part that was played, when that is less
    interrupted_at_ms: int | None = None  #: position in the agent's audio
    started_at: int = 0  #: Unix time in ms
    ended_at: int = 0  #: Unix time in ms
    audio_ms: int = 0  #: length of the agent's audio
    tools: list[ToolUse] = []
    truncated: bool = False  #: the end of a text, or the last tools, did not fit
    message_n: int = 0  #: highest number of a client's message that was said before the answer
    uplink_seq: int = -1  #: highest number of a microphone frame that belongs to it, or is older
    outcome: str = ""  #: what became of the answer (`protocol.media.Outcome`); empty in older records


#: An item may have 400 KB, names and numbers included: three texts and the tools fit in any case.
TEXT_BYTES = 96 * 1024  #: of each text; the relay collects less
TOOLS_BYTES = 64 * 1024  #: of all tool uses as JSON
TOOL_USES = 200

_tools = msgspec.json.Decoder(list[ToolUse])


def put(table: Table, session: str, epoch: int, turn: Turn) -> None:
    """Store a finished turn; again when less of it was heard than was stored. Raises Fenced.

    A turn that is too large is truncated, and marked.
    """
    try:
        table.transact(
            check_step(Key(f"SES#{session}"), "#epoch = :epoch", epoch=epoch),
            put_step(_key(session, turn.number), _item(fit(turn))),
        )
    except ConditionFailed:
        raise Fenced(session) from None


def fit(turn: Turn) -> Turn:
    """Truncate a turn to the size of an item."""
    user, agent, heard = _cut(turn.user_text), _cut(turn.agent_text), _cut(turn.heard or "")
    tools = _first_of(turn.tools)
    left_out = [user.is_cut, agent.is_cut, heard.is_cut, len(tools) < len(turn.tools)]
    return msgspec.structs.replace(
        turn,
        user_text=user.text,
        agent_text=agent.text,
        heard=None if turn.heard is None else heard.text,
        tools=tools,
        truncated=turn.truncated or any(left_out),
    )


class _Cut(NamedTuple):
    text: str
    is_cut: bool


def _cut(text: str) -> _Cut:
    """Truncate to TEXT_BYTES, in whole characters. A lone surrogate becomes a question mark."""
    data = text.encode("utf-8", "replace")
    return _Cut(data[:TEXT_BYTES].decode("utf-8", "ignore"), len(data) > TEXT_BYTES)


def _first_of(tools: Sequence[ToolUse]) -> list[ToolUse]:
    """First tool uses that fit into TOOLS_BYTES and TOOL_USES."""
    kept, left_bytes = [], TOOLS_BYTES
    for use in tools[:TOOL_USES]:
        left_bytes -= len(msgspec.json.encode(use)) + 1
        if left_bytes < 0:
            break
        kept.append(use)
    return kept


def list_all(table: Table, session: str) -> list[Turn]:
    """A session's turns in their order."""
    items = table.query("#PK = :pk AND begins_with(#SK, :turn)", pk=f"SES#{session}", turn="TURN#")
    return [_turn(item) for item in items]


def latest(table: Table, session: str, limit: int) -> list[Turn]:
    """Last `limit` turns of a session, in their order."""
    newest = table.query(
        "#PK = :pk AND begins_with(#SK, :turn)",
        newest_first=True,
        limit=limit,
        pk=f"SES#{session}",
        turn="TURN#",
    )
    return [_turn(item) for item in newest][::-1]


def _key(session: str, number: int) -> Key:
    return Key(f"SES#{session}", f"TURN#{number:08d}")


def _item(turn: Turn) -> dict[str, Any]:
    return {
        "user_text": turn.user_text,
        "agent_text": turn.agent_text,
        "heard": turn.heard,
        "interrupted_at_ms": turn.interrupted_at_ms,
        "started_at": turn.started_at,
        "ended_at": turn.ended_at,
        "audio_ms": turn.audio_ms,
        "tools": msgspec.json.encode(turn.tools).decode(),
        "truncated": turn.truncated or None,
        "message_n": turn.message_n or None,
        "uplink_seq": turn.uplink_seq if turn.uplink_seq >= 0 else None,
        "outcome": turn.outcome or None,
        "ttl": turn.ended_at // 1000 + KEEP_S,
    }


def _turn(item: Mapping[str, Any]) -> Turn:
    return Turn(
        number=int(item["SK"].removeprefix("TURN#")),
        user_text=item["user_text"],
        agent_text=item["agent_text"],
        heard=item.get("heard"),
        interrupted_at_ms=item.get("interrupted_at_ms"),
        started_at=item["started_at"],
        ended_at=item["ended_at"],
        audio_ms=item["audio_ms"],
        tools=_tools.decode(item["tools"]),
        truncated=item.get("truncated", False),
        message_n=item.get("message_n", 0),
        uplink_seq=int(item.get("uplink_seq", -1)),
        outcome=item.get("outcome", ""),
    )
