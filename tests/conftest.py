"""What every test of the suite shares. Each room's own fixtures lie in its folder."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import pytest
from websockets.asyncio.client import ClientConnection

from tests.witness import WITNESS, LogEar

# pytest-asyncio asks the policy for "the loop before" and thereby makes one that nobody closes; warnings are
# errors here, so we make that loop, and close it.
_outer_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_outer_loop)

OURS = ("cli", "client", "functions", "infra", "records", "relay", "simulator")
WIRES: WeakSet[ClientConnection] = WeakSet()  #: connections of our clients, for tests that cut them
_recv = ClientConnection.recv


async def _witnessed_recv(connection: ClientConnection, *args: Any, **named: Any) -> str | bytes:
    """Every client of ours reads through this library; the model leg's connections are not ours to judge."""
    data = await _recv(connection, *args, **named)
    if connection.subprotocol == "vivavoce":
        WITNESS.receives(data)
        WIRES.add(connection)
    return data


def pytest_configure(config: pytest.Config) -> None:
    ClientConnection.recv = _witnessed_recv  # type: ignore[method-assign,assignment]
    logging.getLogger().addHandler(LogEar(WITNESS))
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG)


def pytest_sessionfinish(session: pytest.Session) -> None:
    _outer_loop.close()
    findings = WITNESS.findings()
    if findings:
        print("\n" + "\n".join(f"LEAK: {finding}" for finding in findings))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(
        f"witness: {len(WITNESS.received)} messages received by clients and {len(WITNESS.logged)} log lines"
        f" searched, {len(WITNESS.findings())} leaks"
    )


@pytest.fixture
def witness() -> Iterator[Any]:
    yield WITNESS
