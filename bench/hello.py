"""CPU time that a function without code needs to start on this machine: published times are scaled by it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from infra.local.process import machine_environment
from infra.local.template import Function
from infra.local.worker import Site, Worker

TRIES = 5


async def hello_cpu_s() -> float:
    """The least of some starts: what else this machine does only adds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "hello.py").write_text("def handler(event, context):\n    return {}\n")
        function = Function("hello", "hello.handler", 512, 10.0, {})
        site = Site(function, machine_environment(root), root, "us-east-1", "0", lambda _: None)
        found = []
        for _ in range(TRIES):
            worker = Worker(site)
            try:
                await worker.start()
                found.append(worker.cpu_s)
            finally:
                await worker.stop()
        return min(found)
