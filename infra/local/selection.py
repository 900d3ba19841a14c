"""The route selection expression: which route a message takes."""

import json
import re
from typing import Any

_BODY_PATH = re.compile(r"\$request\.body((?:\.\w+)+)")


def body_path(expression: str) -> tuple[str, ...]:
    """The path in `$request.body.<path>`. Raises ValueError for any other form of expression."""
    found = _BODY_PATH.fullmatch(expression)
    if found is None:
        raise ValueError(f"the route selection expression {expression} is not supported")
    return tuple(found[1].removeprefix(".").split("."))


def route_key(path: tuple[str, ...], body: str) -> str:
    """The value at `path` of a JSON body, stringified; empty when there is no such value.

    Empty also for `$connect` and its like: a message cannot choose those.
    """
    try:
        value: Any = json.loads(body)
        for name in path:
            value = value[name]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    if isinstance(value, dict | list | None):
        return ""
    key = value if isinstance(value, str) else json.dumps(value)
    return "" if key.startswith("$") else key
