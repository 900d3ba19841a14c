"""Memory that a message takes, estimated without encoding it."""

from __future__ import annotations

from sys import getsizeof
from typing import Literal, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import astuple

from .codec import utf8_bytes
from .media import ServerMessage

#: JSON of any shape, or a message. Of strings, numbers, lists, dicts and structs, without a cycle.
Held = Struct | dict[str, "Held"] | list["Held"] | str | int | float | None

_HINTS = [hint for kind in get_args(ServerMessage) for hint in get_type_hints(kind).values()]
_CONSTANTS = {id(text) for hint in _HINTS if get_origin(hint) is Literal for text in get_args(hint)} | {
    id("")
}


def memory_of(held: Held) -> int:
    """Return the bytes of a message and of all that it refers to; time is linear in their number.

    What it shares with others, or refers to twice, counts each time: it may be the last to hold it. But the
    constants of the protocol, small numbers, true, false and null count for nothing: there is one of each.
    """
    size = 0
    found: list[Held] = [held]
    for value in found:  # which grows by what each of them holds
        if value is None or value is True or value is False:
            continue
        if type(value) is str:  # an exact type is told faster than by isinstance
            if id(value) not in _CONSTANTS:
                size += getsizeof(value)
            if not value.isascii():
                size += utf8_bytes(value)  # which stays with the string once it was encoded
        elif type(value) is int:
            if not -5 <= value <= 256:
                size += getsizeof(value)
        elif type(value) is list:
            size += getsizeof(value)
            found += value
        elif type(value) is dict:
            size += getsizeof(value)
            found += value
            found += value.values()
        elif type(value) is float:
            size += getsizeof(value)
        elif isinstance(value, Struct):
            size += getsizeof(value)
            found += astuple(value)
    return size
