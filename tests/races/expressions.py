"""DynamoDB's condition and update expressions, on items of typed JSON.

As much of the language as records use; the rest is refused. Held against moto by `test_memory_table.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

Item = Mapping[str, Any]
Value = Mapping[str, Any]  #: one typed value, such as {"N": "1"}
Places = Mapping[str, Any]  #: names and values of the placeholders of one request
Path = tuple[str, ...]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),.+-]|[#:]?[A-Za-z_]\w*)")
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Invalid(Exception):
    """What DynamoDB answers with ValidationException."""


class Reader:
    """Recursive descent over one expression."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        if "".join(self.tokens) != "".join(text.split()):
            raise Invalid(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token.upper() != wanted):
            raise Invalid(f"{wanted} at {self.at}")
        self.at += 1
        return token

    def takes(self, wanted: str) -> bool:
        is_next = self.peek().upper() == wanted
        self.at += is_next
        return is_next

    def listed(self, one: Callable[[], Any]) -> list[Any]:
        found = [one()]
        while self.takes(","):
            found.append(one())
        return found

    # ---- conditions

    def condition(self) -> Any:
        terms = [self.conjunction()]
        while self.takes("OR"):
            terms.append(self.conjunction())
        return terms[0] if len(terms) == 1 else ("or", terms)

    def conjunction(self) -> Any:
        terms = [self.term()]
        while self.takes("AND"):
            terms.append(self.term())
        return terms[0] if len(terms) == 1 else ("and", terms)

    def term(self) -> Any:
        if self.takes("NOT"):
            return ("not", self.term())
        if self.takes("("):
            inner = self.condition()
            self.take(")")
            return inner
        if self.peek() in ("attribute_exists", "attribute_not_exists", "begins_with"):
            name = self.take()
            self.take("(")
            operands = self.listed(self.operand)
            self.take(")")
            return (name, operands)
        return self.comparison()

    def comparison(self) -> Any:
        left = self.operand()
        if self.takes("IN"):
            self.take("(")
            among = self.listed(self.operand)
            self.take(")")
            return ("in", left, among)
        if self.takes("BETWEEN"):
            low = self.operand()
            self.take("AND")
            return ("between", left, low, self.operand())
        sign = self.take()
        if sign not in _COMPARED:
            raise Invalid(sign)
        return ("compare", sign, left, self.operand())

    def operand(self) -> Any:
        if self.peek() in ("size", "if_not_exists"):
            name = self.take()
            self.take("(")
            operands = self.listed(self.operand)
            self.take(")")
            return (name, operands)
        if self.peek().startswith(":"):
            return ("value", self.take())
        steps = [self.take()]
        while self.takes("."):
            steps.append(self.take())
        return ("path", tuple(steps))

    # ---- updates

    def update(self) -> list[tuple[str, Any, Any]]:
        actions: list[tuple[str, Any, Any]] = []
        one = {"SET": self._set, "REMOVE": self._remove, "ADD": self._pair, "DELETE": self._pair}
        while self.peek():
            verb = self.take().upper()
            if verb not in one:
                raise Invalid(verb)
            actions += [(verb, path, value) for path, value in self.listed(one[verb])]
        return actions

    def _set(self) -> tuple[Any, Any]:
        path = self.operand()
        self.take("=")
        return path, self.operand()

    def _remove(self) -> tuple[Any, Any]:
        return self.operand(), None

    def _pair(self) -> tuple[Any, Any]:
        return self.operand(), self.operand()


@cache
def parsed(text: str, kind: str) -> Any:
    """The tree of an expression. Raises Invalid."""
    reader = Reader(text)
    tree = reader.condition() if kind == "condition" else reader.update()
    if reader.peek():
        raise Invalid(text)
    return tree


def holds(text: str, item: Item, places: Places) -> bool:
    """True when a condition holds for an item, which is empty when there is none."""
    return _holds(parsed(text, "condition"), item, places)


def _holds(tree: Any, item: Item, places: Places) -> bool:
    match tree[0]:
        case "and":
            return all(_holds(each, item, places) for each in tree[1])
        case "or":
            return any(_holds(each, item, places) for each in tree[1])
        case "not":
            return not _holds(tree[1], item, places)
        case "attribute_exists":
            return _value(tree[1][0], item, places) is not None
        case "attribute_not_exists":
            return _value(tree[1][0], item, places) is None
        case "begins_with":
            held, start = (_value(each, item, places) for each in tree[1])
            return held is not None and "S" in held and str(held["S"]).startswith(start["S"])
        case "in":
            left = _value(tree[1], item, places)
            return any(_compares("=", left, _value(each, item, places)) for each in tree[2])
        case "between":
            left, low, high = (_value(each, item, places) for each in tree[1:])
            return _compares(">=", left, low) and _compares("<=", left, high)
        case _:
            _, sign, left, right = tree
            return _compares(sign, _value(left, item, places), _value(right, item, places))


def _compares(sign: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        return False
    ((kind, one),) = left.items()
    ((other_kind, other),) = right.items()
    if kind != other_kind:
        return False
    if kind == "N":
        one, other = Decimal(one), Decimal(other)
    elif kind == "SS":
        one, other = set(one), set(other)
    if sign != "=" and kind not in ("N", "S"):
        raise Invalid(f"{sign} of {kind}")
    return _COMPARED[sign](one, other)


def _value(tree: Any, item: Item, places: Places) -> Value | None:
    match tree:
        case ("value", name):
            value: Value = places[name]
            return value
        case ("path", steps):
            return _at(item, _resolved(steps, places))
        case ("size", [operand]):
            held = _value(operand, item, places)
            if held is None or not held.keys() & {"M", "S", "SS"}:
                return None
            ((_, content),) = held.items()
            return {"N": str(len(content))}
        case ("if_not_exists", [path, other]):
            held = _value(path, item, places)
            return _value(other, item, places) if held is None else held
        case _:
            raise Invalid(str(tree))


def _resolved(steps: Path, places: Places) -> Path:
    return tuple(places[step] if step.startswith("#") else step for step in steps)


def _at(item: Item, path: Path) -> Value | None:
    held: Any = {"M": item}
    for step in path:
        if held is None or "M" not in held:
            return None
        held = held["M"].get(step)
    return held  # type: ignore[no-any-return]


def updated(text: str, item: Item, places: Places) -> dict[str, Any]:
    """An item after an update: all values are those from before it. Raises Invalid."""
    changes = []
    for verb, (_, steps), operand in parsed(text, "update"):
        value = None if verb == "REMOVE" else _value(operand, item, places)
        changes.append((verb, _resolved(steps, places), value))
    after = dict(item)
    for verb, path, value in changes:
        _apply(after, verb, path, value)
    return after


def _apply(item: dict[str, Any], verb: str, path: Path, value: Value | None) -> None:
    holder = item
    for step in path[:-1]:
        if "M" not in holder.get(step, {}):
            raise Invalid("document path")
        holder[step] = {"M": dict(holder[step]["M"])}  # a copy: the item before is kept
        holder = holder[step]["M"]
    name, held = path[-1], holder.get(path[-1])
    match verb:
        case "SET":
            if value is None:
                raise Invalid("no such attribute")
            holder[name] = value
        case "REMOVE":
            holder.pop(name, None)
        case "ADD" | "DELETE":
            assert value is not None
            total = _sum(verb, held, value)
            if total is None:
                holder.pop(name, None)
            else:
                holder[name] = total


def _sum(verb: str, held: Value | None, value: Value) -> Value | None:
    if "SS" in value:
        before = set(held["SS"]) if held is not None else set()
        after = before | set(value["SS"]) if verb == "ADD" else before - set(value["SS"])
        return {"SS": sorted(after)} if after else None
    if verb == "DELETE" or "N" not in value or "N" not in (held or {"N": "0"}):
        raise Invalid(verb)
    total = Decimal(held["N"] if held else "0") + Decimal(value["N"])
    return {"N": format(total.normalize() if total else Decimal(0), "f")}
