"""A server to talk to, and a look for what was left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.client.fake_server import FakeServer, fake_server
from vivavoce import reconnect


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter stays, its seconds do not."""
    monkeypatch.setattr(reconnect, "BACKOFF_BASE_S", 0.01)
    monkeypatch.setattr(reconnect, "LATER_S", 0.01)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    before = asyncio.all_tasks()
    async with fake_server() as running:
        yield running
    left = [task for task in asyncio.all_tasks() - before - {asyncio.current_task()} if not task.done()]
    assert not left, left
