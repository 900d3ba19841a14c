"""The relay's AWS: what waits for what, and when things happened."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from records import turns
from records.table import Unavailable
from relay.aws.lambdas import Functions, MintRefused
from relay.aws.session_store import TableLedger
from relay.aws.task_record import TaskRecord
from relay.ports import LedgerUnavailable, Unregistered
from relay.turn import Turn
from tests.relay.fakes import CONFIG, session
from tests.relay.test_server import until


class SlowLambda:
    """Answers no invocation before it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked = 0

    def invoke(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        assert self.open.wait(20)
        return {"Payload": io.BytesIO(json.dumps({"error": "mint_failed"}).encode())}


class EmptyTable:
    """Knows no ticket."""

    def update(self, *_: Any, **named: Any) -> dict[str, Any]:
        from records.table import ConditionFailed

        raise ConditionFailed


@pytest.fixture
def slow() -> Iterator[SlowLambda]:
    client = SlowLambda()
    yield client
    client.open.set()


async def test_slow_mints_keep_nobody_else_waiting(slow: SlowLambda) -> None:
    functions, ledger = Functions(slow, CONFIG), TableLedger(EmptyTable())  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        mints = [group.create_task(refused(functions, f"s{n}")) for n in range(CONFIG.capacity)]
        async with asyncio.timeout(5):
            burn = await ledger.burn("ticket-0123456789abcdef", "relay-1")
            await until(lambda: slow.asked == CONFIG.capacity)
        slow.open.set()
    assert burn.status == "unknown"
    assert [mint.result() for mint in mints] == ["mint_failed"] * CONFIG.capacity


async def refused(functions: Functions, session: str) -> str:
    with pytest.raises(MintRefused) as refusal:
        await functions.mint(session, 1, None)
    return refusal.value.code


class Busy:
    """The account runs as many functions as it may, for so many more invocations."""

    def __init__(self, refusals: int) -> None:
        self.left = refusals

    def invoke(self, **_: Any) -> dict[str, Any]:
        self.left -= 1
        if self.left >= 0:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        return {"Payload": io.BytesIO(json.dumps({"left": 0}).encode())}


async def test_an_invocation_that_is_throttled_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("relay.aws.lambdas.asyncio.sleep", wait)
    assert await Functions(Busy(12), CONFIG).invoke("mint", {}) == {"left": 0}
    assert len(waits) == 12 and max(waits) <= 2.0


async def test_one_that_is_throttled_for_long_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.aws.lambdas.THROTTLED_S", (0.0, 0.0))
    with pytest.raises(MintRefused) as refusal:
        await Functions(Busy(1_000), CONFIG).mint("s1", 1, None)
    assert refusal.value.code == "mint_failed"


async def test_a_relay_that_cannot_tell_the_waiting_is_not_ended_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.aws.lambdas.ANNOUNCEMENTS", 1)

    class Refusing:
        def invoke(self, **_: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "ServiceException"}}, "Invoke")

    await Functions(Refusing(), CONFIG).announce()


async def test_a_relay_calls_again_until_nobody_is_left_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [b'{"told": 3, "left": 2}', b'{"statusCode": 500}', b'{"told": 2, "left": 0}', b"never asked"]
    waits: list[float] = []

    class Lambda:
        def invoke(self, **_: Any) -> dict[str, Any]:
            return {"Payload": io.BytesIO(answers.pop(0))}

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("relay.aws.lambdas.asyncio.sleep", wait)
    await Functions(Lambda(), CONFIG).announce()
    assert (answers, waits) == ([b"never asked"], [0, 1, 2])


async def test_a_turn_written_late_keeps_the_time_at_which_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[turns.Turn] = []
    monkeypatch.setattr(
        "relay.aws.session_store.turns.put", lambda table, session, epoch, turn: kept.append(turn)
    )
    monkeypatch.setattr("relay.aws.session_store.usage.add", lambda *facts: True)
    now = asyncio.get_running_loop().time()
    ledger = TableLedger(EmptyTable(), clock=lambda: 1000.0)  # type: ignore[arg-type]
    await ledger.save_turn(session(), 1, Turn(1, now - 65, now - 60))
    assert kept[0].ended_at == pytest.approx(940_000, abs=900)
    assert kept[0].ended_at - kept[0].started_at == 5_000


@pytest.mark.parametrize(
    ("answer", "room"),
    [(b'{"room": 7, "coming": 40}', 7), (b'{"statusCode": 500}', 0), (b"no json", 0), (ClientError, 0)],
)
async def test_room_that_was_not_confirmed_is_no_room(answer: Any, room: int) -> None:
    asked: list[dict[str, Any]] = []

    class Lambda:
        def invoke(self, **request: Any) -> dict[str, Any]:
            asked.append(json.loads(request["Payload"]))
            if answer is ClientError:
                raise ClientError({"Error": {"Code": "ServiceException"}}, "Invoke")
            return {"Payload": io.BytesIO(answer)}

    assert await Functions(Lambda(), CONFIG).make_room(12) == room
    assert asked == [{"relay_leaving": "relay-1", "calls": 12}]


async def test_a_record_that_is_gone_is_told_from_a_store_that_is_down() -> None:
    with pytest.raises(Unregistered):
        await TaskRecord(EmptyTable(), CONFIG).heartbeat(set(), {})  # type: ignore[arg-type]

    class Down:
        def update(self, *_: Any, **named: Any) -> dict[str, Any]:
            raise Unavailable("update_item")

    with pytest.raises(LedgerUnavailable):
        await TaskRecord(Down(), CONFIG).heartbeat(set(), {})  # type: ignore[arg-type]
