"""DynamoDB's typed JSON, for the types of value that records hold.

Structured values (a config, a tool's schema) are stored as one JSON string by the module that owns them: a
client's nesting can then never hit the table's limits on depth, numbers or empty keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Value = str | int | float | bool | frozenset[str] | Mapping[str, Any]
Item = dict[str, Any]  #: attribute name to a value as `unpack` gives it


def pack(value: Value) -> dict[str, Any]:
    """One attribute value. Raises TypeError for an unsupported type."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case frozenset():
            return {"SS": sorted(value)}
        case Mapping():
            return {"M": {name: pack(held) for name, held in value.items()}}
        case _:
            raise TypeError(f"no record holds a {type(value).__name__}")


def pack_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A whole item. None and empty sets are left out: absent and empty are equivalent here."""
    return {name: pack(value) for name, value in item.items() if value is not None and value != frozenset()}


def unpack(value: Mapping[str, Any]) -> Any:
    """The value of one attribute; whole numbers are returned as int."""
    ((kind, held),) = value.items()
    match kind:
        case "N":
            number = float(held)
            return int(number) if number.is_integer() else number
        case "SS":
            return frozenset(held)
        case "M":
            return unpack_item(held)
        case _:
            return held


def unpack_item(attributes: Mapping[str, Any]) -> Item:
    """A whole item."""
    return {name: unpack(value) for name, value in attributes.items()}
