"""One timer for all deadlines of a call, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from relay.call.alarm import REST_S, Alarm

pytestmark = pytest.mark.looptime


async def test_it_rings_at_the_earliest_of_its_times_and_then_at_none() -> None:
    alarm, now = Alarm(), asyncio.get_running_loop().time
    alarm.set(5.0, None, 3.0)
    await alarm.wait()
    assert now() == pytest.approx(3.0, abs=0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await alarm.wait()


async def test_a_time_that_is_set_while_it_waits_and_is_earlier_counts() -> None:
    alarm, loop = Alarm(), asyncio.get_running_loop()
    alarm.set(60.0)
    loop.call_at(1.0, alarm.set, 2.0)
    loop.call_at(1.5, alarm.set, 30.0)
    await alarm.wait()
    assert loop.time() == pytest.approx(2.0, abs=0.01)


async def test_a_deadline_that_nothing_comes_of_does_not_keep_the_loop_busy() -> None:
    """A call that had ended asked for its end again and again, and nothing else ran in the whole process."""
    alarm, rung = Alarm(), 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            while True:
                alarm.set(0.5)  # in the past, from half a second on
                await alarm.wait()
                rung += 1
    assert 1 < rung <= 0.5 / REST_S + 1
