"""Public failures of Gemini Live, as data: what was reported where, and the scenario that plays it.

Each file beside this one holds a list. Whoever plays them needs a user who follows `user`, and says of each
failure whether that user was answered, told, or left in silence.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from simulator.scenario import Scenario, ScenarioError, check

FOLDER = Path(__file__).parent


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One failure that others met."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]+$")]
    what: str  #: the symptom, in a line
    urls: Annotated[tuple[str, ...], Meta(min_length=1)]  #: where it was reported
    user: Annotated[tuple[str, ...], Meta(min_length=1)] = (
        "speak",
        "speak",
    )  #: speak, barge_in, push_to_talk,
    #: `type TEXT`, remark (words that are not for the model), `wait SECONDS`: one after another's answer
    answer: bool = True  #: whether an answer is possible at all
    own_s: float = 0.0  #: silence that the failure itself takes before any answer can come
    told: str = ""  #: code by which a client of Vivavoce is told, when there is no answer
    scenario: Scenario = Scenario()


def load() -> dict[str, Failure]:
    """Every failure by its name, in the order of the files. Raises ScenarioError."""
    failures: dict[str, Failure] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for failure in _read(path):
            if failure.name in failures:
                raise ScenarioError(f"{path.name}: {failure.name} is there twice")
            failures[failure.name] = failure
    return failures


def _read(path: Path) -> list[Failure]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    given = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    try:
        failures = msgspec.convert(given, list[Failure])
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{path.name}: {error}") from None
    for failure in failures:
        check(failure.scenario, f"{path.name}: {failure.name}")
    return failures
