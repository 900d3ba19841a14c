"""What a message is counted for, against the memory that it really takes."""

from __future__ import annotations

import tracemalloc
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import media
from protocol.codec import encode, json_codec, server_messages
from protocol.journal import Journal
from protocol.limits import TOOL_ARGS_BYTES
from protocol.media import ToolCall, Transcript
from protocol.memory import memory_of
from tests.protocol.messages import messages
from tests.protocol.search import searched

COPIES = 24  #: so that what is made once for all of them does not count


def _allocated(message: media.ServerMessage, copies: int = COPIES) -> tuple[float, float]:
    """Bytes that the allocator gave for a message in a journal, and what it is counted for there."""
    text = encode(message)
    journal = Journal(1 << 40)
    written: list[object] = []
    put: Any = journal.put_answer if isinstance(message, media.Answer) else journal.put_event
    tracemalloc.start()
    try:
        for _ in range(copies):
            put(server_messages.decode(text))
        counted = journal.waiting_bytes
        waiting, _ = tracemalloc.get_traced_memory()
        while (said := journal.take()) is not None:
            written.append(said)
            json_codec.encode(said)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return max(waiting, kept) / copies, counted / copies


@pytest.mark.parametrize("kind", get_args(media.ServerMessage), ids=lambda kind: kind.__name__)
@searched(25)
@given(data=st.data())
def test_no_message_is_counted_for_less_than_it_takes_nor_for_much_more(
    kind: type, data: st.DataObject
) -> None:
    size, counted = _allocated(data.draw(messages(kind)))
    assert size <= 1.1 * counted
    assert counted <= 4 * size


@pytest.mark.parametrize(
    "item", ["[]", "{}", "[[]]", '{"a":[]}', "1", "1.5", "300", '"a"', '"語"', '{"é":0.5}']
)
def test_arguments_that_are_small_as_text_and_large_in_memory_are_counted_in_memory(item: str) -> None:
    many = (TOOL_ARGS_BYTES // 2) // (len(item.encode()) + 1)
    args = msgspec.json.decode(f'{{"items":[{",".join([item] * many)}]}}')
    size, counted = _allocated(ToolCall("c", "t", 1000, args), copies=4)
    assert size <= 1.1 * counted
    assert counted <= 3 * size


def test_a_text_is_counted_with_the_utf_8_that_stays_with_it() -> None:
    for text in ("a" * 3_000, "é" * 3_000, "語" * 3_000, "😀" * 3_000):
        size, counted = _allocated(Transcript("a1", 1, "agent", text))
        assert size <= 1.1 * counted and counted <= 1.5 * size


def test_counting_reads_each_part_once() -> None:
    """Twice the arguments are twice the memory, besides what a message takes for itself."""
    one, two, four = (memory_of(ToolCall("c", "t", 1, {"a": ["x" * 100] * many})) for many in (100, 200, 400))
    assert four - two == 2 * (two - one)
