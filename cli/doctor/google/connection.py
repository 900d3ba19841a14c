"""One connection of a first contact: sends, listens, and writes down everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from cli.doctor.google.clock import Clock
from gemini.contact.kit import audio
from gemini.contact.recording import Line, Recording, Signal, Talk, Way, signals
from gemini.contact.scenes import ANSWER_S
from gemini.contact.steps import Heard
from relay.model.gemini import SETUP_TIMEOUT_S, dial

CLOSE_S = 1.0
LEAST_ANSWER_S = 5.0  #: real seconds
CHUNK_S = 0.1  #: of audio in one message
CHUNK_BYTES = 3_200
SILENCE = bytes(CHUNK_BYTES)


class Connection:
    """A socket, or what is left of it: after its end, everything it is asked to do is done at once."""

    def __init__(self, name: str, clock: Clock, recording: Recording) -> None:
        self.name = name
        self._clock = clock
        self._recording = recording
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._came: list[Signal] = []
        self._prompted = 0  #: signals that came before the last prompt
        self._news = asyncio.Event()
        self._has_ended = True
        self._is_ours = False  #: the end was our doing

    @property
    def talk(self) -> Talk:
        """View of what has happened so far."""
        return self._recording.talk(self.name)

    async def open(self, address: str, first: dict[str, Any], header: dict[str, str]) -> None:
        """Connect, send the first message and wait for the answer to it, or for the end."""
        try:
            self._socket = await dial(address, header)
        except InvalidStatus as refused:
            body = bytes(refused.response.body or b"").decode(errors="replace")
            self._write("refused", {"code": refused.response.status_code, "reason": body[:400]})
            return
        except (OSError, TimeoutError, InvalidHandshake) as failed:
            self._write("refused", {"code": 0, "reason": type(failed).__name__})
            return
        self._has_ended = False
        self._reader = asyncio.create_task(self._read(self._socket), name=f"{self.name} reader")
        await self.send(first)
        await self.until(lambda came: bool(came), self._clock.speed * SETUP_TIMEOUT_S, listens=False)

    def refuse(self, reason: str, means: str) -> None:
        """Write down that it could not even be opened: no token was made, for a reason of the registry's."""
        self._write("refused", {"code": 0, "reason": reason, "means": means})

    async def send(self, message: dict[str, Any]) -> None:
        """Send a prompt."""
        self._prompted = len(self._came)
        await self._send(message)

    async def speak(self, pcm: bytes) -> None:
        """Send audio at the speed of speech. A prompt."""
        self._prompted = len(self._came)
        began_at = self._clock.now()
        self.mark("speak.start")
        for number, at in enumerate(range(0, len(pcm), CHUNK_BYTES), 1):
            await self._send_audio(pcm[at : at + CHUNK_BYTES])
            if self._has_ended:
                return
            await self._clock.sleep_until(began_at + number * CHUNK_S)
        self.mark("speak.end")

    async def until(self, heard: Heard, within_s: float, *, listens: bool) -> bool:
        """Wait until what came since the last prompt is what is waited for, or the end."""
        if within_s >= ANSWER_S:  # an answer takes its real time, however fast a stand-in's clock runs
            within_s = max(within_s, LEAST_ANSWER_S * self._clock.speed)
        gives_up_at = self._clock.now() + within_s
        next_at = self._clock.now()
        while True:
            self._news.clear()
            if heard(self._came[self._prompted :]):
                return True
            now = self._clock.now()
            if self._has_ended or now >= gives_up_at:
                return False
            if listens and now >= next_at:
                await self._send_audio(SILENCE)
                next_at += CHUNK_S
            left_s = min(gives_up_at, next_at if listens else gives_up_at) - self._clock.now()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._clock.real(max(0.0, left_s)))

    async def ping(self, within_s: float) -> None:
        """Mark `ping`, and `pong` if it comes in time."""
        if self._socket is None or self._has_ended:
            return
        self.mark("ping")
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            await asyncio.wait_for(await self._socket.ping(), self._clock.real(within_s))
            self.mark("pong")

    async def close(self) -> None:
        """Hang up; the server has CLOSE_S for its half."""
        if self._socket is None:
            return
        self._is_ours = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close()
        self._socket.transport.abort()
        if self._reader is not None:
            await asyncio.wait({self._reader})

    def mark(self, step: str) -> None:
        self._write("mark", {"step": step})

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                self._take(data)
        except ConnectionClosed:
            pass
        finally:
            self._has_ended = True
            if not self._is_ours:
                self._write("close", {"code": socket.close_code or 1006, "reason": socket.close_reason or ""})
            self._news.set()

    def _take(self, data: str | bytes) -> None:
        try:
            message = json.loads(data)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            message = {"unreadable": len(data)}
        self._write("down", message, is_binary=isinstance(data, bytes))
        at_s = self._clock.now()
        self._came += [Signal(at_s, kind, value) for kind, value in signals(message)]
        self._news.set()

    async def _send_audio(self, pcm: bytes) -> None:
        await self._send(audio(pcm))

    async def _send(self, message: dict[str, Any]) -> None:
        if self._socket is None or self._has_ended:
            return
        self._write("up", message)
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(json.dumps(message, separators=(",", ":")))

    def _write(self, way: Way, message: dict[str, Any], *, is_binary: bool = False) -> None:
        self._recording.add(Line(self._clock.now(), self.name, way, message, is_binary))
