"""Quiet calls on one relay, in a process of their own: microphones that hear silence, and pings.

Reads where they are from its first line of input. Each further line ends a phase: the round trips of its
pings are written, in ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from bench.raw_road import Place
from protocol.audio import encode_audio
from protocol.limits import UPLINK_HZ

FRAME_MS = 100  #: of silence: so long that this process is not what is measured
PING_S = 0.25
SILENCE = bytes(UPLINK_HZ // 1000 * 2 * FRAME_MS)


class Neighbours:
    """`round_trips_ms` of all calls since they were taken last; `lost` calls had their connection closed."""

    def __init__(self) -> None:
        self.round_trips_ms: list[float] = []
        self.lost = 0

    async def call(self, place: Place, ticket: str, number: int) -> None:
        """One call, until its connection is closed."""
        async with place.media(ticket) as wire:
            await wire.send(json.dumps({"type": "hello", "versions": [1]}))
            async with asyncio.TaskGroup() as ways:
                speaking = ways.create_task(self._speak(wire, number))
                with suppress(ConnectionClosed):
                    async for said in wire:
                        self._hear(said)
                speaking.cancel()
        self.lost += 1

    def _hear(self, said: str | bytes) -> None:
        if isinstance(said, str) and '"pong"' in said[:20]:
            self.round_trips_ms.append(time.monotonic() * 1000 - json.loads(said)["t"])

    async def _speak(self, wire: ClientConnection, number: int) -> None:
        """Not in step with the others. A frame that is late is sent all the same: so does a microphone."""
        began_at, frames = time.monotonic() + number * FRAME_MS / 40_000, 0
        pinged_at = began_at
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(began_at + frames * FRAME_MS / 1000 - time.monotonic())
                await wire.send(encode_audio(0, frames, SILENCE))
                frames += 1
                if time.monotonic() >= pinged_at + PING_S:
                    pinged_at = time.monotonic()
                    await wire.send(json.dumps({"type": "ping", "t": pinged_at * 1000}))


async def main() -> None:
    place, told = Place.read(sys.stdin.readline())
    quiet = Neighbours()
    async with asyncio.TaskGroup() as calls:
        running = [
            calls.create_task(quiet.call(place, ticket, n)) for n, ticket in enumerate(told["tickets"])
        ]
        while await asyncio.to_thread(sys.stdin.readline):
            taken, quiet.round_trips_ms = quiet.round_trips_ms, []
            print(json.dumps({"round_trips_ms": taken, "lost": quiet.lost}), flush=True)
        for call in running:
            call.cancel()


if __name__ == "__main__":
    asyncio.run(main())
