"""Judge of one session: was anything lost, doubled or reordered? A pure comparison of three records.

They are the events that the client got, the turns in the table, and the answers of the simulated model.
Questions carry a marker (`ask12x3`: run 12, question 3) that the answer repeats, which identifies the turn in
all three.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol import media
from protocol.audio import AudioFrame

MARKER = re.compile(r"ask\d+x\d+")
STUCK = "stuck"
WENT_ON = "went on"
#: codes of a client that broke the protocol; the soak's clients never do
PROTOCOL_ERRORS = ("resume_refused", "auth_invalid", "bad_message", "superseded")


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """One numbered event at the client. `text`: of the agent's transcripts only."""

    e: int
    n: int
    kind: str
    turn: int = 0
    role: str = ""
    text: str = ""
    whole: bool = False  #: `text` replaces all that was told of the turn
    outcome: str = ""  #: of an agent's turn that ended
    at: float = 0.0  #: Unix time at which it came; the simulator's ledger has the same clock


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One session as recorded by its client."""

    asked: Sequence[str]  #: markers, in order
    events: Sequence[ClientEvent]
    outcome: str = WENT_ON  #: or STUCK, or the code with which it ended
    lost_turns: frozenset[int] = frozenset()  #: named by a relay that took over
    missing_frames: int = 0


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One turn in the table."""

    number: int
    user_text: str
    agent_text: str
    outcome: str = ""


@dataclass(slots=True)
class Verdict:
    """Findings, one line each. All empty: the session was correct."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unasked: list[str] = field(
        default_factory=list
    )  #: typed, and in no turn: lost with a connection or a relay
    to_nothing: list[str] = field(default_factory=list)  #: turns in which the agent spoke unasked
    finished: int = 0  #: turns that ended at the client
    kept: Sequence[StoredTurn] = ()  #: the table, as it was judged

    @property
    def findings(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.reordered, *self.stuck, *self.unasked, *self.to_nothing]


def judge(seen: ClientRecord, kept: Sequence[StoredTurn], answered: Iterable[str]) -> Verdict:
    """`kept` as the table lists it; `answered`: every answer that the model began, as text."""
    verdict = Verdict(kept=kept)
    if seen.outcome == STUCK:
        verdict.stuck.append("neither went on nor ended")
    _judge_events(seen.events, verdict)
    finished = _finished(seen.events, verdict)
    _judge_turns(finished, seen, kept, verdict)
    _judge_markers(seen, finished, kept, verdict)
    spoken = set(MARKER.findall(" ".join(answered)))
    told = {marker for text in finished.values() for marker in MARKER.findall(text)}
    verdict.doubled += [f"{marker}: answered, and not by the model" for marker in sorted(told - spoken)]
    verdict.finished = len(finished)
    if seen.outcome == WENT_ON:
        found = {marker for turn in kept for marker in MARKER.findall(turn.user_text)}
        verdict.unasked += [
            f"{marker}: typed, and in no turn" for marker in seen.asked if marker not in found
        ]
    _judge_askers(kept, verdict)
    if seen.missing_frames:
        verdict.lost.append(f"{seen.missing_frames} frames of the agent's voice")
    return verdict


def _judge_events(events: Sequence[ClientEvent], verdict: Verdict) -> None:
    """Within an epoch every number comes once, in order, from 1; epochs only rise."""
    e = n = 0
    before: set[tuple[int, int]] = set()
    for event in events:
        if (event.e, event.n) <= (e, n):
            where = verdict.doubled if (event.e, event.n) in before else verdict.reordered
            where.append(f"event {event.e}.{event.n} after {e}.{n}")
        elif event.n != (n + 1 if event.e == e else 1):
            verdict.lost.append(f"event before {event.e}.{event.n}, after {e}.{n}")
        e, n = max((e, n), (event.e, event.n))
        before.add((event.e, event.n))


def _finished(events: Sequence[ClientEvent], verdict: Verdict) -> dict[int, str]:
    """Turns whose end the client got, with the agent's text, and what came of it after the end."""
    words: dict[int, str] = {}
    finished: dict[int, str] = {}
    for event in events:
        if event.kind == "transcript" and event.role == "agent":
            words[event.turn] = event.text if event.whole else words.get(event.turn, "") + event.text
            if event.turn in finished:
                finished[event.turn] = words[event.turn]
        elif event.kind == "turn.started" and event.role == "agent":
            words[event.turn] = ""
        elif event.kind == "turn.ended" and event.role == "agent":
            if event.turn in finished:
                verdict.doubled.append(f"turn {event.turn} ended twice")
            elif finished and event.turn < max(finished):
                verdict.reordered.append(f"turn {event.turn} ended after {max(finished)}")
            finished[event.turn] = words.get(event.turn, "")
    return finished


def _judge_turns(
    finished: dict[int, str], seen: ClientRecord, kept: Sequence[StoredTurn], verdict: Verdict
) -> None:
    """A turn that ended at the client must be stored with the same text; stored turns come in order."""
    by_number = {turn.number: turn for turn in kept}
    for number, words in finished.items():
        if number not in by_number:
            verdict.lost.append(f"turn {number}: told as finished, not kept")
        elif by_number[number].agent_text != words:
            verdict.lost.append(f"turn {number}: kept otherwise than it was told")
    for number in sorted(seen.lost_turns & finished.keys()):
        verdict.lost.append(f"turn {number}: told as finished, named as lost")
    numbers = [turn.number for turn in kept]
    verdict.doubled += [
        f"turn {number} kept twice" for number, count in Counter(numbers).items() if count > 1
    ]
    if numbers != sorted(numbers):
        verdict.reordered.append(f"kept in the order {numbers}")


def _judge_markers(
    seen: ClientRecord, finished: dict[int, str], kept: Sequence[StoredTurn], verdict: Verdict
) -> None:
    """Each question is in one turn and is answered in one, in the order in which they were asked.

    An answer that broke off is told as lost, and given again in another turn.
    """
    lost = {turn.number for turn in kept if turn.outcome == "lost"}
    for what, texts in (
        ("asked", [turn.user_text for turn in kept]),
        ("kept answer", [turn.agent_text for turn in kept if turn.number not in lost]),
        ("told answer", [finished[number] for number in sorted(finished) if number not in lost]),
    ):
        found = [marker for text in texts for marker in dict.fromkeys(MARKER.findall(text))]
        verdict.doubled += [f"{marker}: {what} twice" for marker, n in Counter(found).items() if n > 1]
        places = [seen.asked.index(marker) for marker in dict.fromkeys(found) if marker in seen.asked]
        if places != sorted(places):
            verdict.reordered.append(f"{what} in the order {found}")


def _judge_askers(kept: Sequence[StoredTurn], verdict: Verdict) -> None:
    """The agent speaks when it was asked, or again for a turn before that was lost."""
    owed = 0
    for turn in sorted(kept, key=lambda turn: turn.number):
        if turn.agent_text and not turn.user_text and turn.outcome != "lost":
            if not owed:
                verdict.to_nothing.append(f"turn {turn.number}: {turn.agent_text!r}, said to nothing")
            owed = max(0, owed - 1)
        owed += turn.outcome == "lost"


def client_event(event: object, at: float = 0.0) -> ClientEvent | None:
    """Convert an event of the client for the judge; None for one without a number."""
    n, e = getattr(event, "n", 0), getattr(event, "e", 0)
    if not n or isinstance(event, AudioFrame):
        return None
    text = event.text if isinstance(event, media.Transcript) and event.role == "agent" else ""
    kind = str(type(event).__struct_config__.tag)  # type: ignore[attr-defined]
    named = getattr(event, "turn", 0), getattr(event, "role", "")
    ended = getattr(event, "outcome", "")
    return ClientEvent(e, n, kind, *named, text, getattr(event, "whole", False), ended, at)
