"""The isolation bench fails on what must fail, and its flood is what the limits allow."""

from __future__ import annotations

import json

import pytest

from bench.flood import KINDS
from bench.isolation import FELT, TASK_MB, Phase, judge, table
from protocol.codec import client_messages
from protocol.errors import RemoteProtocolError
from protocol.limits import TOOL_RESULT_BYTES, UPLINK_FRAME_BYTES


def phase(name: str, ms: float, **more: object) -> Phase:
    return Phase(name, [ms] * 200, 0, 0.1, 80.0, **more)  # type: ignore[arg-type]


QUIET = phase("quiet", 10.0)


def test_a_flood_that_nobody_feels_passes_and_is_in_the_table() -> None:
    phases = [QUIET, phase("text", FELT * 10.0, starts=["ready"] * 3, sent={"messages": 7}), QUIET]
    assert judge(phases) == []
    assert "7 messages" in table(phases) and "3/3" in table(phases)


@pytest.mark.parametrize(
    ("flooded", "said"),
    [
        (phase("text", FELT * 10.0 + 0.1), "text: p99 20 ms"),
        (phase("text", 10.0, starts=["ready", "quota_starts"]), "1 starts of others: quota_starts"),
        (Phase("text", [10.0] * 200, 0, 0.1, TASK_MB + 1.0), "513 MB"),
    ],
    ids=["felt", "kept out", "memory"],
)
def test_what_is_felt_fails(flooded: Phase, said: str) -> None:
    (wrong,) = judge([QUIET, flooded, QUIET])
    assert said in wrong


def test_a_call_that_was_closed_fails() -> None:
    assert judge([QUIET, Phase("quiet again", [10.0] * 200, 2, 0.1, 80.0)]) == ["2 calls were closed"]


def test_every_kind_of_flood_is_made_of_messages_that_the_protocol_takes() -> None:
    for kind, say in KINDS.items():
        said = say(7)
        if isinstance(said, bytes):
            assert len(said) > UPLINK_FRAME_BYTES / 4, kind
        elif said:
            client_messages.decode(said)
    assert 0.9 * TOOL_RESULT_BYTES < len(KINDS["tool results"](1)) <= TOOL_RESULT_BYTES
    with pytest.raises(RemoteProtocolError):
        client_messages.decode(json.dumps({"type": "text", "text": "y" * 8_001}))
