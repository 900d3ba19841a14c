"""What a VM reaches and who reaches it, so that all of it can be cut, as a snapshot cuts it.

A process cannot be parted from its sockets from outside. So each address that it is given leads through a
forwarder of this module, and a cut ends what goes through the forwarders.
"""

import asyncio
import re
import socket
from collections.abc import Mapping
from typing import Literal, Self

from infra.local.background import Background
from infra.local.endpoint import listen, port_of
from infra.local.splice import Pair, close, copy, dial

#: How an end sees a cut. "resets": at once. "hangs": nothing comes any more, until it gives up by itself.
#: "holds": what the VM had connected resets; who had connected to it waits, and goes on when it wakes.
Cut = Literal["resets", "hangs", "holds"]

_HERE = re.compile(r"(?<=//)127\.0\.0\.1:(\d+)")


class Network:
    """One VM's connections. `outbound` makes an environment whose addresses lead through it."""

    def __init__(self, cut: Cut = "resets") -> None:
        self.cuts = 0  #: connections that were cut, so far
        self._cut = cut
        self._joined: set[asyncio.Task[None]] = set()
        self._listeners: dict[int, socket.socket] = {}  #: of the forwarders, by where they lead
        self._tasks = Background()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.__aexit__()
        for listener in self._listeners.values():
            listener.close()

    def outbound(self, environment: Mapping[str, str]) -> dict[str, str]:
        """`environment` with every address of this machine replaced by that of a forwarder to it."""
        ports = {int(port) for value in environment.values() for port in _HERE.findall(value)}
        here = {port: self._forwarder(port) for port in sorted(ports)}

        def lead(value: str) -> str:
            return _HERE.sub(lambda found: f"127.0.0.1:{here[int(found[1])]}", value)

        return {name: lead(value) for name, value in environment.items()}

    async def attend(self, client: Pair, guest: Pair) -> None:
        """Join a client to the VM."""
        await self._join(client, guest, is_held=self._cut == "holds")

    async def _join(self, client: Pair, server: Pair, *, is_held: bool = False) -> None:
        """Copy between the two until one ends, or all are cut; no cut ends what `is_held`."""
        task = self._tasks.start(_both_ways(client, server), name="connection of a VM")
        if not is_held:
            self._joined.add(task)
        try:
            await asyncio.wait([task])
            if task.cancelled() and self._cut == "hangs":
                await asyncio.Event().wait()  # until this network is no more
            if not task.cancelled():
                await close(server[1])
                await close(client[1])
        finally:
            self._joined.discard(task)
            _abort(client, server)

    async def cut(self) -> None:
        """End everything that is connected now; what connects afterwards is not concerned."""
        ending = list(self._joined)
        self.cuts += len(ending)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def _forwarder(self, port: int) -> int:
        if port not in self._listeners:
            self._listeners[port] = listen()
            self._tasks.start(self._accept(port), name=f"forwarder to {port}")
        return port_of(self._listeners[port])

    async def _accept(self, port: int) -> None:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._tasks.start(self._forward((reader, writer), port), name=f"connection to {port}")

        async with await asyncio.start_server(accept, sock=self._listeners[port]) as server:
            await server.serve_forever()

    async def _forward(self, client: Pair, port: int) -> None:
        try:
            server = await dial("127.0.0.1", port)
        except OSError:
            _abort(client)
            return
        except asyncio.CancelledError:
            _abort(client)
            raise
        await self._join(client, server)


def _abort(*pairs: Pair) -> None:
    for _, writer in pairs:
        writer.transport.abort()


async def _both_ways(client: Pair, server: Pair) -> None:
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(copy(client[0], server[1]))
            ways.create_task(copy(server[0], client[1]))
    except* OSError:  # one of the two is gone
        pass
