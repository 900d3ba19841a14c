"""What a call says first to a client that has said hello."""

from __future__ import annotations

from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from records.sessions import Session

CAPABILITIES = ["text", "context", "image", "interrupt", "tools", "resume", "acks", "adpcm"]


def greeting(record: Session, session: ServerSession, *, ends_in_s: float, resume_s: float) -> Live:
    """`live` for the client that is there now; the session fills in version and positions."""
    return Live(
        record.id,
        0,
        Agent(record.agent, [tool.name for tool in record.tools]),
        LiveLimits(max(0, round(ends_in_s * 1000)), round(resume_s * 1000)),
        capabilities=CAPABILITIES,
        resumed=session.journal.last_n > 0 or session.epoch > 1,
        lost_turns=_lost_turns(record, session),
    )


def _lost_turns(record: Session, session: ServerSession) -> list[int]:
    """Turns the client knows from another relay that were never written."""
    hello = session.hello
    if hello is None or hello.after[0] in (0, session.epoch):
        return []
    return list(range(record.next_turn, hello.last_turn + 1))
