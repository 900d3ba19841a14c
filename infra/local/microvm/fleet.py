"""All MicroVMs of the account: what is launched, woken, suspended and ended, in which times and quotas."""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self

from infra.local.background import Background
from infra.local.endpoint import AwsError
from infra.local.microvm.machine import HookFailed, Image, Machine, Ports, Snapshot
from infra.local.microvm.network import Cut
from infra.local.microvm.times import Quotas, Times
from infra.local.process import OnLine


class Machines:
    """`async with Machines(...) as machines:`; what still runs at the end is killed."""

    def __init__(
        self,
        image: Image,
        address: Callable[[str], str],
        log: Callable[[str], OnLine],
        *,
        times: Times | None = None,
        quotas: Quotas | None = None,
        cut: Cut = "resets",
    ) -> None:
        """`address` gives the endpoint of the VM with that id."""
        self.image = image
        self.all: dict[str, Machine] = {}
        self.times = times or Times()
        self._quotas = quotas or Quotas()
        self._address, self._log, self._cut = address, log, cut
        self._tasks = Background()
        self._spare: asyncio.Task[Snapshot] | None = None
        self._tokens, self._tokens_at = self._quotas.launches_per_s, time.monotonic()

    async def __aenter__(self) -> Self:
        self._spare = self._tasks.start(self._snapshot(), name="snapshot")
        return self

    async def __aexit__(self, *_: object) -> None:
        spare = self._spare
        await self._tasks.__aexit__()
        if spare is not None and spare.done() and not spare.cancelled() and not spare.exception():
            await spare.result().discard()
        for machine in self.all.values():
            if machine.snapshot is not None and machine.state != "TERMINATED":
                await machine.snapshot.discard()

    async def ready_ahead(self) -> None:
        """Return once the snapshot for the next launch is there."""
        if self._spare is not None:
            await asyncio.wait([self._spare])

    def launch(self, payload: str, longest_s: int) -> Machine:
        """A new VM, PENDING. Raises AwsError: ThrottlingException, ServiceQuotaExceededException."""
        self._take_token()
        alive = sum(machine.image.memory_mb for machine in self.all.values() if machine.state != "TERMINATED")
        if alive + self.image.memory_mb > self._quotas.memory_mb:
            raise AwsError(402, "ServiceQuotaExceededException", "The memory quota of MicroVMs is used up")
        id = f"microvm-{secrets.token_hex(8)}"
        machine = Machine(id, self.image, payload, longest_s, self._address(id))
        self.all[id] = machine
        self._tasks.start(self._live(machine), name=id)
        return machine

    def suspend(self, machine: Machine) -> None:
        """Raises AwsError: ConflictException, unless it is RUNNING."""
        self._require(machine, "RUNNING")
        took_s = self.times.draw_s("suspend")
        self._change(machine, lambda: machine.suspend(took_s))
        machine.state = "SUSPENDING"

    def wake(self, machine: Machine) -> None:
        """Raises AwsError: ConflictException, unless it is SUSPENDED."""
        self._require(machine, "SUSPENDED")
        took_s = self.times.draw_s("wake")
        self._change(machine, lambda: machine.wake(took_s))
        machine.state = "PENDING"

    def terminate(self, machine: Machine) -> None:
        """Idempotent."""
        if machine.state != "TERMINATED":
            machine.state = "TERMINATING" if machine.state != "RUNNING" else machine.state
            self._change(machine, lambda: machine.terminate("TerminateMicrovm was called."))

    def lose(self, machine: Machine) -> None:
        """End it without a word to it, as the failure of a host does."""
        self._change(machine, lambda: machine.terminate("The MicroVM was lost.", is_told=False))

    def age(self, machine: Machine, left_s: float) -> None:
        """Have it live for only so long from now on: as if it had been launched long ago."""
        machine.ends_at = time.time() + left_s
        machine.started_at = machine.ends_at - machine.longest_s
        machine.news.set()

    def _require(self, machine: Machine, state: str) -> None:
        if machine.state != state:
            raise AwsError(409, "ConflictException", f"The MicroVM is {machine.state}, not {state}")

    def _change(self, machine: Machine, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def change() -> None:
            async with machine.turn:
                await work()

        self._tasks.start(change(), name=f"{machine.id} changes")

    async def _live(self, machine: Machine) -> None:
        """From PENDING on, to the end of its longest life."""
        async with machine.turn:
            began = time.monotonic()
            took_s = self.times.draw_s("launch")
            spare, self._spare = self._spare, None
            try:
                snapshot = await (spare or self._tasks.start(self._snapshot(), name="snapshot"))
            except (HookFailed, TimeoutError):
                await machine.terminate("The snapshot cannot be run.")
                return
            self._spare = self._spare or self._tasks.start(self._snapshot(), name="snapshot")
            await asyncio.sleep(max(0.0, took_s - (time.monotonic() - began)))
            await machine.run(snapshot)
        while machine.state != "TERMINATED" and (left_s := machine.ends_at - time.time()) > 0:
            machine.news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await machine.news.wait()
        async with machine.turn:
            await machine.terminate("The maximum duration was reached.")

    async def _snapshot(self) -> Snapshot:
        guest = (self.image.port, self.image.hooks_port)
        ports = Ports(dict(zip(guest, _free_ports(len(guest)), strict=True)))
        return await Snapshot.take(self.image, ports, self._log("relay-microvm"), self._cut)

    def _take_token(self) -> None:
        now, rate = time.monotonic(), self._quotas.launches_per_s
        self._tokens = min(rate, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1:
            raise AwsError(429, "ThrottlingException", "Rate exceeded")
        self._tokens -= 1


def _free_ports(count: int) -> list[int]:
    """Ports that are free now. Another process could take one first; nothing here is that busy."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
