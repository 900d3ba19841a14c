"""The Lambda functions of the template: workers on demand, one event at a time each."""

import asyncio
import json
import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from infra.local.background import Background
from infra.local.cold_starts import ColdStarts
from infra.local.invocation import InvocationLog, Outcome
from infra.local.worker import Site, Worker, WorkerError, error

RETRY_S = (
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
)  #: waits of an asynchronous invocation that is throttled; the last repeats


class UnknownFunction(LookupError):
    """No function of that name is in the template."""


class Pool:
    """The workers of one function. At most `limit` at a time: Lambda would throttle, this waits.

    With `starts` a worker takes as long to start as is drawn, not as this machine needs: it is started ahead.
    The CPU time of a start is then the least that was seen of this function: what else runs here only adds.
    """

    def __init__(self, site: Site, limit: int, starts: ColdStarts | None = None) -> None:
        self.site = site
        self._starts = starts
        self._idle: list[Worker] = []
        self._spares: list[asyncio.Task[Worker]] = []
        self._least_cpu_s = math.inf  #: of a start
        self._slots = asyncio.Semaphore(limit)
        self._tasks = Background()

    async def run(self, event: bytes) -> Outcome:
        """Runs `event` on the worker used last, or on a new one."""
        request_id = str(uuid.uuid4())
        async with self._slots:
            try:
                worker, init_s = await self._take()
            except WorkerError as failure:
                return Outcome(request_id, failure.payload, failure.status)
            is_kept = False
            try:
                outcome = await worker.run(request_id, event)
                is_kept = worker.is_alive and outcome.status in ("ok", "error")
                return replace(outcome, init_ms=round(init_s * 1000, 2))
            finally:
                if is_kept:
                    self._idle.append(worker)
                else:
                    await worker.stop()

    def start_ahead(self, count: int) -> None:
        """Have so many processes ready for the next starts, which then take the times that are drawn."""
        while self._starts is not None and len(self._spares) < count:
            self._spares.append(self._tasks.start(self._start(), name=f"spare {self.site.function.name}"))

    async def ready_ahead(self) -> None:
        """Return once they all wait for their first event."""
        if self._spares:
            await asyncio.wait(self._spares)

    async def _take(self) -> tuple[Worker, float]:
        """A worker, and how long it took to start."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker, 0.0
            await worker.stop()
        began = time.perf_counter()
        worker = await (self._spares.pop(0) if self._spares else self._start())
        try:
            if self._starts is not None:
                due = began + self._starts.function_s(self._least_cpu_s)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
        except BaseException:
            await worker.stop()
            raise
        return worker, time.perf_counter() - began

    async def _start(self) -> Worker:
        """A worker that waits for its first event."""
        worker = Worker(self.site)
        try:
            await worker.start()
            if self._starts is not None:
                self._least_cpu_s = min(self._least_cpu_s, worker.cpu_s)
            return worker
        except BaseException:
            await worker.stop()
            raise

    async def stop(self) -> None:
        """Ends the idle workers, as Lambda does in time; busy ones end when their `run` is cancelled."""
        for spare in self._spares:
            await asyncio.wait([spare])
            if not spare.cancelled() and not spare.exception():
                self._idle.append(spare.result())
        self._spares.clear()
        while self._idle:
            await self._idle.pop().stop()


class Functions:
    """Runs functions by name; `invoke` is the gateway's port. `concurrency`: of all together, 0 for any."""

    def __init__(self, pools: Mapping[str, Pool], log: InvocationLog, concurrency: int = 0) -> None:
        self.log = log
        self._pools = dict(pools)
        self._tasks = Background()
        self._concurrency, self._running = concurrency, 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.__aexit__()
        await self.cool()

    async def cool(self) -> None:
        """End every idle worker: who calls next, waits for a start."""
        for pool in self._pools.values():
            await pool.stop()

    async def start_ahead(self, counts: Mapping[str, int]) -> None:
        """Return once these functions have so many processes ready for starts in the times that are drawn."""
        for name, count in counts.items():
            self._pools[name].start_ahead(count)
        for name in counts:
            await self._pools[name].ready_ahead()

    async def invoke(self, function: str, event: Any) -> Outcome:
        """Runs the function to its end, even if the caller stops waiting. Raises UnknownFunction."""
        if function not in self._pools:
            raise UnknownFunction(function)
        running = self._tasks.start(self.log.record(self._run, function, event), name=f"invoke {function}")
        return await asyncio.shield(running)

    async def remove(self, function: str) -> None:
        """Deletes the function, as the end of a stack does. Raises UnknownFunction."""
        if function not in self._pools:
            raise UnknownFunction(function)
        await self._pools.pop(function).stop()

    def invoke_later(self, function: str, event: Any) -> None:
        """Runs it without a caller that waits, again while it is throttled. Raises UnknownFunction."""
        if function not in self._pools:
            raise UnknownFunction(function)
        self._tasks.start(self._run_later(function, event), name=f"invoke {function}")

    async def _run_later(self, function: str, event: Any) -> None:
        tries = 0
        while (await self.log.record(self._run, function, event)).status == "throttled":
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    async def _run(self, function: str, event: Any) -> Outcome:
        if self._concurrency and self._running >= self._concurrency:
            return Outcome(
                str(uuid.uuid4()), error("TooManyRequestsException", "Rate Exceeded."), "throttled"
            )
        self._running += 1
        try:
            return await self._pools[function].run(json.dumps(event).encode())
        finally:
            self._running -= 1
