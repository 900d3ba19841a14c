"""How a call is ended by its budget, or because nobody speaks: told first, then said by the agent, then done.

enough ──▶ warned at 80 % ──▶ goodbye at a pause, or now ──▶ spoken ──▶ ended
                                                               └─ too long, or nothing left: ended
"""

from __future__ import annotations

from collections.abc import Callable

from gemini.messages import (
    GOODBYE,
    HELLO_THERE,
    Audio,
    Credential,
    ModelEvent,
    SayText,
    TokensUsed,
    TurnCompleted,
)
from gemini.usage import plus
from protocol import media
from protocol.server import ServerSession
from protocol.states import ServerState
from records.budgets import Allowance, Scope
from relay.call.budget import Budget
from relay.call.conversation import Conversation
from relay.call.idle import Idle
from relay.call.recording import Recording
from relay.clock import NEVER
from relay.model.meter import Meter

PAUSE_S = 8.0  #: how long the goodbye waits for a pause
SPEAK_S = 15.0  #: and how long it may take, from when the model is asked for it
REST_S = 1.0  #: for the last of it to be heard


class HangUp:
    """Of one call. Watches what is spent and when somebody spoke last."""

    def __init__(
        self,
        session: ServerSession,
        conversation: Conversation,
        recording: Recording,
        meter: Meter,
        end: Callable[[str], None],
        now: float,
    ) -> None:
        """`end` is told, with a code of the registry, why the call is to end."""
        self.is_closing = False  #: what the user says now is not passed on
        self.budget, self.idle = Budget(meter, now), Idle(now)
        self.tells_cost = False  #: to the client
        self._session, self._conversation = session, conversation
        self._recording, self._meter, self._end = recording, meter, end
        self._reason = ""
        self._say_at = NEVER  #: the goodbye, pause or not
        self._end_at = NEVER
        self._has_spoken = False  #: the agent, since it was asked for the goodbye

    def retry_after_ms(self, reason: str) -> int:
        """When to come back, after an end for this reason; mint may have had it, too."""
        return self.budget.resets_in_ms(self.budget.scope) if reason == "quota_exceeded" else 0

    def next_timeout(self, *, is_up: bool) -> float:
        """Time at which to `look` again. `is_up`: the model leg is open."""
        waits = [self._say_at, self._end_at]
        if is_up and not self._reason:
            waits += [self.budget.next_timeout(), self.idle.next_timeout() or NEVER]
        return min(waits)

    def leg_opened(self, credential: Credential, now: float) -> None:
        """As the agent's file has it."""
        self.idle.limit_s, self.tells_cost = credential.idle_s, credential.tells_cost
        self.idle.user_spoke(now)
        self.note_spent(now)

    def model_said(self, said: ModelEvent, now: float) -> None:
        match said:
            case Audio():
                self.idle.agent_spoke(now)
            case TurnCompleted():
                self.idle.agent_spoke(now)
                self.budget.turn_over()
            case TokensUsed() if self.tells_cost:
                self._conversation.cost = self.budget.cost, self.budget.is_estimated

    def heard_late(self, said: ModelEvent) -> None:
        """The call is over for everybody, and the leg is not closed yet: it is billed all the same."""
        if isinstance(said, TokensUsed):
            self._meter.unpassed = plus(self._meter.unpassed, said.tokens)

    def note_bill(self, now: float) -> None:
        """No leg is open any more: have written what the call has used."""
        self._recording.account.note_connected(now)
        self.note_spent(now, is_last=True)
        last_turn, owed = self._conversation.take_owed()
        owed = plus(owed, self._meter.take_unpassed())
        if owed.total:
            self._recording.note_tokens(last_turn, owed)

    def note_spent(self, now: float, *, is_last: bool = False) -> None:
        """Have written what was spent. `is_last`: nothing more will be."""
        spent, wants = self.budget.noting(now), 0 if is_last else self.budget.wants
        self._recording.account.note_spent(now, wants, lambda allowance: self._allowed(allowance, spent))

    def _allowed(self, allowance: Allowance, noted: int) -> None:
        self._warn(self.budget.allowed(allowance, noted))

    def _warn(self, near: list[tuple[Scope, int]]) -> None:
        for scope, percent in near:
            resets_in_ms = self.budget.resets_in_ms(scope)
            self._session.send(media.Budget(scope, min(percent, 100), resets_in_ms))

    def look(self, now: float, *, is_quiet: bool, is_here: bool) -> None:
        """Something was said, or it is time. What is to be said is left to the conversation's commands.

        `is_quiet`: nothing would be cut. `is_here`: a client is, and may hear a goodbye.
        """
        if not self._reason:
            self._judge(now, is_quiet=is_quiet, is_here=is_here)
        if self._say_at < NEVER and (is_quiet or now >= self._say_at):
            self._say_goodbye(now)
        elif self._end_at < NEVER:
            self._listen(now)

    def _judge(self, now: float, *, is_quiet: bool, is_here: bool) -> None:
        match self.budget.judge(now, is_quiet=is_quiet):
            case "note":
                self.note_spent(now)
            case "goodbye":
                self._begin("quota_exceeded", now, is_here=is_here)
            case "goodbye now":
                self._begin("quota_exceeded", now, is_here=is_here, at_once=True)
            case "over":
                self._reason = "quota_exceeded"
                self._end(self._reason)
        if not self._reason and is_here and is_quiet:
            self._judge_silence(now)

    def _judge_silence(self, now: float) -> None:
        match self.idle.check(now):
            case "ask":
                self._conversation.commands.append(SayText(HELLO_THERE, respond=True))
            case "end":
                self._reason = "idle"
                self._end(self._reason)

    def _begin(self, reason: str, now: float, *, is_here: bool, at_once: bool = False) -> None:
        """Say goodbye at the next pause; to nobody, not at all."""
        self._reason = reason
        self.is_closing = is_here
        self._warn(self.budget.last_warning())
        if is_here and self._session.state is ServerState.LIVE:
            self._say_at = now if at_once else now + PAUSE_S
        else:
            self._end(reason)

    def _say_goodbye(self, now: float) -> None:
        self._say_at, self._end_at = NEVER, now + SPEAK_S
        self._conversation.silence(now)
        self._conversation.commands.append(SayText(GOODBYE, respond=True))

    def _listen(self, now: float) -> None:
        """Until the goodbye was heard, or has taken too long."""
        if self._conversation.answers is not None:
            self._has_spoken = True
        elif self._has_spoken:
            self._has_spoken = False
            self._end_at = min(self._end_at, now + REST_S)
        if now >= self._end_at or self.budget.judge(now, is_quiet=False) == "over":
            self._end_at = NEVER
            self._end(self._reason)
