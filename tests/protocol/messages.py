"""Random messages of every type that a server says."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct

from protocol import media

TEXTS = st.text(max_size=300) | st.text("aé語😀", min_size=1, max_size=300)
NUMBERS = st.integers(0, 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXTS,
    lambda held: st.lists(held, max_size=8) | st.dictionaries(TEXTS, held, max_size=8),
    max_leaves=40,
)
PLAIN = {
    str: TEXTS,
    int: NUMBERS,
    float: st.floats(0, 1e9),
    bool: st.booleans(),
    NoneType: st.none(),
    Any: JSON,
}


def _of(hint: Any) -> st.SearchStrategy[Any]:
    arguments, origin = get_args(hint), get_origin(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of(map(_of, arguments))
    if origin is list:
        return st.lists(_of(arguments[0]), max_size=8)
    if origin is dict:
        return st.dictionaries(_of(arguments[0]), _of(arguments[1]), max_size=8)
    return messages(hint)


def messages(kind: type[Struct]) -> st.SearchStrategy[Any]:
    """Messages of one type, every field filled."""
    return st.builds(kind, **{name: _of(hint) for name, hint in get_type_hints(kind).items()})


EVENTS = st.one_of(map(messages, get_args(media.Event)))
