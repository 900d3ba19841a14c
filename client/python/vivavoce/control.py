"""The control road: opens a session, finds the way back into it, ends it.

One WebSocket per request: after `ready` nothing more is said there, and a reply to an earlier request can
never be taken for one to this. Within a request replies may overtake each other; `i` puts them in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from websockets.exceptions import ConnectionClosed

from ._protocol.codec import control_replies, encode
from ._protocol.control import (
    ControlEnded,
    ControlError,
    ControlReply,
    ControlRequest,
    End,
    Ready,
    Resume,
    Start,
    Starting,
)
from ._protocol.errors import REGISTRY, RemoteProtocolError
from .backoff import Backoff
from .errors import LOCAL, VoiceError
from .wire import open_wire

REPLY_TIMEOUT_S = 30.0  #: longest silence on a request; then it is made again: replies can get lost
RESUME_TIMEOUT_S = 8.0  #: for the first reply to a resume: somebody is in mid-conversation
START_PATIENCE_S = 150.0  #: for a session that was admitted; a relay may take a minute to start
CUT_OFF_LIMIT = 3  #: a start is sent again so often while nothing at all is answered

Token = str | Callable[[], Awaitable[str]]  #: a fixed admission JWT, or where to get a fresh one


class Control:
    """The control road of one session. Not for concurrent use."""

    def __init__(self, url: str, token: Token) -> None:
        self.session = ""  #: empty until the server has admitted us
        self._url = url
        self._token = token
        self._resume_key = ""

    async def start(self, request: Start, on_starting: Callable[[Starting], None]) -> Ready:
        """Open a session; `on_starting` hears of the stages on the way.

        A connection lost on the way is made anew: `request.request` makes sure it stays one session.
        Raises VoiceError.
        """
        retry, attempts = Backoff(START_PATIENCE_S), 0
        while True:
            try:
                return await self._ready(request, on_starting)
            except VoiceError as error:
                attempts += 1
                is_cut_off = error.code == "connection_lost" and attempts < CUT_OFF_LIMIT
                if not is_cut_off and not (self.session and error.code in LOCAL):
                    raise
                await retry.wait(error)

    async def resume(self, media_failed: bool) -> Ready:
        """A new way to the same session, by one attempt. Raises VoiceError."""
        return await self._ready(Resume(self.session, self._resume_key, media_failed), lambda stage: None)

    async def end(self) -> None:
        """End the session, however far it came. Raises VoiceError."""
        if not self.session:
            return
        async with aclosing(self._replies(End(self.session))) as replies:
            async for reply in replies:
                if isinstance(reply, ControlEnded):
                    return

    async def _ready(self, request: ControlRequest, on_starting: Callable[[Starting], None]) -> Ready:
        try:
            return await self._ask(request, on_starting)
        except VoiceError as error:
            entry = REGISTRY.get(error.code)
            if entry is None or entry.retry != "refresh":
                raise
            if isinstance(self._token, str):
                error.retryable = False  # a fixed token will be refused again
                raise
        return await self._ask(request, on_starting)  # once more, with a fresh token

    async def _ask(self, request: ControlRequest, on_starting: Callable[[Starting], None]) -> Ready:
        newest = 0
        async with aclosing(self._replies(request)) as replies:
            async for reply in replies:
                if isinstance(reply, ControlError | ControlEnded) or reply.i < newest:
                    continue
                newest = reply.i
                self.session, self._resume_key = reply.session, reply.resume_key
                if isinstance(reply, Ready):
                    return reply
                on_starting(reply)
        raise VoiceError.of("connection_lost")

    async def _replies(self, request: ControlRequest) -> AsyncGenerator[ControlReply, None]:
        """What the server says to `request`, until it closes. Raises VoiceError for its fatal errors."""
        token = await self._fresh_token()
        async with open_wire(self._url, "jwt", token) as wire:
            try:
                await wire.send(encode(request))
                patience_s = RESUME_TIMEOUT_S if isinstance(request, Resume) else REPLY_TIMEOUT_S
                while True:
                    async with asyncio.timeout(patience_s):
                        data = await wire.recv()
                    patience_s = REPLY_TIMEOUT_S
                    reply = _decode(data)
                    if isinstance(reply, ControlError) and reply.fatal:
                        raise VoiceError.received(reply)
                    if reply is not None:
                        yield reply
            except ConnectionClosed:
                raise VoiceError.of("connection_lost") from None
            except TimeoutError:
                raise VoiceError.of("connect_timeout") from None

    async def _fresh_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            return await self._token()
        except Exception as error:  # code of others, which may fail in any way
            raise VoiceError.of("token_failed") from error


def _decode(data: str | bytes) -> ControlReply | None:
    """The reply, or None for a type of a newer server."""
    try:
        return control_replies.decode(data)  # type: ignore[no-any-return]
    except RemoteProtocolError as error:
        if error.code == "unknown_type":
            return None
        raise VoiceError.of(error.code) from None
