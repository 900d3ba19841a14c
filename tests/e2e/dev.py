"""`vivavoce dev` as a process, and what its simulator knows."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

from tests import dialect
from tests.witness import WITNESS

VIVAVOCE = [sys.executable, "-m", "cli.main"]


@contextlib.contextmanager
def started(**environment: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`vivavoce dev` with more environment, and its JSON line. The witness reads what it says."""
    command = [*VIVAVOCE, "dev", "--json", "--port", "0", "--model", dialect.model()]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()
            _, said = process.communicate(timeout=30)
            WITNESS.logs(said.splitlines())


@contextlib.contextmanager
def dev(**environment: str) -> Iterator[dict[str, Any]]:
    """`vivavoce dev` until the block ends, with more environment. Gives its JSON line."""
    with started(**environment) as (process, urls):
        yield urls
    assert process.returncode == 0


def admission(page: str) -> tuple[str, str]:
    """The control URL and a token, as the stack's page gives them to every app of this machine."""
    with urllib.request.urlopen(f"{page}/dev/session.json") as given:
        session = json.loads(given.read())
    WITNESS.keeps(session["token"], "a JWT")
    return session["url"], session["token"]


def spoken_codes(simulator: str) -> list[str]:
    """The tone codes of the last reply, which only the simulator's ledger knows."""
    with urllib.request.urlopen(f"{simulator}/_control/ledger?limit=1000") as answer:
        lines = json.loads(answer.read())
    ledger = lines["lines"] if isinstance(lines, dict) else lines
    return dialect.codes([line for line in ledger if line["kind"] == "answer.begun"])
