"""One user on the way to a first word, on raw sockets, who notes the time of everything that comes."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from infra.local.stack import LocalStack
from protocol.audio import AUDIO
from protocol.credentials import Kind, offer

AGENT = "kiosk"  #: it speaks first, so that no word of the user's is in between
BACKOFF_S = 0.5  #: longest random first wait after a refused handshake or a failed request; doubles
SILENCE_S = 30.0  #: without any reply, after which a client asks again


@dataclass(slots=True)
class Caller:
    """`connect`, then `click`: from there to the first audio. `marks` has wall clock times, epoch s."""

    stack: LocalStack
    name: str
    marks: dict[str, float] = field(default_factory=dict)
    tries: int = 0  #: requests and handshakes that had to be made again
    session: str = ""
    _control: ClientConnection | None = None
    _media: ClientConnection | None = None

    async def connect(self) -> None:
        """Open the control road, as `prepare()` does."""
        if self._control is None:
            self.mark("control dialled")
            self._control = await self._dial(
                self.stack.urls.control, "jwt", self.stack.user(self.name).token()
            )
            self.mark("control open")

    async def click(self) -> float:
        """Seconds until the agent's first audio."""
        self.mark("click")
        await self.connect()
        ready = await self._ready()
        self.mark("ready")
        media = ready["media"]
        self._media = await self._dial(media["url"], "ticket", media["ticket"], media.get("protocols", ()))
        self.mark("media open")
        await self._media.send(json.dumps({"type": "hello", "versions": [1]}))
        async for data in self._media:
            if isinstance(data, bytes) and data[0] == AUDIO:
                break
            if isinstance(data, str) and json.loads(data)["type"] == "live":
                self.mark("live")
        else:
            raise ConnectionError(f"no audio, closed with {self._media.close_code}")
        self.mark("first audio")
        return self.marks["first audio"] - self.marks["click"]

    async def leave(self) -> None:
        """End the session, and close both roads."""
        if self._media is not None:
            try:
                await self._media.send(json.dumps({"type": "end"}))
                async with asyncio.timeout(5):
                    async for _ in self._media:
                        pass
            except (ConnectionClosed, TimeoutError):
                pass
            await self._media.close()
        if self._control is not None:
            await self._control.close()

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, time.time())

    async def _ready(self) -> dict[str, Any]:
        request = {"type": "start", "request": secrets.token_hex(8), "versions": [1], "agent": AGENT}
        while True:
            assert self._control is not None
            await self._control.send(json.dumps(request))
            self.mark("start sent")
            if (ready := await self._heard()) is not None:
                return ready
            await self._wait()

    async def _heard(self) -> dict[str, Any] | None:
        """The `ready`; None when the request is to be made again."""
        assert self._control is not None
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    reply = json.loads(await self._control.recv())
            except TimeoutError:
                return None
            match reply.get("type"):
                case "starting":
                    self.session = reply["session"]
                    self.mark(f"starting: {reply['stage']}")
                case "ready":
                    self.session = reply["session"]
                    return reply  # type: ignore[no-any-return]
                case "error" if reply["code"] not in ("capacity", "store_unavailable", "internal"):
                    raise ConnectionError(reply["code"])
                case _:  # an error that passes, or the gateway's own, which has no type
                    return None

    async def _dial(
        self, url: str, kind: Kind, secret: str, besides: tuple[str, ...] | list[str] = ()
    ) -> ClientConnection:
        entries = [Subprotocol(entry) for entry in offer(kind, secret, besides)]
        while True:
            try:
                return await connect(
                    url, subprotocols=entries, open_timeout=45, compression=None, proxy=None, max_size=None
                )
            except (InvalidHandshake, OSError, TimeoutError):
                if self.tries > 100:
                    raise
                await self._wait()

    async def _wait(self) -> None:
        self.tries += 1
        ceiling = min(8.0, BACKOFF_S * 2 ** min(self.tries, 4))
        await asyncio.sleep(ceiling * secrets.randbelow(1000) / 1000)
