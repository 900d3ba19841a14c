"""What a call's model legs cost, in micro-dollars: by Google's reports, and where there are none by our own
reckoning from the audio, text and images that passed. Pure.

A turn that is reported costs what the report says (`gemini/usage.py`). A turn that is not, yet or ever, costs
what was read for it (the whole context again, as Google bills it) and what was said. Audio that the model was
sent since its last turn costs what reading it once does. Both count at once, so that a budget sees them, are
replaced by a report that comes late, and are marked as estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gemini import prices, profiles, usage
from gemini.messages import TokensUsed
from gemini.prices import Price
from gemini.usage import (
    CHARS_PER_TOKEN,
    IMAGE_TOKENS,
    NOTHING,
    THOUGHTS,
    TOKENS_PER_S,
    UNSAID,
    Reading,
    Reports,
)
from protocol.audio import downlink_ms, uplink_ms
from protocol.media import Tokens

KEPT = 4  #: turns that a late report may still belong to
CONTEXT_LIMIT = 128_000  #: tokens: a model reads no more at once
ALOUD_S = 3.0  #: of speech by which a model says that it thinks, in a turn of its own
TURN_S = 10.0  #: of speech in an answer, for what the next turn may cost


@dataclass(slots=True)
class _Turn:
    """One turn of the model: what it was billed by now, and what that is founded on."""

    reports: Reports = field(default_factory=Reports)
    spoken_bytes: int = 0
    heard_bytes: int = 0  #: of the microphone, before the agent said anything of it
    later_bytes: int = 0  #: of the microphone, since: the next turn's
    is_over: bool = False
    tokens: Tokens = NOTHING  #: as told by reports
    micro_usd: int = 0
    is_estimated: bool = True

    @property
    def spoken(self) -> int:
        """Tokens of what the agent said in it."""
        return round(downlink_ms(self.spoken_bytes) * TOKENS_PER_S / 1000)

    @property
    def heard(self) -> int:
        return round(uplink_ms(self.heard_bytes) * TOKENS_PER_S / 1000)


class Meter:
    """Of one call on one relay, over all its legs. Told of everything that passes."""

    def __init__(self) -> None:
        self._sums = {False: 0, True: 0}  #: micro-dollars, by whether they are estimated
        self.unpassed = NOTHING  #: reported as a leg was closed: its last words
        self._price: Price = prices.UNKNOWN
        self._turns: list[_Turn] = [_Turn()]  #: the last one is under way
        self._latest: Tokens | None = None  #: as reported last, whatever that was
        self._habit: Reading = "last"
        self._context = NOTHING  #: what the model has in mind, by kind
        self._hears = False  #: it was sent audio
        self._thoughts = 0  #: tokens in a turn, at most so far
        self._splits = False  #: one reply comes as two turns

    def take_unpassed(self) -> Tokens:
        """What was reported, and told nobody, since this was asked last."""
        unpassed, self.unpassed = self.unpassed, NOTHING
        return unpassed

    @property
    def reported(self) -> int:
        """Micro-dollars so far, by Google's own figures."""
        return self._sums[False]

    @property
    def estimated(self) -> int:
        """Micro-dollars so far of what Google has not told, or not fully."""
        self._reckon(self._turns[-1])
        return self._sums[True]

    @property
    def spent(self) -> int:
        """Micro-dollars so far."""
        return self.reported + self.estimated

    def turn_cost(self, seconds: float = TURN_S) -> int:
        """What another turn with so long an answer would cost: all that is in mind is read again."""
        read = usage.plus(self._reading(), Tokens(input_audio=self._turns[-1].spoken))
        parts = (ALOUD_S, seconds) if self._splits else (seconds,)
        said = (Tokens(output_audio=round(each * TOKENS_PER_S), thoughts=self._thoughts) for each in parts)
        return sum(prices.micro_usd(usage.plus(read, each), self._price) for each in said)

    # ---- what passes

    def leg_opened(self, model: str, setup_tokens: int, *, remembers: bool) -> None:
        """`remembers`: the leg goes on with what the model has in mind, by a handle."""
        self._price = prices.of(model)
        self._splits = profiles.of(model).splits_replies.value
        if profiles.of(model).thinking.value == "level":
            self._thoughts = max(self._thoughts, THOUGHTS)
        if not remembers or self._context == NOTHING:
            self._context = Tokens(input_text=setup_tokens)

    def leg_closed(self) -> None:
        """What is not told by now never will be."""
        self._end_turn()
        last = _Turn(heard_bytes=self._turns[-1].later_bytes)
        self._reckon(last)
        self._turns = [_Turn()]

    def sent_audio(self, size: int) -> None:
        self._hears = True
        turn = self._turns[-1]
        if turn.spoken_bytes:
            turn.later_bytes += size
        else:
            turn.heard_bytes += size

    def sent_text(self, chars: int) -> None:
        self._remember(Tokens(input_text=-(-chars // CHARS_PER_TOKEN)))

    def sent_image(self) -> None:
        self._remember(Tokens(input_image=IMAGE_TOKENS))

    def heard_audio(self, size: int) -> None:
        """The agent's voice."""
        self._turns[-1].spoken_bytes += size

    def turn_completed(self) -> None:
        self._end_turn()
        self._turns = [*self._turns[-KEPT:], _Turn(heard_bytes=self._turns[-1].later_bytes)]

    def reported_by_model(self, report: TokensUsed) -> Tokens:
        """Take a report. Returns by how much the tokens of all reports are more: fewer after a correction."""
        tokens, is_guessed = usage.attributed(report, hears=self._hears)
        turn = self._turn_of(tokens)
        if not turn.reports.came:
            turn.reports.before = self._latest
        self._latest = tokens
        turn.reports.came.append(tokens)
        billed, self._habit = turn.reports.read(turn.spoken, self._habit)
        more, turn.tokens = usage.minus(billed, turn.tokens), billed
        is_guessed |= usage.unsaid(billed) > UNSAID
        self._charge(turn, prices.micro_usd(billed, self._price), is_estimated=is_guessed)
        self._thoughts = max(self._thoughts, billed.thoughts)
        # Google says what the model had in mind; what it said is added to that.
        said = billed.input_audio + billed.output_audio
        self._context = Tokens(billed.input_text, said, billed.input_image)
        return more

    # ----

    def _turn_of(self, tokens: Tokens) -> _Turn:
        """The turn that a report is of: by what was said in it, as far as that tells."""
        *over, current = self._turns
        untold = [turn for turn in over if not turn.reports.came]
        if not tokens.output_audio:
            return untold[0] if untold else current
        told = [turn for turn in reversed(self._turns) if turn.reports.came]
        again = (turn for turn in told if turn.reports.came[-1] == tokens)
        likely = [*again, *untold, current, *told]
        for may_go_on in (self._habit == "total", True):
            for turn in likely:
                if turn.reports.agrees_with(tokens, turn.spoken, self._latest, may_go_on=may_go_on):
                    return turn
        more_to_come = (
            turn for turn in likely if turn.tokens.output_audio + tokens.output_audio <= turn.spoken
        )
        return next(more_to_come, current)

    def _end_turn(self) -> None:
        """What was said and heard in it is read again for every later turn."""
        turn = self._turns[-1]
        self._reckon(turn)
        turn.is_over = True
        if not turn.reports.came:
            self._remember(Tokens(input_audio=turn.heard + turn.spoken))

    def _remember(self, more: Tokens) -> None:
        self._context = usage.plus(self._context, more)

    def _reading(self) -> Tokens:
        """What the model would read for a turn now."""
        turn = self._turns[-1]
        heard = 0 if turn.reports.came else turn.heard
        held = usage.plus(self._context, Tokens(input_audio=heard))
        room = max(0, CONTEXT_LIMIT - held.input_text - held.input_image)
        return Tokens(held.input_text, min(held.input_audio, room), held.input_image)

    def _reckon(self, turn: _Turn) -> None:
        """A turn that is not reported: until the agent says something of it, only what was heard costs."""
        if turn.reports.came:
            return
        if turn.spoken_bytes:
            said = Tokens(output_audio=turn.spoken, thoughts=self._thoughts)
            tokens = usage.plus(self._reading(), said)
        else:
            tokens = Tokens(input_audio=turn.heard)
        self._charge(turn, prices.micro_usd(tokens, self._price), is_estimated=True)

    def _charge(self, turn: _Turn, micro_usd: int, *, is_estimated: bool) -> None:
        """The turn costs this now, in place of what it did."""
        self._sums[turn.is_estimated] -= turn.micro_usd
        turn.micro_usd, turn.is_estimated = micro_usd, is_estimated
        self._sums[is_estimated] += micro_usd
