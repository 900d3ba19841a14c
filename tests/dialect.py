"""The model that the suite talks to: the one of `--model`, or the agents' own.

A test that depends on one of the model's habits asks `profile()` for it, or takes a model that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.catalogue import MODEL
from gemini import profiles
from gemini.profiles import Profile

_named: list[str] = []


def speak(model: str) -> None:
    """Talk to this model from now on; empty: as the agents say."""
    _named[:] = [model] if model else []


def model() -> str:
    """Its name, without `models/`."""
    return _named[0] if _named else MODEL


def model_that(**habits: object) -> str:
    """It, or where it has other habits than these a model that has them all.

    A habit is an entry of its profile, or a property of that: `model_that(proactive=True, takes_notes=True)`.
    """
    return next(name for name in (model(), *profiles.MODELS) if _has(profiles.of(name), habits))


def _has(profile: Profile, habits: dict[str, object]) -> bool:
    held = {name: getattr(profile, name) for name in habits}
    return {name: getattr(each, "value", each) for name, each in held.items()} == habits


def profile() -> Profile:
    """What it does otherwise than other models."""
    return profiles.of(model())


def turns() -> int:
    """How many turns of its one reply takes: a model that thinks says so first."""
    return 1 + profile().splits_replies.value


def codes(begun: Sequence[dict[str, Any]]) -> list[str]:
    """The tone codes of its latest reply, by what the simulator's ledger has of answers."""
    return [str(answer["code"]) for answer in begun[-turns() :]]


def parameters(**more: str) -> dict[str, str]:
    """Parameters of a stack whose agents all talk to it, and more of them."""
    return {"GeminiModel": "".join(_named), **more}
