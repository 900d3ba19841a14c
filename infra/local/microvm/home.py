"""MicroVMs as a part of the local stack: the image from the template, the API, and the door to the VMs."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Middleware

from infra.local.microvm.api import microvms_app
from infra.local.microvm.fleet import Machines
from infra.local.microvm.machine import Image, Machine
from infra.local.microvm.network import Cut
from infra.local.microvm.proxy import Proxy
from infra.local.microvm.times import Quotas, Times
from infra.local.process import OnLine
from infra.local.splice import Head, Pair, Refused
from infra.local.template import Snapshot

DOOR = "vm"  #: first part of the paths that lead to VMs


@dataclass(frozen=True, slots=True)
class Account:
    """How MicroVMs behave. As fast as this machine is, with the default quotas, unless told otherwise."""

    times: Times = field(default_factory=lambda: Times(pace=0))
    quotas: Quotas = field(default_factory=Quotas)
    cut: Cut = "resets"


class MicrovmHome:
    """`async with` it. Without a snapshot in the template there are no VMs, and the API knows no image."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        common: Mapping[str, str],
        relay_environment: Mapping[str, str],
        root: Path,
        front: str,
        log: Callable[[str], OnLine],
        account: Account,
    ) -> None:
        """`common` is every program's environment, `relay_environment` is laid over the template's."""
        self._machines: Machines | None = None
        self._proxy = Proxy(lambda id: self.all.get(id))
        self._parts = AsyncExitStack()
        if snapshot is not None:
            image = Image(
                snapshot.arn,
                snapshot.version,
                ("python", "-m", "relay"),
                {**common, **snapshot.environment, **relay_environment},
                root,
                snapshot.hooks,  # type: ignore[arg-type]  # their names are the template's
                snapshot.memory_mb,
            )
            self._machines = Machines(
                image,
                lambda id: f"{front}/{DOOR}/{id}",
                log,
                times=account.times,
                quotas=account.quotas,
                cut=account.cut,
            )

    async def __aenter__(self) -> Self:
        if self._machines is not None:
            await self._parts.enter_async_context(self._machines)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    @property
    def all(self) -> Mapping[str, Machine]:
        """Every VM by its id, those that have ended too."""
        return self._machines.all if self._machines else {}

    async def ready_ahead(self) -> None:
        """Return once the next launch has its snapshot, and takes no longer than is drawn."""
        if self._machines is not None:
            await self._machines.ready_ahead()

    @property
    def machines(self) -> Machines:
        """What the platform does by itself is done there. Raises LookupError without an image."""
        if self._machines is None:
            raise LookupError("this deployment has no MicroVMs")
        return self._machines

    def api(self, guard: Middleware) -> web.Application:
        """The API; empty without an image."""
        if self._machines is None:
            return web.Application(middlewares=[guard])
        return microvms_app(self._machines, self._proxy, guard)

    async def attend(self, head: Head, client: Pair) -> None:
        """A client of a VM. Raises Refused."""
        if self._machines is None:
            raise Refused(403)
        await self._proxy.attend(head, client)
