"""Outlet that sends the scenario's signals in its order, late, twice, in pieces, or not at all.

message ──▶ take out the shaped signals ──▶ the rest goes out at once
               │ before: ahead of the rest         │ with: transcripts beside the next audio, others as usual
               └ after: once the turn has completed, or at once between turns
"""

import random
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

from simulator.clock import Clock
from simulator.signals import CONTENT, TOP, TRANSCRIPTS, Habit, Name, Signals, draw

GAP_S = 0.1  #: between the pieces of a transcript, and before a repetition

Message = dict[str, Any]
_TURN = {"inputTranscription", "outputTranscription", "modelTurn"}  #: a turn has begun with one of these


class Outlet(Protocol):
    def emit(self, message: Message) -> None: ...

    def emit_audio(self, message: bytes) -> None: ...


class Shaper:
    """Wraps the outlet of one connection. Without shaped signals everything passes unchanged."""

    def __init__(self, outlet: Outlet, clock: Clock, signals: Signals, chance: random.Random) -> None:
        self._outlet, self._clock, self._signals, self._chance = outlet, clock, signals, chance
        self._habits: dict[Name, Habit] = {}  #: drawn for the turn that runs
        self._beside: deque[Message] = deque()  #: for the next audio messages, one for each
        self._after: list[tuple[Message, Habit]] = []  #: for the end of the turn
        self._is_in_turn = False

    def habit(self, name: Name) -> Habit | None:
        """The signal's habits in this turn; None when it is sent as usual."""
        signal = self._signals.of(name)
        if signal is None:
            return None
        if name not in self._habits:
            self._habits[name] = draw(signal, self._chance)
        return self._habits[name]

    @property
    def puts_words_first(self) -> bool:
        """Whether this turn's words go out ahead of its sound."""
        habit = self.habit("output_transcript")
        return habit is not None and habit.order == "before"

    def emit(self, message: Message) -> None:
        content = _content(message)
        self._is_in_turn |= not _TURN.isdisjoint(content)
        rest, taken = self._split(message)
        for name, signal, habit in taken:
            if habit.order == "before":
                self._release(name, signal, habit)
        if rest:
            self._outlet.emit(rest)
        for name, signal, habit in taken:
            if habit.order == "with":
                self._release(name, signal, habit)
            elif habit.order == "after":
                self._hold(name, signal, habit)
        if "turnComplete" in content:
            self._end_turn()

    def emit_audio(self, message: bytes) -> None:
        self._is_in_turn = True
        self._outlet.emit_audio(message)
        if self._beside:
            self._outlet.emit(self._beside.popleft())

    def _split(self, message: Message) -> tuple[Message, list[tuple[Name, Message, Habit]]]:
        """What goes out as usual, and the shaped signals as messages of their own."""
        rest, taken = dict(message), []
        for name, field in TOP.items():
            if field in rest and (habit := self.habit(name)):
                taken.append((name, {field: rest.pop(field)}, habit))
        content = dict(_content(message))
        for name, field in CONTENT.items():
            if field in content and (habit := self.habit(name)):
                taken.append((name, {"serverContent": {field: content.pop(field)}}, habit))
        if content:
            rest["serverContent"] = content
        elif _content(message):
            del rest["serverContent"]
        return rest, taken

    def _hold(self, name: Name, signal: Message, habit: Habit) -> None:
        """Until the turn's end. A transcript opens a turn; other signals between turns wait for nothing."""
        if self._is_in_turn and not habit.is_absent:
            self._after += [(piece, habit) for piece in _pieces(name, signal, habit)]
        elif not self._is_in_turn:
            self._release(name, signal, habit)

    def _release(self, name: Name, signal: Message, habit: Habit) -> None:
        if habit.is_absent:
            return
        pieces = list(_pieces(name, signal, habit))
        if name == "input_transcript" and habit.order == "with":
            self._beside.extend(pieces)
            return
        for number, piece in enumerate(pieces):
            self._send(piece, habit.delay_s + number * GAP_S)

    def _end_turn(self) -> None:
        """What waits for the turn's end goes out, whether that itself was sent or not."""
        while self._beside:
            self._outlet.emit(self._beside.popleft())
        for number, (signal, habit) in enumerate(self._after):
            self._send(signal, habit.delay_s + number * GAP_S)
        self._after, self._habits, self._is_in_turn = [], {}, False

    def _send(self, signal: Message, after_s: float) -> None:
        if after_s:
            self._clock.later(after_s, partial(self._outlet.emit, signal))
        else:
            self._outlet.emit(signal)


def _content(message: Message) -> Message:
    """Its `serverContent`; a message of a fault may hold anything there."""
    content = message.get("serverContent")
    return content if isinstance(content, dict) else {}


def _pieces(name: Name, signal: Message, habit: Habit) -> Iterator[Message]:
    """The signal in its pieces, and all of that again for each repetition."""
    fragments = [signal]
    field = CONTENT.get(name, "")
    transcript = _content(signal).get(field)
    if name in TRANSCRIPTS and isinstance(transcript, dict) and transcript.get("text"):
        texts = _cut(transcript["text"], habit.fragment)
        fragments = [{"serverContent": {field: transcript | {"text": text}}} for text in texts]
    for _ in range(habit.repeat + 1):
        yield from fragments


def _cut(text: str, pieces: int) -> list[str]:
    """The text in so many pieces, fewer when it has not the letters; cut anywhere, as Google does."""
    step = max(1, -(-len(text) // pieces))
    return [text[at : at + step] for at in range(0, len(text), step)]
