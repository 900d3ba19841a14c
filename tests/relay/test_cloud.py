"""The relay's AWS: what waits for what, and when things happened."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from relay.cloud import Functions, MintRefused, TableLedger
from tests.relay.fakes import CONFIG
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
