"""Every fault on every link, one at a time and by script: the conversation goes on, or ends with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import pytest

from infra.faults import leak_check, virtual_user
from infra.faults.faulted_stack import LINKS, FaultedStack
from infra.faults.judge import WENT_ON, ClientRecord, Verdict
from infra.faults.link import ActiveFault
from infra.faults.plan import AT_THE_START, Prompt
from infra.faults.soak import verdict_on
from infra.faults.toxics import Bandwidth, Blackhole, Fault, Latency, Reset, Slicer, SlowClose, Timeout
from infra.faults.virtual_user import VirtualUser
from protocol.errors import REGISTRY

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SCRIPTED: Sequence[Fault] = (
    Latency(0.3, 0.1),
    Bandwidth(8_000.0),
    Reset(120),
    SlowClose(0.5, 60),
    Timeout(0.5),
    Slicer(7, 0.001, 50),
    Blackhole(),
)
LASTS_S = 1.0
SOON_S = 6.0  #: the next question is asked, after one whose answer has died with its relay
number = iter(range(100_000, 200_000))  # far from the numbers of a soak


async def talk(
    faulted: FaultedStack, count: int, over: asyncio.Event | None = None
) -> tuple[ClientRecord, Verdict]:
    """A conversation of so many questions and one more, and what the judge says."""
    user, run = VirtualUser(faulted.conversation()), next(number)
    asked = tuple(Prompt(f"ask{run}x{index}") for index in range(1, count + 1))
    seen = await user.talk(asked, run, over or asyncio.Event())
    return seen, await verdict_on(faulted, user.call.session, seen)


async def lifted_after_acting(active: ActiveFault) -> None:
    await active.has_fired.wait()
    await asyncio.sleep(LASTS_S)


async def under(faulted: FaultedStack, link: str, fault: Fault) -> tuple[ClientRecord, Verdict]:
    """A conversation in which the fault lies on the link from the start, or once it is live."""
    at = faulted.links[link]
    if link not in AT_THE_START:
        await talk(faulted, 1)  # a relay is there, and warm
    with at.injected(fault, most=2) as active:
        async with asyncio.TaskGroup() as tasks:
            lifting = tasks.create_task(lifted_after_acting(active))
            lifting.add_done_callback(lambda _: active.lifted.set())
            seen, verdict = await talk(faulted, 2)
            lifting.cancel()
        assert active.has_fired.is_set()
    return seen, verdict


@pytest.mark.faults
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("fault", SCRIPTED, ids=lambda fault: fault.kind)
async def test_nothing_is_lost_or_doubled_under(faulted: FaultedStack, fault: Fault, link: str) -> None:
    seen, verdict = await under(faulted, link, fault)
    assert verdict.findings == []
    assert seen.outcome in {WENT_ON, "connect_failed", "connect_timeout", "connection_lost", *REGISTRY}
    if link not in AT_THE_START:  # before there is a session a client may be refused
        assert seen.outcome == WENT_ON
    assert faulted.firings[fault.kind, link] >= 1


async def test_a_conversation_without_faults_is_in_order(faulted: FaultedStack) -> None:
    seen, verdict = await talk(faulted, 2)
    assert (seen.outcome, verdict.findings, verdict.finished) == (WENT_ON, [], 3)
    assert all(faulted.links[link].carried_bytes > 0 for link in LINKS)


@pytest.mark.parametrize("seconds", [-20.0, 20.0])
async def test_a_clock_that_jumps_in_a_conversation_ends_none(faulted: FaultedStack, seconds: float) -> None:
    with faulted.relay_clock.ahead(seconds), faulted.function_clock.ahead(-seconds / 4):
        seen, verdict = await talk(faulted, 1)
    assert (seen.outcome, verdict.findings) == (WENT_ON, [])


async def test_the_clock_of_a_process_really_jumps(faulted: FaultedStack) -> None:
    """Else the test above proves nothing."""
    command = "import time; print(time.time())"
    environment = {**os.environ, **faulted.relay_clock.environment}
    times = []
    for seconds in (0.0, 3600.0):
        with faulted.relay_clock.ahead(seconds):
            asked = await asyncio.create_subprocess_exec(
                "python3", "-c", command, env=environment, stdout=asyncio.subprocess.PIPE
            )
            times.append(float((await asked.communicate())[0]))
    assert 3500 < times[1] - times[0] < 3700


async def test_a_model_that_forgets_everything_is_told_what_was_said(faulted: FaultedStack) -> None:
    over = asyncio.Event()

    async def restart() -> None:
        await over.wait()
        await faulted.restart_model()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(restart())
        seen, verdict = await talk(faulted, 1, over)
    assert (seen.outcome, verdict.findings) == (WENT_ON, [])


UPGRADE = "\r\n".join(
    (
        "GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k HTTP/1.1",
        "Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "",
        "",
    )
)


@contextlib.asynccontextmanager
async def deaf_to_closes(url: str) -> AsyncIterator[None]:
    """A peer of the model that never answers a close, so that the model takes seconds to stop."""
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(UPGRADE.format(host=host.netloc).encode())
    assert b" 101 " in await reader.readline()
    yield
    writer.close()


async def test_of_two_restarts_at_once_neither_loses_what_the_model_has_said(faulted: FaultedStack) -> None:
    """Found by the soak: one of two closed the model that the other had just started, and kept none of it."""
    user, prompts, run = VirtualUser(faulted.conversation()), (Prompt("ask90002x1"),), 90_002
    async with deaf_to_closes(faulted.model.url):
        restarts = [asyncio.create_task(faulted.restart_model()) for _ in range(2)]
        await asyncio.wait(restarts, return_when=asyncio.FIRST_COMPLETED)
        seen = await user.talk(prompts, run, asyncio.Event())
        await asyncio.gather(*restarts)
    verdict = await verdict_on(faulted, user.call.session, seen)
    assert (seen.outcome, verdict.findings) == (WENT_ON, [])


async def test_a_turn_told_as_finished_outlives_a_slow_store_and_a_killed_relay(
    faulted: FaultedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the soak, four sessions at once: the table was slow when their relay was killed."""
    monkeypatch.setattr(virtual_user, "ANSWER_S", SOON_S)
    user = VirtualUser(faulted.conversation())
    prompts, over = (Prompt("ask90001x1"), Prompt("ask90001x2")), asyncio.Event()

    async def break_both() -> None:
        await user.until_finished(1)
        with faulted.links["relay-dynamodb"].injected(Blackhole()):
            await user.until_sounded(2)
            with pytest.raises(TimeoutError):  # it is not written, so nobody says that it is over
                async with asyncio.timeout(3):
                    await user.until_finished(2)
            for number in range(len(faulted.relays)):
                faulted.kill_relay(number)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(break_both())
        seen = await user.talk(prompts, 90_001, over)
    verdict = await verdict_on(faulted, user.call.session, seen)
    assert verdict.lost == []


async def test_nothing_is_left_when_all_have_gone(faulted: FaultedStack) -> None:
    assert (await leak_check.wait_until_clean(faulted, 60)).leaks == []
