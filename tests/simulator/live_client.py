"""A bare Live client for the tests: websockets, JSON, nothing of either SDK."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from simulator.server.server import Running

MODEL = "models/gemini-3.8-live"
SETUP: dict[str, Any] = {"model": MODEL, "generationConfig": {"responseModalities": ["AUDIO"]}}
PATH = "/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}"
FRAME = 640  #: 20 ms at 16 kHz

Message = dict[str, Any]


class LiveClient:
    """Sends what it is told, keeps all that comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[Message] = []

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def receive(self) -> Message:
        raw = await asyncio.wait_for(self.socket.recv(), 10)
        assert isinstance(raw, bytes), "the service sends JSON in binary frames"
        message: Message = json.loads(raw)
        self.seen.append(message)
        return message

    async def until(self, fits: Callable[[Message], Any]) -> Message:
        """Receive up to and with the first message that fits."""
        while not fits(message := await self.receive()):
            pass
        return message

    async def until_content(self, name: str) -> Message:
        """The `serverContent` that has this field."""
        message = await self.until(lambda one: name in one.get("serverContent", {}))
        content: Message = message["serverContent"]
        return content

    async def turn(self) -> list[Message]:
        """All messages up to the next `turnComplete`."""
        before = len(self.seen)
        await self.until_content("turnComplete")
        return self.seen[before:]

    async def handle(self) -> str:
        """The next resumption handle that may be used."""
        message = await self.until(lambda one: one.get("sessionResumptionUpdate", {}).get("resumable"))
        return str(message["sessionResumptionUpdate"]["newHandle"])

    async def say(self, pcm: bytes, quiet_s: float = 1.0) -> None:
        """Speak 16 kHz PCM as fast as the socket takes it, then let `quiet_s` of silence follow."""
        await self.stream(pcm + bytes(round(32_000 * quiet_s)))

    async def stream(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), FRAME):
            await self.send(realtimeInput={"audio": blob(pcm[at : at + FRAME])})

    async def closed(self) -> tuple[int | None, str]:
        """Read on until the server closes; its code and reason."""
        async with asyncio.timeout(10):
            with suppress(ConnectionClosedError):
                async for raw in self.socket:
                    self.seen.append(json.loads(raw))
        return self.socket.close_code, self.socket.close_reason or ""


def blob(pcm: bytes, rate: int = 16_000) -> Message:
    return {"data": base64.b64encode(pcm).decode(), "mimeType": f"audio/pcm;rate={rate}"}


def speech_in(messages: list[Message]) -> bytes:
    """All 24 kHz audio in these messages."""
    out = b""
    for message in messages:
        for part in message.get("serverContent", {}).get("modelTurn", {}).get("parts", []):
            if "inlineData" in part:
                assert part["inlineData"]["mimeType"] == "audio/pcm;rate=24000"
                out += base64.b64decode(part["inlineData"]["data"])
    return out


def transcript(messages: list[Message], side: str = "output") -> str:
    pieces = (message.get("serverContent", {}).get(f"{side}Transcription", {}) for message in messages)
    return "".join(piece.get("text", "") for piece in pieces)


@asynccontextmanager
async def socket_to(
    running: Running, query: str = "?key=k", method: str = "BidiGenerateContent", version: str = "v1beta"
) -> AsyncIterator[LiveClient]:
    """An open socket, nothing sent yet."""
    url = running.url.replace("http", "ws", 1) + PATH.format(version=version, method=method) + query
    async with connect(url, compression=None, max_size=None, close_timeout=2) as socket:
        yield LiveClient(socket)


@asynccontextmanager
async def live(running: Running, query: str = "?key=k", **setup: Any) -> AsyncIterator[LiveClient]:
    """A session that is set up."""
    async with socket_to(running, query) as client:
        await client.send(setup={**SETUP, **setup})
        first = await client.receive()
        assert "setupComplete" in first
        yield client
