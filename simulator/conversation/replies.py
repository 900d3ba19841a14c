"""Choice of a reply: the scenario's first rule that fits, else the default.

By default speech is answered with the user's own words and text with a sentence.
`call NAME {json}` typed by the user calls a declared function. Asked which word it was to remember, it looks
for that in the context, so that a test can tell whether the context survived.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from simulator.scenario import Call, Page, Rule, Scenario
from simulator.session.context import Memory
from simulator.session.setup import Setup
from simulator.speech.samples import Sample
from simulator.speech.turn_detection import Utterance

_TOLD = re.compile(r"\bremember this word: (\w+)", re.IGNORECASE)
_ASKED = re.compile(r"\bwhich word\b.*\bremember\b", re.IGNORECASE | re.DOTALL)
_DICTATED = re.compile(r"\bsay (?:only|the word) (\w+)\.$", re.IGNORECASE)
_SEARCH = re.compile(r"\bsearch for (\w[\w ]*)", re.IGNORECASE)
_DIRECTION = re.compile(r"\(.*\)", re.DOTALL)
_CALL = re.compile(r"\s*call\s+([\w.:-]+)\s*(\{.*\})?\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heard:
    """The user spoke."""

    utterance: Utterance
    text: str
    sample: Sample | None


@dataclass(frozen=True, slots=True)
class Read:
    """The user typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A tool answered."""

    tool: str
    response: Any

    @property
    def text(self) -> str:
        """Text of the response: its `output`, `result` or `error` if it has one, else all of it as JSON."""
        value = self.response
        if isinstance(value, dict):
            value = next((value[key] for key in ("output", "result", "error") if key in value), value)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


Stimulus = Heard | Read | Returned


@dataclass(frozen=True, slots=True)
class Plan:
    """Reply of one turn. Without `say`, `echo` and `call` the model stays silent."""

    say: str | None
    echo: Utterance | None
    call: Call | None
    think_s: float
    pace: float
    cite: tuple[Page, ...] = ()

    @property
    def is_silent(self) -> bool:
        return self.say is None and self.echo is None and self.call is None


class Replies:
    """Plans the reply of each turn. Stateless, and shared by all sessions."""

    def __init__(self, scenario: Scenario) -> None:
        self._rules = scenario.turns
        self._behaviour = scenario.settings

    def plan(self, stimulus: Stimulus, memory: Memory, setup: Setup) -> Plan:
        """Plan the turn that `memory` is at; record a `once` rule there when it is used."""
        for index, rule in enumerate(self._rules):
            if rule.ignored and not setup.model.profile.proactive.value:
                continue  # this model answers everybody
            if index not in memory.used_rules and _fits(rule, stimulus, memory.turn):
                if rule.once:
                    memory.used_rules.add(index)
                return _understood(self._scripted(rule, stimulus, setup), setup)
        return _understood(self._unscripted(stimulus, memory, setup), setup)

    def _scripted(self, rule: Rule, stimulus: Stimulus, setup: Setup) -> Plan:
        is_silent = rule.silent or rule.ignored
        heard = stimulus.utterance if isinstance(stimulus, Heard) else None
        echoes = rule.echo if rule.echo is not None else rule.say is None and rule.call is None
        think_s = self._behaviour.think_s if rule.think_s is None else rule.think_s
        return Plan(
            say=None if is_silent or rule.say is None else _filled(rule.say, stimulus),
            echo=heard if echoes and not is_silent else None,
            call=None if is_silent else rule.call,
            think_s=think_s,
            pace=rule.pace or self._behaviour.pace,
            cite=rule.cite if setup.searches else (),
        )

    def _unscripted(self, stimulus: Stimulus, memory: Memory, setup: Setup) -> Plan:
        echo = stimulus.utterance if isinstance(stimulus, Heard) else None
        call = _asked_call(stimulus.text, setup) if isinstance(stimulus, Read) else None
        say, cite = None, _found(stimulus, setup)
        if cite:
            say = f"I found {cite[0].title}."
        elif isinstance(stimulus, Returned):
            say = f"{stimulus.tool} says {stimulus.text}"
        elif isinstance(stimulus, Read) and call is None:
            say = _typed(stimulus.text, memory)
        return Plan(say, echo, call, self._behaviour.think_s, self._behaviour.pace, cite)


def _found(stimulus: Stimulus, setup: Setup) -> tuple[Page, ...]:
    """What a search finds, when the user types that one is wanted and there is one."""
    asked = _SEARCH.search(stimulus.text) if setup.searches and isinstance(stimulus, Read) else None
    return (Page(url="https://example.com/found", title=asked[1]),) if asked else ()


def _typed(text: str, memory: Memory) -> str:
    """The answer to a typed text. One in brackets is a stage direction, and is not repeated."""
    if _ASKED.search(text):
        return _recalled(memory)
    if dictated := _DICTATED.search(text):
        return f"{dictated[1].capitalize() if dictated[1].islower() else dictated[1]}."
    return "Hello. What can I do for you?" if _DIRECTION.fullmatch(text) else f"You wrote: {text}"


def _understood(plan: Plan, setup: Setup) -> Plan:
    """A function whose schema the model cannot read is called without arguments, or only talked about."""
    declared = setup.declared(plan.call.name) if plan.call else None
    if declared is None or declared.is_understood:
        return plan
    if setup.model.profile.splits_replies.value:
        return replace(plan, call=None, say=f"I call {declared.name}.")
    return replace(plan, call=Call(name=declared.name))


def _fits(rule: Rule, stimulus: Stimulus, turn: int) -> bool:
    when = rule.when
    text = "" if isinstance(stimulus, Returned) else stimulus.text
    sample = stimulus.sample.name if isinstance(stimulus, Heard) and stimulus.sample else None
    tool = stimulus.tool if isinstance(stimulus, Returned) else None
    return (
        when.tool == tool
        and (when.contains is None or when.contains.lower() in text.lower())
        and when.turn in (None, turn)
        and when.sample in (None, sample)
        and when.spoken in (None, isinstance(stimulus, Heard))
    )


def _filled(say: str, stimulus: Stimulus) -> str:
    if isinstance(stimulus, Returned):
        return say.replace("{response}", stimulus.text)
    return say.replace("{heard}", stimulus.text)


def _recalled(memory: Memory) -> str:
    told = [found[1] for entry in memory.entries if (found := _TOLD.search(entry.text))]
    return f"The word was {told[-1]}." if told else "You told me no word."


def _asked_call(text: str, setup: Setup) -> Call | None:
    """The call in `call NAME {json}`, if the function is declared and the arguments are an object."""
    match = _CALL.match(text)
    if match is None or setup.declared(match[1]) is None:
        return None
    try:
        args = json.loads(match[2] or "{}")
    except json.JSONDecodeError:
        return None
    return Call(name=match[1], args=args)
