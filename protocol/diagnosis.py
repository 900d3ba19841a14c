"""Why a message cannot be read: the field, and the rule that it breaks, in words of our own.

The decoder says so in the text of its exception, which may quote what the peer sent. Nothing of that text is
passed on: a path has the names of our own fields only (a peer's key is `...`), and a rule is one of these.
"""

from __future__ import annotations

import re

_AT = re.compile(r"(.*?)(?: - at (`key` in )?`\$\.?([a-z_.\[\]0-9]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `([a-z_]+)`")
_LENGTH = re.compile(r"Expected `\w+` of length (>= |<= |)(\d+)")
_BOUND = re.compile(r"Expected `\w+` (>=|<=) (\d+)(?:\.0)?")
_TYPE = re.compile(r"Expected `([a-z| ]+)`(?:, got `\w+`)?")
_OTHERS = {
    "Expected `str` matching regex": "has characters that are not allowed",
    "Invalid enum value": "is none of the values that are allowed",
    "Invalid base64 encoded string": "is no base64",
    "Number out of range": "is out of range",
}
_BOUNDS = {">=": "at least", "<=": "at most", "": "exactly"}
_NAMES = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


def explain(text: str) -> str:
    """Field and rule of a decoder's text, such as "versions is required"; empty for any other text."""
    found = _AT.fullmatch(text)
    assert found is not None  # all of it is optional
    said, key, path = found[1], found[2], found[3] or ""
    if missing := _MISSING.fullmatch(said):
        return f"{f'{path}.' if path else ''}{missing[1]} is required"
    rule = _rule(said)
    where = f"a key of {path}" if key else path or "the message"
    return f"{where} {rule}" if rule else ""


def _rule(said: str) -> str:
    if found := _LENGTH.fullmatch(said):
        return f"must have a length of {_BOUNDS[found[1].strip()]} {found[2]}"
    if found := _BOUND.fullmatch(said):
        return f"must be {_BOUNDS[found[1]]} {found[2]}"
    if found := _TYPE.fullmatch(said):
        return "must be " + " or ".join(_NAMES.get(name, name) for name in found[1].split(" | "))
    return next((rule for start, rule in _OTHERS.items() if said.startswith(start)), "")
