"""One signed-in user who sends all that the limits allow, in a process of its own.

Each of its sessions floods in the same way, and is resumed as often as control grants it when the relay has
cut it off. Reads where to go from its first line of input, ends at the second, and writes what it has sent.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bench.raw_road import Place, ask, resume
from protocol.audio import encode_audio
from protocol.limits import (
    FRAME_MAX_MS,
    FRAME_MIN_MS,
    MESSAGES_PER_S,
    TEXT_CHARS,
    TEXT_CHARS_PER_S,
    TOOL_RESULT_BYTES,
    UPLINK_HZ,
)

PER_S = MESSAGES_PER_S * 0.95  #: in the long run; what a connection may send at once comes before
BURST = 3_000  #: messages at once at the beginning of each connection
REFUSED_S = 0.2  #: between requests that control refuses
NICE = 15  #: the processor that a flood takes at its own end is not what others are to feel
LIVE_S = 0.3  #: of a connection that only says hello

Said = str | bytes
RESULT = json.dumps([[7] * 8] * ((TOOL_RESULT_BYTES - 1_000) // 26))
TEXT = json.dumps({"type": "text", "text": "y" * TEXT_CHARS, "respond": False})


def text(n: int) -> Said:
    """Words that want no answer: each is kept, told as a transcript, and sent on to the model."""
    return json.dumps({"type": "text", "text": "y" * int(TEXT_CHARS_PER_S / PER_S), "respond": False})


def long_text(n: int) -> Said:
    """As long as they may be: most are refused for their rate, and with them the connection in the end."""
    return TEXT


def short_frames(n: int) -> Said:
    return encode_audio(0, n, bytes(UPLINK_HZ // 1000 * 2 * FRAME_MIN_MS))


def long_frames(n: int) -> Said:
    """Twenty times as fast as speech."""
    return encode_audio(0, n, bytes(UPLINK_HZ // 1000 * 2 * FRAME_MAX_MS))


def tool_results(n: int) -> Said:
    """Of calls that are not there, as large as they may be."""
    return f'{{"type": "tool.result", "call_id": "call-1-{n}", "ok": true, "data": {RESULT}}}'


def pings(n: int) -> Said:
    return json.dumps({"type": "ping", "t": n})


def nothing(n: int) -> Said:
    """Only the hello, again and again: all that is kept is told to each connection."""
    return ""


KINDS: dict[str, Callable[[int], Said]] = {
    "text": text,
    "long text": long_text,
    "short frames": short_frames,
    "long frames": long_frames,
    "tool results": tool_results,
    "unread": pings,
    "resumes": nothing,
}
READS = {"unread": False}  #: what the relay says is not read; of all others it is


class Flooder:
    """`counts`: messages sent, connections made, answers of control by their code."""

    def __init__(self, place: Place, token: str, kind: str) -> None:
        self.counts: Counter[str] = Counter()
        self._place, self._token = place, token
        self._say, self._reads = KINDS[kind], READS.get(kind, True)

    async def session(self, ready: dict[str, Any]) -> None:
        """Flood one session, for as long as it is granted."""
        async for ticket in self._tickets(ready):
            with suppress(InvalidHandshake, OSError, ConnectionClosed):
                await self._flood(ticket)

    async def _tickets(self, ready: dict[str, Any]) -> AsyncIterator[str]:
        yield ready["media"]["ticket"]
        while True:
            with suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                async with self._place.dial(self._token) as control:
                    while True:  # until the connection is closed for the number of messages
                        reply = await ask(control, resume(ready))
                        self.counts[reply.get("code", reply.get("type", "gateway"))] += 1
                        if reply.get("type") == "ready":
                            ready = reply
                            yield ready["media"]["ticket"]
                        else:
                            await asyncio.sleep(REFUSED_S)
            await asyncio.sleep(REFUSED_S)

    async def _flood(self, ticket: str) -> None:
        queue = {} if self._reads else {"max_queue": 1}
        async with self._place.media(ticket, **queue) as wire:
            self.counts["connections"] += 1
            await wire.send(json.dumps({"type": "hello", "versions": [1]}))
            async with asyncio.TaskGroup() as ways:
                reading = ways.create_task(_drain(wire)) if self._reads else None
                with suppress(ConnectionClosed, TimeoutError):  # it was cut off, or is not read any more
                    await self._pour(wire)
                if reading:
                    reading.cancel()

    async def _pour(self, wire: ClientConnection) -> None:
        now = asyncio.get_running_loop().time
        began_at = now()
        for n in itertools.count():
            said = self._say(n)
            if not said:  # what is kept is told; that was all
                await asyncio.sleep(LIVE_S)
                return
            async with asyncio.timeout(20):  # the relay reads no more
                await wire.send(said)
            self.counts["messages"] += 1
            self.counts["bytes"] += len(said)
            if n > BURST + PER_S * (now() - began_at):
                await asyncio.sleep(1 / PER_S)
            elif n % 50 == 0:
                await asyncio.sleep(0)


async def _drain(wire: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in wire:
            pass


async def main() -> None:
    os.nice(NICE)
    place, told = Place.read(sys.stdin.readline())
    flooder = Flooder(place, told["token"], told["kind"])
    async with asyncio.TaskGroup() as sessions:
        running = [sessions.create_task(flooder.session(ready)) for ready in told["sessions"]]
        await asyncio.to_thread(sys.stdin.readline)
        for session in running:
            session.cancel()
    print(json.dumps(flooder.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
