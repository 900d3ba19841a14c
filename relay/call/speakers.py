"""The two parties of a call: when each speaks, in which turn, and where their words belong.

Pure. A model's signals may come late, twice or never: what is taken from them is what the sound allows.
"""

from __future__ import annotations

from typing import Literal

from protocol.audio import downlink_ms
from protocol.states import TurnState, advance
from relay.call.attribution import Cost
from relay.call.part import Part
from relay.call.question import Ending
from relay.call.states import REPLY, ReplyState
from relay.call.transcript import Transcript
from relay.call.turns import Turns
from relay.turn import Turn

GAP_S = 0.3  #: without audio of the answer that runs, and audio may be the next one's
REACTION_S = 1.0  #: for so long the model may go on after the user has finished what stops it
AGAIN_S = 3.0  #: what ends an answer may be told for the second time so long after the first
ENDING_S = 0.7  #: an answer whose end comes too early is over, when so long nothing more of it comes
GENERATED_S = 3.0  #: after all of an answer has played, it is over, whether the model says so or not
SILENCE_S = 10.0  #: likewise when the model has not said that all of it came
PLAYED_S = 0.3  #: of audio that has not played are within the error of our clock


class User:
    """The user: by our own hearing where there is one, else by what the model tells."""

    def __init__(self, turns: Turns) -> None:
        self.is_heard = False  #: by our own hearing
        self.asked = (0, 0.0)  #: the turn that he finished saying last, and when
        self.has_spoken = True  #: since the agent was interrupted last
        self.words = Transcript("user", turns.told)
        self._turns = turns
        self._speaks_in: Part | None = None  #: while he speaks

    @property
    def is_speaking(self) -> bool:
        return self._speaks_in is not None

    @property
    def awaits_answer(self) -> bool:
        """He has finished something: the agent's next words may be about that."""
        turn = self._turns.user
        if turn is None or (self.is_heard and self.is_speaking):
            return False
        return turn.user_ended_at is not None or not turn.user_started

    @property
    def waits(self) -> bool:
        """He speaks, or has said something. A cough has brought no words: the next ones go on in its turn."""
        turn = self._turns.user
        return turn is not None and (self.is_speaking or turn.user_ended_at is None or bool(turn.user_words))

    def hear_start(self, at: float) -> None:
        """He was heard to begin here: from now on the model's own hearing counts for nothing."""
        self.is_heard = True
        self.start(at)

    def hear_stop(self, at: float, lasted_s: float = 0.0) -> None:
        self.is_heard = True
        self.stop(at, lasted_s)

    def start(self, at: float) -> None:
        """He begins to speak, or goes on."""
        self.has_spoken = True
        turn = self._turns.begin_user(at)
        turn.user_ended_at = None
        if self._speaks_in is None or self._speaks_in.turn is not turn:
            self._speaks_in = self.words.part_of(turn)
            self._speaks_in.speak(at)

    def stop(self, at: float, lasted_s: float = 0.0) -> None:
        """He fell silent, perhaps after the agent has begun to answer."""
        part, self._speaks_in = self._speaks_in, None
        if part is None:
            if self.is_heard:
                return
            part = self.words.part_of(self._turns.begin_user(at))
        part.end(at, lasted_s)
        part.turn.user_ended_at = at
        self.asked = part.turn.number, at

    def cut_in(self, now: float) -> None:
        """He stopped the agent. If he has spoken since before it began, what follows is another turn."""
        if self.is_speaking and self._turns.user is None:
            self.stop(now)
            self.start(now)

    def answered(self, turn: Turn, now: float) -> None:
        """The agent begins to answer `turn`."""
        if self.words.has(turn):
            part = self.words.part_of(turn)
            if part is not self._speaks_in:
                part.end(now)
            elif not self.is_heard:
                self._speaks_in = None

    def write(self, text: str, now: float) -> None:
        """Typed words. The model has all of them; the record and the client up to a bound."""
        turn = self._turns.begin_user(now)
        turn.user_ended_at, turn.ends_typed = now, True
        self.asked, self.has_spoken = (turn.number, now), True
        if taken := turn.user_words.add(_spaced(turn, text)):
            self._turns.told.more("user", turn, taken)

    def say(self, text: str, finished: bool, now: float) -> None:
        """A piece of the transcript of his speech."""
        if text:
            part = self.words.find(text, now, ahead=self._ahead(now))
            part = part or self.words.part_of(self._unheard(now))
            turn = part.turn
            if turn is self._turns.user and not (self.is_heard and self.is_speaking):
                turn.user_ended_at = turn.user_ended_at or now  # the only sign of it
                self.asked = turn.number, turn.user_ended_at
            if turn.ends_typed:
                text, turn.ends_typed = _spaced(turn, text), False
            self.words.add(part, text, now)
        if finished:
            self.words.finished()

    def _ahead(self, now: float) -> float | None:
        """What speaks against words of a turn that was not heard to begin; None: it cannot be."""
        if self._turns.user is not None and self.words.has(self._turns.user):
            return None
        if self.is_heard:
            return Cost.UNHEARD + Cost.OWED * self.words.is_owed(now)
        last = self.words.last
        is_over = last is None or last.turn.state in (TurnState.ENDED, TurnState.INTERRUPTED)
        return -Cost.UNENDED if is_over or self._turns.user is not None else Cost.FINISHED

    def _unheard(self, now: float) -> Turn:
        """The turn of words that were not heard to begin. Of one that is answered, if it has none."""
        agent = self._turns.agent
        is_answering = self._turns.user is None and agent is not None and self._turns.is_speaking
        if agent is not None and is_answering and not self.words.has(agent) and not agent.user_words:
            return agent
        self.has_spoken = True
        return self._turns.begin_user(now)


class Agent:
    """The agent: its answers, each from its first sound or word to its end."""

    def __init__(self, turns: Turns, user: User) -> None:
        self._turns, self._user = turns, user
        self.words = Transcript("agent", turns.told)
        self._reply = ReplyState.NONE
        self._sounded_at = float("-inf")  #: when its latest audio came, passed on or not
        self._plays_until = 0.0  #: loop time when received audio has played out
        self.over_at: float | None = None  #: the answer that runs is over then, when nothing more of it comes
        self._is_completed = False  #: so the model says of the answer that runs
        self._cut_at = self._ended_at = float("-inf")  #: when it was interrupted last, or ended
        self._tells_generated = False  #: the model says when all of an answer has come
        self._splits_replies = False  #: the model may go on by itself after a complete turn
        self._broken = 0  #: number of the turn that broke off, and is given again in the next one
        self._stops: tuple[int, ...] = ()  #: numbers by which the client may stop the turn that runs

    @property
    def answers(self) -> bool:
        """An answer runs. One that was spoken over when it was complete may be over."""
        is_over = self._is_completed and self._turns.user is not None
        return self._reply not in (ReplyState.NONE, ReplyState.CUT) and not is_over

    def expect(self, *, splits_replies: bool) -> None:
        """The model may go on by itself after a complete turn."""
        self._splits_replies = splits_replies
        self.words.expect(splits_replies=splits_replies)

    # ---- what it says

    def speak(self, pcm: bytes, now: float) -> None:
        if self._is_answered_anew(now):
            self._leave(now)
        self._sounded_at = now
        if self._reply is ReplyState.CUT:  # the rest of an answer, whose words come all the same
            turn = self._turns.agent
            if turn is not None and self.words.has(turn):  # else it is of one that is given again
                self.words.note_sound(self._turns.drop(pcm), pcm, now, is_over=True)
            return
        self._answer(now)
        self.words.note_sound(self._turns.speak(pcm, now), pcm, now, is_over=False)
        self._plays_until = max(self._plays_until, now) + downlink_ms(len(pcm)) / 1000
        self.over_at, self._is_completed = self._plays_until + SILENCE_S, False

    def say(self, text: str, finished: bool, now: float) -> None:
        """A piece of the transcript of its speech."""
        if text:
            if self._is_answered_anew(now):
                self.words.end_last(now, is_cut=True)
            part = self.words.find(text, now, ahead=self._ahead())
            if part is None and self._reply is ReplyState.CUT and not self._user.awaits_answer:
                return  # of an answer that is not wanted
            if part is None:  # they come before their sound
                self._leave(now)
                part = self._answer(now)
            self.words.add(part, text, now)
        if finished:
            self.words.finished()

    def _answer(self, now: float) -> Part:
        """It speaks, in the answer that runs or in a new one."""
        if self._reply is ReplyState.NONE:
            self.words.release()
            self.words.end_last(now, is_cut=False)
            turn = self._turns.begin_agent(now)
            self._user.answered(turn, now)
            self.words.part_of(turn)
            self._stops, self._broken = (turn.number, self._broken), 0
        self._moves("speech")
        assert self._turns.agent is not None
        return self.words.part_of(self._turns.agent)

    def _ahead(self) -> float | None:
        """What speaks against words of an answer that has not sounded yet; None: it cannot be."""
        if self._user.awaits_answer:
            return 0.0
        if self._turns.sounds and self._user.is_heard:
            return None  # its sound will tell, if it speaks by itself
        speaks_by_itself = self._reply is ReplyState.NONE and not self._user.is_speaking
        return Cost.UNASKED if speaks_by_itself and self._turns.user is None else None

    def _is_answered_anew(self, now: float) -> bool:
        """Audio that comes now is the answer to something that was said since the one that runs began."""
        turn, (asked, at) = self._turns.agent, self._user.asked
        if self._reply is ReplyState.NONE or turn is None or asked <= turn.number:
            return False
        if now < self._sounded_at + GAP_S:
            return False
        return self._reply is not ReplyState.RUNNING or at >= self._sounded_at - REACTION_S

    # ---- how it ends

    def interrupted(self, now: float) -> None:
        """The model says that the user spoke over it: perhaps again, when another answer runs."""
        is_new = self._user.has_spoken or self._user.is_speaking or now > self._cut_at + AGAIN_S
        if is_new or not self._user.is_heard:
            self._interrupt("user", now)

    def stopped(self, number: int, played_ms: int, now: float) -> bool:
        """The client stops it. False: its turn ended while that was on its way.

        One that broke off will not be given again, and what comes of that already is dropped.
        """
        turn = self._turns.agent
        if turn is None or number not in self._stops or not self._turns.is_speaking:
            return False
        turn.played_ms = played_ms if turn.number == number else 0
        self._interrupt("client", now)
        if self._broken:
            turn.failure, self._broken = None, 0
            self._moves("unwanted")
        return True

    def silenced(self, now: float) -> bool:
        """We stop it. False: it does not speak."""
        is_speaking = self._turns.is_speaking
        if is_speaking:
            self._interrupt("server", now)
        return is_speaking

    def _interrupt(self, cause: Literal["user", "client", "server"], now: float) -> None:
        if not self._turns.is_speaking:
            if now < self._plays_until - PLAYED_S:
                self._turns.cut_late(now)
            return
        self._turns.interrupt(cause, now)
        self.words.end_last(now, is_cut=True)
        self._moves("interrupted")
        if self._is_completed:
            self._moves("completed")
        self.over_at, self._cut_at, self._user.has_spoken = None, now, False
        self._user.cut_in(now)

    def generated(self, now: float) -> None:
        """All of the answer has come, so the model says."""
        self._tells_generated = True
        self._moves("generated")
        if self._reply is ReplyState.GENERATED:
            self.over_at = max(self._plays_until, now) + GENERATED_S
            if not self._splits_replies:
                self._turns.end_audio()

    def completed(self, now: float, *, goes_on: bool) -> None:
        """The model says that its turn is complete. `goes_on`: by itself, within this turn of ours."""
        if goes_on:
            self.expect(splits_replies=True)
        if self._reply in (ReplyState.NONE, ReplyState.CUT):
            self._moves("completed")
        elif goes_on:
            self._moves("paused")
            self.over_at = None
        elif self._turns.user is not None and now < self._plays_until - PLAYED_S:
            self.over_at, self._is_completed = self._plays_until, True  # spoken over: perhaps it was cut
        elif self._reply is ReplyState.RUNNING and self._tells_generated and now < self._ended_at + AGAIN_S:
            # perhaps the end of the one before, again
            self.over_at, self._is_completed = now + ENDING_S, True
        else:
            self._complete(now)

    def _complete(self, now: float) -> None:
        self._ended_at = now
        may_be_cut = self._reply is ReplyState.RUNNING and self._turns.user is not None
        self._moves("completed")
        self.over_at = None
        self.words.end_last(now, is_cut=may_be_cut)
        if self._turns.is_speaking and self._turns.agent is not None:
            self._turns.end_audio()
            self.finish(self._turns.agent, now)

    def _leave(self, now: float) -> None:
        """The user is answered anew, and nobody may have said that the answer before is over."""
        if self._reply is ReplyState.NONE:
            return
        is_cut = self._turns.is_speaking and now < self._plays_until - PLAYED_S
        if is_cut:
            self._turns.interrupt("user", now)
            self._cut_at, self._user.has_spoken = now, False
        else:
            self._complete(now)
        self.words.end_last(now, is_cut=is_cut)
        self._moves("left")
        self.over_at, self._is_completed = None, False

    def leg_lost(self, ending: Ending, now: float) -> Turn | None:
        """What it had begun ends with what has come, when that has played. Returns the turn that is cut."""
        self.words.leg_lost(keeps_last=False)
        self._moves("left")
        self.over_at = None
        turn = self._turns.agent
        if turn is None or not self._turns.is_speaking:
            return None
        turn.failure = None if ending == "whole" else "lost"
        self._broken = turn.number if ending == "again" else 0
        self._turns.end_audio()
        turn.finish_at = max(now, (turn.first_audio_at or now) + turn.audio_ms / 1000)
        return turn

    def finish(self, turn: Turn, now: float) -> None:
        """`turn` is over, with the words that have come of it."""
        self._user.words.release()
        self.words.release()
        self._turns.finish(turn, now)

    def _moves(self, event: str) -> None:
        self._reply = advance(REPLY, self._reply, event)

    def handle_timeout(self, now: float, *, waits: bool) -> None:
        """`waits`, for a tool: then its silence says nothing."""
        if self.over_at is None or now < self.over_at:
            return
        if waits:
            self.over_at = now + SILENCE_S
        else:
            self._complete(now)


def _spaced(turn: Turn, text: str) -> str:
    """`text` behind what the user said already: pieces of speech bring their spaces, typed words none."""
    return f" {text}" if turn.user_words.needs_space(text) else text
