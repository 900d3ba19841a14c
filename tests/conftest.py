"""What every test of the suite shares. Each room's own fixtures lie in its folder."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import pytest
from websockets.asyncio.client import ClientConnection

from tests import dialect
from tests.witness import WITNESS, LogEar

# Read when the handlers are imported, as in Lambda: before any test's module is.
os.environ |= {"POWERTOOLS_SERVICE_NAME": "vivavoce", "POWERTOOLS_METRICS_NAMESPACE": "Vivavoce"}

# pytest-asyncio asks the policy for "the loop before" and thereby makes one that nobody closes; warnings are
# errors here, so we make that loop, and close it.
_outer_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_outer_loop)

OURS = ("cli", "functions", "infra", "records", "relay", "simulator", "vivavoce")
WIRES: WeakSet[ClientConnection] = WeakSet()  #: connections of our clients, for tests that cut them
WORKERS: list[tuple[int, int, list[str]]] = []  #: what the witnesses of pytest-xdist's workers saw
_recv = ClientConnection.recv


async def _witnessed_recv(connection: ClientConnection, *args: Any, **named: Any) -> str | bytes:
    """Every client of ours reads through this library; the model leg's connections are not ours to judge."""
    data = await _recv(connection, *args, **named)
    if connection.subprotocol == "vivavoce":
        WITNESS.receives(data)
        WIRES.add(connection)
    return data


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--model", default="", help="talk to this model, in its own dialect")


def pytest_configure(config: pytest.Config) -> None:
    dialect.speak(config.getoption("--model"))
    ClientConnection.recv = _witnessed_recv  # type: ignore[method-assign,assignment]
    logging.getLogger().addHandler(LogEar(WITNESS))
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG)


def pytest_sessionfinish(session: pytest.Session) -> None:
    _outer_loop.close()
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # a worker of pytest-xdist: the process that started it judges
        output["seen"] = (len(WITNESS.received), len(WITNESS.logged), WITNESS.findings())
        return
    findings = _seen()[2]
    if findings:
        print("\n" + "\n".join(f"LEAK: {finding}" for finding in findings))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of pytest-xdist has ended, and says what its witness saw."""
    WORKERS.append(getattr(node, "workeroutput", {}).get("seen", (0, 0, [])))


def _seen() -> tuple[int, int, list[str]]:
    """Messages and log lines searched, and the findings, here and by all workers."""
    seen = [(len(WITNESS.received), len(WITNESS.logged), WITNESS.findings()), *WORKERS]
    return (
        sum(received for received, _, _ in seen),
        sum(logged for _, logged, _ in seen),
        sorted({finding for _, _, findings in seen for finding in findings}),
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    received, logged, findings = _seen()
    terminalreporter.write_line(
        f"witness: {received} messages received by clients and {logged} log lines searched,"
        f" {len(findings)} leaks"
    )


@pytest.fixture
def witness() -> Iterator[Any]:
    yield WITNESS
