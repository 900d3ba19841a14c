"""The control road: opens, resumes and ends a session.

One WebSocket per request: after `ready` nothing more is said there, and a reply to an earlier request can
never be taken for one to this. Within a request replies may overtake each other; `i` puts them in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from websockets.exceptions import ConnectionClosed

from ._protocol.codec import control_replies, encode, utf8_bytes
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
from ._protocol.errors import RemoteProtocolError
from ._protocol.limits import CONTROL_MESSAGE_BYTES, REPLY_TIMEOUT_S, RESUME_TIMEOUT_S
from .errors import VoiceError
from .reconnect import OF_TOKEN
from .wire import open_wire

Token = str | Callable[[], Awaitable[str]]  #: a fixed admission JWT, or where to get a fresh one


class Control:
    """The control road of one session. Not for concurrent use. All of it raises VoiceError."""

    def __init__(self, url: str, token: Token, on_starting: Callable[[Starting], None]) -> None:
        self.session = ""  #: empty until the server has admitted us
        self._url = url
        self._token = token
        self._on_starting = on_starting  #: hears of the stages on the way to `ready`
        self._resume_key = ""

    async def start(self, request: Start) -> Ready:
        """Open a session, by one attempt; `request.request` makes sure that the next opens no other."""
        return await self._ask(request)

    async def resume(self, media_failed: bool) -> Ready:
        """A new way to the same session, by one attempt."""
        return await self._ask(Resume(self.session, self._resume_key, media_failed))

    async def end(self) -> None:
        """End the session, however far it came."""
        if not self.session:
            return
        async with aclosing(self._replies(End(self.session))) as replies:
            async for reply in replies:
                if isinstance(reply, ControlEnded):
                    return

    async def _ask(self, request: ControlRequest) -> Ready:
        newest = 0
        async with aclosing(self._replies(request)) as replies:
            async for reply in replies:
                if isinstance(reply, ControlEnded) or reply.i < newest:
                    continue
                newest = reply.i
                self.session, self._resume_key = reply.session, reply.resume_key
                if isinstance(reply, Ready):
                    return reply
                self._on_starting(reply)
        raise VoiceError.of("connection_lost")

    async def _replies(
        self, request: ControlRequest
    ) -> AsyncGenerator[Starting | Ready | ControlEnded, None]:
        """Yield the server's replies to `request`, until it closes. Raises VoiceError for its errors."""
        text = _encode(request)
        try:
            async with open_wire(self._url, "jwt", await self._fresh_token()) as wire:
                await wire.send(text)
                timeout_s = RESUME_TIMEOUT_S if isinstance(request, Resume) else REPLY_TIMEOUT_S
                while True:
                    async with asyncio.timeout(timeout_s):
                        reply = _decode(await wire.recv())
                    timeout_s = REPLY_TIMEOUT_S
                    if isinstance(reply, ControlError):  # fatal or not, it answers the request
                        raise VoiceError.received(reply)
                    if reply is not None:
                        yield reply
        except ConnectionClosed:
            raise VoiceError.of("connection_lost") from None
        except TimeoutError:
            raise VoiceError.of("connect_timeout") from None
        except VoiceError as error:
            if error.code in OF_TOKEN and isinstance(self._token, str):
                error.retryable = False  # a fixed token will be refused again
            raise

    async def _fresh_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            return await self._token()
        except Exception as error:  # code of others, which may fail in any way
            raise VoiceError.of("token_failed") from error


async def end_session(url: str, token: Token, session: str) -> None:
    """End a session of the same user by its id, such as one that `VoiceError.sessions` lists.

    Returns when it has ended. Raises VoiceError: `session_unknown`, or what keeps it from being asked.
    """
    control = Control(url, token, lambda stage: None)
    control.session = session
    await control.end()


def _encode(request: ControlRequest) -> str:
    """The request as text. Raises VoiceError(`too_large`): the gateway would close, and not say why."""
    text = encode(request)
    size, limit = utf8_bytes(text), CONTROL_MESSAGE_BYTES
    if size > limit:
        kind = request.__struct_config__.tag
        raise VoiceError.of("too_large", f"({kind} has {size} bytes, at most {limit} may be sent)")
    return text


def _decode(data: str | bytes) -> ControlReply | None:
    """The reply, or None for a type of a newer server.

    Raises VoiceError(`connection_lost`) for what is none at all: API Gateway's own frame, which says that the
    function has failed. Nothing else will answer the request.
    """
    try:
        return control_replies.decode(data)  # type: ignore[no-any-return]
    except RemoteProtocolError as error:
        if error.code == "unknown_type":
            return None
        raise VoiceError.of("connection_lost") from None
