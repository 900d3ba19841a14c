"""One conversation as it was, and the thousand ways in which a model may tell of it.

`imagine` makes the truth of a call of five turns, `tell` draws how each signal of it comes (order, delay,
repetition, pieces, absence), `Play` gives both to a `Conversation` in virtual time, with a client that plays
what it gets. All from one seed.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, count

from gemini import messages as model
from protocol import media
from protocol.audio import DOWNLINK_HZ, downlink_ms
from protocol.client import ClientSession
from protocol.codec import json_codec
from protocol.media import Agent, Live, LiveLimits
from protocol.server import ServerSession
from relay.call.conversation import Conversation
from relay.turn import Turn

CHUNK_S = 0.1  #: of the agent's audio in one message
SOUND = b"\x10\x20" * round(DOWNLINK_HZ * CHUNK_S)
LETTERS_PER_S = 12.5
HEARS_START_S, HEARS_STOP_S = 0.1, 0.45  #: until our hearing is sure
TURNS = 5
CUTS = 2

NOUNS = [
    "train",
    "platform",
    "weather",
    "river",
    "mountain",
    "ticket",
    "concert",
    "museum",
    "harbour",
    "garden",
]
PLACES = ["Bern", "Basel", "Lugano", "Geneva", "Zermatt", "Thun", "Chur"]
OPENINGS = ["The", "My", "Your", "That", "This", "Every", "Another"]
VERBS = ["leaves", "reaches", "crosses", "follows", "opens", "beside", "closes", "behind", "watches"]
ENDINGS = ["today", "tomorrow", "slowly", "again", "quietly", "without", "warning", "before", "noon"]
QUESTIONS = ["When", "Where", "Why", "How", "What"]


@dataclass
class Said:
    """What one party said in a turn."""

    text: str
    began_at: float
    ended_at: float  #: of sound that was made, by the party's own clock

    @property
    def lasts_s(self) -> float:
        return self.ended_at - self.began_at


@dataclass
class TrueTurn:
    """A turn as it was."""

    number: int
    user: Said
    agent: Said  #: `text` is what was generated; its audio plays from `began_at` on
    cut_at: float | None = None  #: the model stopped then, because the user spoke
    word_ends: list[float] = field(default_factory=list)  #: of the agent's words, from its first sound

    def heard_words(self, played_s: float) -> int:
        starts = [0.0, *self.word_ends]
        return sum((a + b) / 2 <= played_s for a, b in zip(starts, self.word_ends, strict=False))


@dataclass(frozen=True)
class Habit:
    """How one party's transcript comes."""

    pieces: str  #: whole, words, bare, anywhere, snapshots
    delay: str  #: prompt, ahead, late, uneven
    repeats: str  #: none, pieces, turns
    marks_end: bool
    absent: frozenset[int] = frozenset()  #: turns that have no transcript


@dataclass(frozen=True)
class Telling:
    """How the model tells of the call."""

    user: Habit
    agent: Habit
    twice: float  #: probability that a sign of the turn comes again
    absent: dict[str, float]  #: of each sign of the turn


def sentence(chance: random.Random, opening: str, has_names: bool) -> str:
    picked = [opening, chance.choice(NOUNS), chance.choice(VERBS)]
    words = NOUNS + VERBS + PLACES * has_names
    for _ in range(chance.randint(1, 5)):
        picked.append(chance.choice([word for word in words if word not in picked]))
    return " ".join([*picked, chance.choice(ENDINGS)]) + "."


def question(chance: random.Random) -> str:
    words = [chance.choice(QUESTIONS), "does", "the", chance.choice(NOUNS), chance.choice(VERBS)]
    return " ".join(words + [chance.choice(PLACES)] * chance.randint(0, 1)) + "?"


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def imagine(chance: random.Random, *, has_names: bool) -> list[TrueTurn]:
    """The truth of a call. `has_names`: its answers have capital letters within a sentence."""
    turns: list[TrueTurn] = []
    cut = set(chance.sample(range(1, TURNS), CUTS))
    pace, at = chance.uniform(0.85, 1.15) * LETTERS_PER_S, 1.0
    for number in range(1, TURNS + 1):
        asked = question(chance)
        while any(asked == before.user.text for before in turns):
            asked = question(chance)
        user = Said(asked, at, at + _letters(asked) / pace * chance.uniform(0.9, 1.1))
        openings = chance.sample(OPENINGS, chance.randint(1, 3))
        text = " ".join(sentence(chance, opening, has_names) for opening in openings)
        began = user.ended_at + chance.uniform(0.6, 1.5)
        ends = list(_word_ends(text, pace, chance))
        turn = TrueTurn(number, user, Said(text, began, began + ends[-1]), word_ends=ends)
        if number in cut:
            at = began + chance.uniform(0.35, 0.8) * ends[-1]
            _cut_short(turn, at + 0.3, chance)
        else:
            at = turn.agent.ended_at + chance.uniform(0.8, 3.0)
        turns.append(turn)
    return turns


def _word_ends(text: str, pace: float, chance: random.Random) -> Iterator[float]:
    return accumulate((_letters(word) + 0.5) / pace * chance.uniform(0.8, 1.2) for word in text.split())


def _cut_short(turn: TrueTurn, at: float, chance: random.Random) -> None:
    """The model has generated more than has played when it stops, or all of it."""
    turn.cut_at = at
    generated_s = min((at - turn.agent.began_at) * chance.uniform(1.1, 2.0), turn.agent.lasts_s)
    words = turn.agent.text.split()
    kept = max(1, sum(end <= generated_s + 0.05 for end in turn.word_ends))
    while kept > 3 and any(word[0].isupper() for word in words[kept - 2 : kept]):
        kept -= 1  # behind a cut, what begins like a sentence may as well be the next answer
    turn.agent.text, turn.word_ends = " ".join(words[:kept]), turn.word_ends[:kept]
    turn.agent.ended_at = turn.agent.began_at + turn.word_ends[-1]


def tell(chance: random.Random) -> Telling:
    def habit(delays: list[str]) -> Habit:
        """What looks the same is not told at once: words that never come and words that come late, or again;
        all words of a turn once more, late, and those of the next one that begin like them.
        """
        delay = chance.choice(delays)
        is_late = delay in ("late", "uneven")
        repeats = chance.choice(["none", "none", "pieces", "none" if is_late else "turns"])
        is_sure = not is_late and repeats != "turns"
        absent = frozenset(n for n in range(3, TURNS + 1) if is_sure and chance.random() < 0.2)
        pieces = chance.choice(["whole", "words", "bare", "anywhere", "snapshots"])
        return Habit(pieces, delay, repeats, chance.random() < 0.2, absent)

    signs = ("interrupted", "generated", "completed")
    return Telling(
        habit(["prompt", "late", "uneven"]),
        habit(["prompt", "ahead", "late", "uneven"]),
        chance.choice([0.0, 0.0, 0.5]),
        {sign: chance.choice([0.0, 0.0, 0.3, 1.0]) for sign in signs},
    )


# ---- pieces


def pieces_of(text: str, how: str, chance: random.Random) -> list[str]:
    words = text.split()
    match how:
        case "whole":
            return [text]
        case "words":
            return [words[0], *(f" {word}" for word in words[1:])]
        case "bare":
            return words
        case "snapshots":
            return [" ".join(words[:n]) for n in range(1, len(words) + 1)]
    cuts = sorted(chance.sample(range(1, len(text)), min(len(text) - 1, chance.randint(1, 6))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _repeated(pieces: list[str], how: str, chance: random.Random) -> list[str]:
    if how == "turns":
        return pieces + pieces
    told = []
    for piece in pieces:
        # what has a digit or is one letter is taken for said twice: no observer can tell
        again = how == "pieces" and _letters(piece) > 1 and chance.random() < 0.3
        told += [piece, piece] if again else [piece]
    return told


def _delays(how: str, chance: random.Random) -> Callable[[], float]:
    late = chance.uniform(1.0, 7.0)
    match how:
        case "ahead":
            return lambda: -chance.uniform(0.0, 0.4)
        case "late":
            return lambda: late + chance.uniform(0.0, 0.3)
        case "uneven":
            return lambda: chance.uniform(0.0, 6.0)
    return lambda: chance.uniform(0.0, 0.3)


# ---- the call


class Play:
    """A call in virtual time: the truth of it, told so, and a client that plays what it gets."""

    def __init__(self, turns: list[TrueTurn], telling: Telling, chance: random.Random) -> None:
        self.turns, self.telling, self.chance = turns, telling, chance
        self.session = ServerSession(epoch=1, now=0.0)
        self.talk = Conversation(self.session, [])
        self.client = ClientSession()
        self.record: dict[int, Turn] = {}
        self.chat: dict[str, str] = defaultdict(str)
        self.heard: dict[str, str] = {}
        self.outcomes: dict[int, str] = {}
        self.played_s: dict[int, float] = {}
        self.log: list[str] = []
        self.now = 0.0
        self._plays: dict[int, tuple[float, float]] = {}  #: turn -> its first audio came, how much
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._tie = count()
        self.session.receive_text(self.client.hello(), 0.0)
        self.session.go_live(Live("s", 1, Agent("a"), LiveLimits(1, 1)))
        self._read()

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._tie), act))

    def run(self) -> None:
        for turn in self.turns:
            self._plan_sound(turn)
        self._plan_words(self.telling.user, "user")
        self._plan_words(self.telling.agent, "agent")
        while self._due:
            when = self._due[0][0]
            alarm = self.talk.next_timeout()
            if alarm is not None and alarm <= when:
                self._step(max(self.now, alarm), lambda: None)
                continue
            when, _, act = heapq.heappop(self._due)
            self._step(when, act)
        while (alarm := self.talk.next_timeout()) is not None:
            self._step(max(self.now, alarm), lambda: None)
        self._step(self.now + 60.0, lambda: self.talk.close(self.now))

    def _step(self, when: float, act: Callable[[], None]) -> None:
        self.now = when
        act()
        self.talk.handle_timeout(when)
        self._read()

    def _read(self) -> None:
        """The call's part, then the client's."""
        while self.talk.finished:
            turn = self.talk.finished.popleft()
            self.record[turn.number] = turn
            self.log.append(f"{self.now:7.2f}    record {turn.number} {turn.user_text!r} {turn.agent_text!r}")
            self.talk.announce(turn)
        self.talk.amended.clear()
        while (said := self.session.data_to_send()) is not None:
            for message in self.client.receive(json_codec.encode(said)):
                self._act(message)

    def _act(self, message: object) -> None:
        match message:
            case media.Transcript():
                before = "" if message.whole else self.chat[message.message]
                self.chat[message.message] = before + message.text
                if message.heard is not None:
                    self.heard[message.message] = message.heard
            case media.TurnInterrupted(turn=number):
                self._flush(number)
            case media.TurnEnded(role="agent"):
                self.outcomes[message.turn] = message.outcome
            case tuple():
                number, pcm = message.turn, message.pcm  # type: ignore[attr-defined]
                began, length = self._plays.get(number, (self.now, 0.0))
                self._plays[number] = began, length + downlink_ms(len(pcm)) / 1000
        if not isinstance(message, tuple | Live):
            self.log.append(f"{self.now:7.2f}    client {message}")

    def _flush(self, number: int) -> None:
        began, length = self._plays.get(number, (self.now, 0.0))
        self.played_s[number] = min(self.now + 0.05 - began, length)
        report = media.Playback(number, "flushed", round(self.played_s[number] * 1000))
        self.at(self.now + 0.1, lambda: self.talk.client_said(report, self.now))

    def _say(self, *events: model.ModelEvent) -> None:
        for event in events:
            shown = "audio…" if isinstance(event, model.Audio) else repr(event)
            if not self.log[-1].endswith(shown):
                self.log.append(f"{self.now:7.2f} {shown}")
            self.talk.model_said(event, self.now)

    # ---- what is heard and signalled

    def _plan_sound(self, turn: TrueTurn) -> None:
        user, agent = turn.user, turn.agent
        self.at(user.began_at + HEARS_START_S, lambda: self._hear("started", user.began_at))
        self.at(user.ended_at + HEARS_STOP_S, lambda: self._hear("stopped", user.ended_at))
        last = agent.began_at
        for n in range(round(agent.lasts_s / CHUNK_S)):
            last = self._sent_at(turn, n * CHUNK_S)
            self.at(last, lambda: self._say(model.Audio(SOUND)))
        if turn.cut_at is not None:
            self._sign("interrupted", max(last, turn.cut_at), model.Interrupted())
            self._sign("completed", max(last, turn.cut_at) + 0.01, model.TurnCompleted(idle=True))
        else:
            self._sign("generated", last + 0.01, model.GenerationEnded())
            self._sign("completed", agent.ended_at + 0.1, model.TurnCompleted(idle=True))

    def _sent_at(self, turn: TrueTurn, into_s: float) -> float:
        """When audio leaves the model: faster than it plays, and before it is cut."""
        begun, share = turn.agent.began_at, into_s / max(turn.agent.lasts_s, CHUNK_S)
        until = turn.cut_at if turn.cut_at is not None else begun + turn.agent.lasts_s * 0.6
        return min(begun + share * (until - begun), begun + into_s)

    def _hear(self, what: str, at: float) -> None:
        self.log.append(f"{self.now:7.2f} user {what} at {at:.2f}")
        (self.talk.user_started if what == "started" else self.talk.user_stopped)(at)

    def _sign(self, sign: str, when: float, event: model.ModelEvent) -> None:
        if self.chance.random() < self.telling.absent[sign]:
            return
        self.at(when, lambda: self._say(event))
        if self.chance.random() < self.telling.twice:
            self.at(when + self.chance.choice([0.0, 0.2, 0.4]), lambda: self._say(event))

    def _plan_words(self, habit: Habit, role: str) -> None:
        """Words in their order, however late each is."""
        latest, delay = 0.0, _delays(habit.delay, self.chance)
        for turn in self.turns:
            if turn.number in habit.absent:
                continue
            said = turn.user if role == "user" else turn.agent
            told = _repeated(pieces_of(said.text, habit.pieces, self.chance), habit.repeats, self.chance)
            for n, piece in enumerate(told):
                if role == "user":
                    usual, earliest = said.ended_at + 0.1, said.ended_at
                else:
                    usual = self._sent_at(turn, said.lasts_s * min(1.0, n / len(told)))
                    earliest = turn.user.ended_at + HEARS_STOP_S + 0.01
                latest = max(latest, earliest, usual + delay())
                finished = habit.marks_end and n == len(told) - 1
                event = (model.Heard if role == "user" else model.Said)(piece, finished)
                self.at(latest, lambda event=event: self._say(event))  # type: ignore[misc]


@dataclass
class Verdict:
    """What the record lacks of the truth."""

    seed: int
    play: Play
    wrong: list[str] = field(
        default_factory=list
    )  #: turns, outcomes, words lost or twice, another text at the client
    misplaced: list[str] = field(default_factory=list)  #: words in a turn beside theirs
    words_off: list[int] = field(default_factory=list)  #: heard, in the record against in truth

    def __str__(self) -> str:
        truth = [
            f"{t.number} {'cut ' * bool(t.cut_at)}{t.user.text!r} {t.agent.text!r}" for t in self.play.turns
        ]
        told = [str(self.play.telling.user), str(self.play.telling.agent), str(self.play.telling.absent)]
        return "\n".join([f"seed {self.seed}", *self.wrong, *self.misplaced, *truth, *told, *self.play.log])


def judge(seed: int) -> Verdict:
    chance = random.Random(seed)
    telling = tell(chance)
    play = Play(imagine(chance, has_names=telling.agent.pieces != "bare"), telling, chance)
    play.run()
    verdict = Verdict(seed, play)
    numbers = [true.number for true in play.turns]
    if not set(numbers) <= set(play.record):
        verdict.wrong.append(f"turns {sorted(play.record)}")
        return verdict
    if len(play.record) > len(numbers):
        verdict.misplaced.append(f"turns {sorted(play.record)}")
    for true in play.turns:
        _judge_end(verdict, true)
        _judge_client(verdict, true.number)
    for role, habit in (("user", telling.user), ("agent", telling.agent)):
        _judge_words(verdict, role, habit)
    return verdict


def _judge_end(verdict: Verdict, true: TrueTurn) -> None:
    """How the answer ended, and what of it was heard."""
    play, number = verdict.play, true.number
    kept, outcome = play.record[number], play.outcomes.get(number)
    right = {"interrupted"} if true.cut_at is not None else {"completed"}
    if true.cut_at is not None and play.telling.absent["interrupted"] and number not in play.played_s:
        right.add("completed")  # nobody said that it was cut, and all of it was heard
    if outcome not in right:
        verdict.wrong.append(f"turn {number} is {outcome}")
    if number in play.played_s and kept.agent_text == true.agent.text:
        heard = true.heard_words(play.played_s[number])
        verdict.words_off.append(abs(len(kept.heard_text().split()) - heard))


def _judge_client(verdict: Verdict, number: int) -> None:
    """It has what the record has."""
    play, kept = verdict.play, verdict.play.record[number]
    shown = play.chat[f"u{number}"], play.chat[f"a{number}"], play.heard.get(f"a{number}")
    heard = kept.heard_text() if kept.cut_at is not None and f"a{number}" in play.heard else None
    if shown != (kept.user_text, kept.agent_text, heard):
        verdict.wrong.append(f"turn {number}: the client has {shown}")


def _judge_words(verdict: Verdict, role: str, habit: Habit) -> None:
    """Each word in its turn; and once and in order, but for a repetition or snapshot in a wrong turn."""
    turns, record = verdict.play.turns, verdict.play.record
    truth = {t.number: "" if t.number in habit.absent else getattr(t, role).text for t in turns}
    told = {number: getattr(record[number], f"{role}_text") for number in sorted(record)}
    first = next((number for number, text in truth.items() if text), 0)
    misplaced = []
    for number, text in truth.items():
        is_new = habit.pieces == "bare" and number == first  # its first pieces do not tell how they join
        if told[number] != text and not (is_new and _squeezed(told[number]) == _squeezed(text)):
            misplaced.append(f"turn {number} {role}: {told[number]!r} is not {text!r}")
    verdict.misplaced += misplaced
    is_plain = habit.pieces != "snapshots" and habit.repeats == "none"
    if (is_plain or not misplaced) and _squeezed("".join(truth.values())) != _squeezed(
        "".join(told.values())
    ):
        verdict.wrong.append(f"words of the {role}: {list(told.values())}")


def _squeezed(text: str) -> str:
    return text.replace(" ", "")
