"""The Gemini leg: one connection to Gemini Live. The room `gemini` has its wire and what refusals mean.

Raw WebSocket and a typed codec instead of the SDK: per message the SDK costs 7 to 13 times as much, stalls
the loop on first use and dies of unknown messages (docs/sources.md#gemini-sdk-cost).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import ssl
from collections.abc import AsyncIterator, Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from gemini import refusals
from gemini.messages import Audio, Credential, Interrupted, ModelCommand, ModelEvent, TurnCompleted
from gemini.profiles import Profile
from gemini.wire import address, first_message, is_set_up, read_message, write_audio, write_command
from relay.model.port import UpstreamError

logger = logging.getLogger("relay.model.gemini")

SETUP_TIMEOUT_S = 15.0  #: connect, handshake and the answer to the setup together
CLOSE_TIMEOUT_S = 1.0  #: after that the socket is aborted: close() may hang without pings
BODY_BYTES = 4_096  #: of an HTTP refusal that are read
MESSAGE_BYTES = 16 * 1024 * 1024  #: the library's default of 1 MiB cuts long answers off


class GeminiLeg:
    """One open, set-up connection to Gemini Live."""

    def __init__(self, connection: ClientConnection, profile: Profile) -> None:
        self._connection, self._profile = connection, profile
        self._ending: str | None = None  #: the registry's code for how it ended
        self._half = b""  #: of a sample, whose other half comes with the next audio

    async def send_audio(self, pcm: bytes) -> None:
        await self._send(write_audio(pcm))

    async def send(self, command: ModelCommand) -> None:
        written = write_command(command, self._profile)
        if written is not None:
            await self._send(written.encode())

    async def events(self) -> AsyncIterator[ModelEvent]:
        try:
            async for data in self._connection:
                for event in read_message(data):
                    if isinstance(event, Audio):
                        if pcm := self._whole_samples(event.pcm):
                            yield Audio(pcm)
                        continue
                    if isinstance(event, Interrupted | TurnCompleted):
                        self._half = b""
                    yield event
        except ConnectionClosed:
            pass
        raise self._lost()  # also when it was closed with 1000: still not what we asked for

    def _whole_samples(self, pcm: bytes) -> bytes:
        pcm = self._half + pcm
        whole = len(pcm) - len(pcm) % 2
        self._half = pcm[whole:]
        return pcm[:whole]

    async def ping(self) -> None:
        try:
            await (await self._connection.ping())
        except ConnectionClosed:
            raise self._lost() from None

    async def close(self) -> None:
        """Closed, politely if the peer answers in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._connection.close()
        self._connection.transport.abort()  # close() alone may hang on a full write buffer

    async def _send(self, data: bytes) -> None:
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed:
            raise self._lost() from None

    def _lost(self) -> UpstreamError:
        """The error for the end of the connection. Both ways meet it: logged once."""
        if self._ending is None:
            self._ending = _ending(self._connection)
        return UpstreamError(self._ending)


def _ending(connection: ClientConnection) -> str:
    """The registry's code for a close of Google's, or for a break (1006). Logged: a client gets no reason."""
    close, reason = connection.close_code or 1006, connection.close_reason or ""
    code = refusals.by_close(close, reason)
    told = {"close_code": int(close), "reason": refusals.scrub(reason), "code": code}
    logger.warning("model closed the connection", extra=told)
    return code


def _refusal(response: Response) -> UpstreamError:
    """The error for a handshake that Google has refused. Logged likewise."""
    text = bytes(response.body or b"")[:BODY_BYTES].decode(errors="replace")
    code = refusals.by_status(response.status_code, text)
    told = {"http_status": response.status_code, "reason": refusals.scrub(_said(text)), "code": code}
    logger.warning("model refused the connection", extra=told)
    return UpstreamError(code)


def _said(text: str) -> str:
    """The message in the body of an API error; the body itself when it is none."""
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, TypeError, KeyError):
        return text


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The TLS settings of every leg, with this machine's authorities. Blocks for 20 ms the first time.

    One for all: the library makes a new one for each connection, at the same 20 ms and 0.9 MB each.
    """
    return ssl.create_default_context()


def dial(url: str, headers: Mapping[str, str]) -> connect:
    """A connection to the model, to be awaited: compressed by nobody, past every proxy.

    No library keepalive: Gemini's pongs come late (docs/sources.md#gemini-pongs).
    """
    return connect(
        url,
        ssl=tls_context() if url.startswith("wss:") else None,
        additional_headers=headers,
        open_timeout=SETUP_TIMEOUT_S,
        ping_interval=None,
        max_size=MESSAGE_BYTES,
        compression=None,
        proxy=None,
    )


async def open_leg(base_url: str, credential: Credential, handle: str | None) -> GeminiLeg:
    """Connect with a credential and wait until the model is set up.

    `base_url` is https (or http, for a stand-in on this machine). Raises UpstreamError.
    """
    url, headers = address(base_url, credential)
    try:
        async with asyncio.timeout(SETUP_TIMEOUT_S):
            connection = await dial(url, headers)
            try:
                await connection.send(first_message(credential, handle))
                await _await_setup(connection)
            except ConnectionClosed:
                raise UpstreamError(_ending(connection)) from None
            except BaseException:
                connection.transport.abort()
                raise
    except InvalidStatus as refused:
        raise _refusal(refused.response) from None
    except (OSError, TimeoutError, InvalidHandshake) as failed:
        logger.warning("model not reached", extra={"error_type": type(failed).__name__})
        raise UpstreamError("upstream_unavailable") from None
    return GeminiLeg(connection, credential.profile)


async def _await_setup(connection: ClientConnection) -> None:
    while not is_set_up(await connection.recv()):
        pass
