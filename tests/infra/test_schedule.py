"""The template's schedules, by a clock that is passed."""

import asyncio

import pytest

from infra.local.schedule import Schedule, keep, period_s


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("rate(30 days)", 2_592_000)],
)
def test_a_rate_is_read(expression: str, seconds: int) -> None:
    assert period_s(expression) == seconds


@pytest.mark.parametrize(
    "expression", ["cron(0 * * * ? *)", "rate(0 minutes)", "rate(1 week)", "1 minute", ""]
)
def test_another_form_is_refused_rather_than_never_run(expression: str) -> None:
    with pytest.raises(ValueError, match="not supported"):
        period_s(expression)


@pytest.mark.looptime
async def test_each_function_is_called_at_its_times_and_with_its_event() -> None:
    calls: list[tuple[float, str, object]] = []
    now = asyncio.get_running_loop().time
    began_at = now()
    schedules = [Schedule("sweep", 60), Schedule("keys", 120, {"rotate": True})]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(190):
            await keep(schedules, lambda function, event: calls.append((now() - began_at, function, event)))
    assert sorted((round(at), function) for at, function, _ in calls) == [
        (60, "sweep"),
        (120, "keys"),
        (120, "sweep"),
        (180, "sweep"),
    ]
    events = {function: event for _, function, event in calls}
    assert events["keys"] == {"rotate": True}
    assert isinstance(events["sweep"], dict) and events["sweep"]["detail-type"] == "Scheduled Event"


@pytest.mark.looptime
async def test_a_test_may_have_them_come_round_sooner() -> None:
    calls: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10.5):
            await keep([Schedule("sweep", 60)], lambda function, event: calls.append(function), speed=60)
    assert len(calls) == 10
