"""What a call says first to a client that has said hello."""

from __future__ import annotations

from gemini.messages import BEGIN, SayText
from protocol.media import Agent, Live, LiveLimits, Text
from protocol.server import ServerSession
from records.sessions import Session
from relay.call.conversation import Conversation
from relay.call.terms import Limits
from relay.model.connection import ModelConnection

CAPABILITIES = ["text", "context", "image", "interrupt", "tools", "resume", "acks", "adpcm"]


class Welcome:
    """Of one call, to each client that joins it."""

    def __init__(
        self,
        record: Session,
        session: ServerSession,
        conversation: Conversation,
        model: ModelConnection,
        limits: Limits,
    ) -> None:
        self.greets = False  #: the agent begins as soon as the client is here
        self._record, self._session, self._limits = record, session, limits
        self._conversation, self._model = conversation, model
        self._unanswered = record.unanswered  #: by the relay before this one; asked again when all are here

    def go_live(self, now: float) -> None:
        """The client has said hello, and the model leg is open. What follows is left to be flushed."""
        ends_in_s = self._limits.ends_at - now
        live = greeting(self._record, self._session, ends_in_s=ends_in_s, resume_s=self._limits.resume_s)
        words, self._unanswered = self._unanswered, ""
        if words and self._session.client_keeps(self._record.question_seq):
            words = ""  # it is heard again, which is better: words may be half of it
        self._session.go_live(live)
        if words:
            self._conversation.client_said(Text(words), now)
        if self.greets:
            self.greets = False
            self._model.put(SayText(BEGIN, respond=True))


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
