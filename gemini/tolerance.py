"""Reads what can be read of a JSON message: a part that does not fit its type loses itself and nothing else.

For messages that the strict decoder has refused. `null` is an absent field; base64 may be of either alphabet,
with or without its padding. What is no Unicode, such as half a surrogate pair, becomes the sign for that: it
could not be encoded again for a client.
"""

from __future__ import annotations

import base64
import json
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_URL_SAFE = str.maketrans("-_", "+/")


def read(data: str | bytes, type_: type[T]) -> T | None:
    """The message as far as it fits `type_`; None for what is no JSON object."""
    text = data if isinstance(data, str) else data.decode(errors="replace")
    try:
        held = _encodable(json.loads(text))
        return _struct(held, type_) if isinstance(held, dict) else None
    except (ValueError, RecursionError):
        return None


def _encodable(held: Any) -> Any:
    """The same JSON, with every string fit for UTF-8."""
    match held:
        case str():
            return held.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_encodable(each) for each in held]
        case dict():
            return {_encodable(name): _encodable(value) for name, value in held.items()}
        case _:
            return held


def _struct(held: dict[str, Any], type_: type[T]) -> T:
    hints = get_type_hints(type_, include_extras=True)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(type_):
        value = held.get(field.encode_name)
        if value is not None:
            read = _value(value, hints[field.name])
            if read is not None:
                fields[field.name] = read
    return type_(**fields)


def _value(held: Any, hint: Any) -> Any:
    """What fits of `held`; None when nothing does."""
    wanted = next((each for each in get_args(hint) if each is not NoneType), hint)
    if get_origin(hint) is list:
        item = get_args(hint)[0]
        read = [_value(each, item) for each in held] if isinstance(held, list) else []
        return [each for each in read if each is not None]
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _struct(held, wanted) if isinstance(held, dict) else None
    if wanted is bytes:
        return _bytes(held)
    try:
        return msgspec.convert(held, hint, strict=False)
    except msgspec.ValidationError:
        return None


def _bytes(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    text = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
