"""The steps of `doctor`, in order: each done, failed, left out, or not reached after one that failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from cli.doctor.remedies import remedy

STEPS = (
    "dns",
    "connect",
    "auth",
    "start",
    "cold start",
    "ticket",
    "edge",
    "echo",
    "mint",
    "model",
    "turn",
    "rotation",
)
MEASURED = -1  #: in `ms`: how long the step took, unless its body says otherwise
State = Literal["ok", "note", "failed", "left out", "not reached"]


class Trouble(Exception):
    """Failure of a step. `code` chooses the advice; `detail` is what was seen, without secrets."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Note(Trouble):
    """Not a failure: something works that one should know of."""


class Stopped(Exception):
    """Raised after a failed step is reported; the steps after it are not reached."""


_LOCAL_LOGS = 'Of a stack on this machine the terminal of "vivavoce dev" shows it.'


@dataclass(slots=True)
class Result:
    """One line of the report."""

    name: str
    state: State = "not reached"
    ms: int | None = None  #: None: nothing of its own was measured
    detail: str = ""
    code: str = ""  #: why it failed
    advice: str = ""  #: what to change


@dataclass(slots=True)
class Checkup:
    """Collects results; `tell` hears of each as it comes, `wait` of what is being waited for."""

    tell: Callable[[Result], None] = lambda result: None
    wait: Callable[[str], None] = lambda what: None
    names: dict[str, str] = field(
        default_factory=dict
    )  #: what STACK and AGENT stand for, where that is known
    why_no_relay: Callable[[], str] = lambda: ""  #: what is known of a start that failed
    is_local: bool = False  #: the stack is this machine's, and its logs are on its terminal
    results: list[Result] = field(default_factory=lambda: [Result(name) for name in STEPS])

    @property
    def is_well(self) -> bool:
        return all(result.state in ("ok", "note", "left out") for result in self.results)

    @contextmanager
    def step(self, name: str) -> Iterator[Result]:
        """Measures its body. The body may set `detail`, and `ms` where its own duration says nothing.

        Raises Stopped when the body raises Trouble.
        """
        result = self._result(name)
        began_at = time.perf_counter()
        result.ms = MEASURED
        try:
            yield result
        except Note as note:
            result.state, result.code, result.detail = "note", note.code, note.detail
            result.advice = self._remedy(name, note.code)
        except Trouble as trouble:
            result.state, result.code, result.detail = "failed", trouble.code, trouble.detail
            if name == "cold start" and (why := self.why_no_relay()):
                result.detail += f" ({why})"
            result.advice = self._remedy(name, trouble.code)
            raise Stopped from None
        else:
            result.state = "ok" if result.state == "not reached" else result.state
        finally:
            if result.state == "not reached":  # interrupted
                result.ms = None
            else:
                if result.ms == MEASURED:
                    result.ms = round((time.perf_counter() - began_at) * 1000)
                self.tell(result)

    def leave_out(self, name: str, why: str) -> None:
        """Record a step that cannot be done from here."""
        result = self._result(name)
        result.state, result.detail = "left out", why
        self.tell(result)

    def _result(self, name: str) -> Result:
        return next(each for each in self.results if each.name == name)

    def _remedy(self, name: str, code: str) -> str:
        advice = remedy(name, code)
        for placeholder, known in self.names.items():
            advice = advice.replace(placeholder, known)
        return f"{advice} {_LOCAL_LOGS}" if self.is_local and "log group" in advice else advice
