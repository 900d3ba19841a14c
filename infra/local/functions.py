"""The Lambda functions of the template: workers on demand, one event at a time each."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from typing import Any, Self

from infra.local.background import Background
from infra.local.invocation import InvocationLog, Outcome
from infra.local.worker import Site, Worker, WorkerError


class UnknownFunction(LookupError):
    """No function of that name is in the template."""


class Pool:
    """The workers of one function. At most `limit` at a time: Lambda would throttle, this waits."""

    def __init__(self, site: Site, limit: int) -> None:
        self.site = site
        self._idle: list[Worker] = []
        self._slots = asyncio.Semaphore(limit)

    async def run(self, event: bytes) -> Outcome:
        """Runs `event` on the worker used last, or on a new one."""
        request_id = str(uuid.uuid4())
        async with self._slots:
            try:
                worker = await self._take()
            except WorkerError as failure:
                return Outcome(request_id, failure.payload, failure.status)
            is_kept = False
            try:
                outcome = await worker.run(request_id, event)
                is_kept = worker.is_alive and outcome.status in ("ok", "error")
                return outcome
            finally:
                if is_kept:
                    self._idle.append(worker)
                else:
                    await worker.stop()

    async def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            await worker.stop()
        worker = Worker(self.site)
        try:
            return await worker.start()
        except BaseException:
            await worker.stop()
            raise

    async def stop(self) -> None:
        """Ends the idle workers; busy ones end when their `run` is cancelled."""
        while self._idle:
            await self._idle.pop().stop()


class Functions:
    """Runs functions by name; `invoke` is the gateway's port."""

    def __init__(self, pools: Mapping[str, Pool], log: InvocationLog) -> None:
        self.log = log
        self._pools = pools
        self._tasks = Background()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.__aexit__()
        for pool in self._pools.values():
            await pool.stop()

    async def invoke(self, function: str, event: Any) -> Outcome:
        """Runs the function to its end, even if the caller stops waiting. Raises UnknownFunction."""
        if function not in self._pools:
            raise UnknownFunction(function)
        running = self._tasks.start(self.log.record(self._run, function, event), name=f"invoke {function}")
        return await asyncio.shield(running)

    def invoke_later(self, function: str, event: Any) -> None:
        """Runs the function without a caller that waits. Raises UnknownFunction."""
        if function not in self._pools:
            raise UnknownFunction(function)
        self._tasks.start(self.log.record(self._run, function, event), name=f"invoke {function}")

    async def _run(self, function: str, event: Any) -> Outcome:
        return await self._pools[function].run(json.dumps(event).encode())


def pools(sites: Mapping[str, Site], *, workers: int) -> dict[str, Pool]:
    """One pool for each function, of up to `workers` processes each."""
    return {name: Pool(site, workers) for name, site in sites.items()}
