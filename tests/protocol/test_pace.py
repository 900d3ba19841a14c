"""How fast a peer may send."""

from __future__ import annotations

from protocol.pace import TokenBucket


def test_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(10, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.125) for _ in range(2)] == [True, False]
    assert [bucket.take(0.25) for _ in range(2)] == [True, False]


def test_waiting_long_earns_no_more_than_a_burst() -> None:
    bucket = TokenBucket(10, 3, 0.0)
    assert [bucket.take(1e6) for _ in range(4)] == [True, True, True, False]
