"""Lines of the local stack's processes, as a terminal shows them: what went wrong, or all."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.local.logs import Line

_LEVELS = ("WARNING", "ERROR", "CRITICAL")
#: Fields that say nothing to who watches: he sees when and where it comes.
_HIDDEN = {"level", "message", "location", "timestamp", "service", "exception", "exception_name"}


def watch(say: Callable[[str], None], *, shows_all: bool) -> Callable[[Line], None]:
    """A watcher of the stack's log that says what is worth it. It also takes this process's own log."""
    level = logging.INFO if shows_all else logging.WARNING
    logging.basicConfig(format="%(name)s  %(levelname)s  %(message)s", level=level)

    def tell(line: Line) -> None:
        if text := shown(line, shows_all=shows_all):
            say(text)

    return tell


def shown(line: Line, *, shows_all: bool = False) -> str | None:
    """The line for a person; None for one that reports what is well, unless all are wanted.

    A process logs JSON; what it prints besides is a crash, so it is shown.
    """
    source = line.source.removeprefix("vivavoce-local-")
    fact = _fact(line.text)
    if fact is None:
        return f"{source}  {line.text}" if line.text.strip() else None
    if "status" in fact and "function" in fact:
        return _invocation(fact, shows_all)
    level = str(fact.get("level", "INFO"))
    if level not in _LEVELS and not shows_all:
        return None
    more = "".join(f"  {name}={value}" for name, value in fact.items() if name not in _HIDDEN)
    trace = f"\n{fact['exception']}" if fact.get("exception") else ""
    return f"{source}  {level}  {fact.get('message', '')}{more}{trace}"


def _invocation(fact: dict[str, Any], shows_all: bool) -> str | None:
    is_well = fact["status"] == "ok"
    if is_well and not shows_all:
        return None
    name = str(fact["function"]).removeprefix("vivavoce-local-")
    route = f" ({fact['routeKey']})" if fact.get("routeKey") else ""
    level = "INFO" if is_well else "ERROR"
    return f"{name}{route}  {level}  {fact['status']} after {fact['duration_ms']:.0f} ms"


def _fact(text: str) -> dict[str, Any] | None:
    """The object in a line of JSON; None for any other line."""
    try:
        fact = json.loads(text) if text.startswith("{") else None
    except ValueError:
        return None
    return fact if isinstance(fact, dict) else None
