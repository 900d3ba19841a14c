"""The Gemini leg. The only file that knows Google's wire: endpoints, message names, close codes.

Raw WebSocket and a typed codec instead of the SDK: per message the SDK costs 7 to 13 times as much, stalls
the loop on first use and dies of unknown messages (docs/sources.md#gemini-sdk-cost).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import math
import ssl
from binascii import b2a_base64
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from protocol.media import Tokens
from relay.model import (
    SILENCE_MS,
    AnswerTool,
    Audio,
    Credential,
    FlushAudio,
    GenerationEnded,
    HandleChanged,
    Heard,
    Interrupted,
    LegEnding,
    MarkActivity,
    ModelCommand,
    ModelEvent,
    Recall,
    Said,
    SayText,
    ShowImage,
    SpeechEnded,
    SpeechStarted,
    TokensUsed,
    ToolRequested,
    ToolsWithdrawn,
    TurnCompleted,
    UpstreamError,
)

METHOD = "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained"
SETUP_TIMEOUT_S = 15.0  #: connect, handshake and setupComplete together
CLOSE_TIMEOUT_S = 1.0  #: after that the socket is aborted: close() may hang without pings
FLUSH_MARGIN_MS = 400  #: of silence beyond what ends a turn, when the microphone has paused
SILENCE_PIECE = bytes(3_200)  #: 100 ms at 16 kHz
MESSAGE_BYTES = 16 * 1024 * 1024  #: the library's default of 1 MiB cuts long answers off

_AUDIO_HEAD = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
_AUDIO_TAIL = b'"}}}'

# ---- what the server sends; unknown fields are ignored


class _Camel(msgspec.Struct, rename="camel"):
    """Google's JSON names."""


class _Blob(_Camel):
    data: bytes = b""


class _Part(_Camel):
    inline_data: _Blob | None = None
    thought: bool = False


class _Content(_Camel):
    parts: list[_Part] = []


class _Transcription(_Camel):
    text: str = ""


class _ServerContent(_Camel):
    model_turn: _Content | None = None
    input_transcription: _Transcription | None = None
    output_transcription: _Transcription | None = None
    interrupted: bool = False
    generation_complete: bool = False
    turn_complete: bool = False
    interaction_status: str = ""


class _FunctionCall(_Camel):
    id: str = ""
    name: str = ""
    args: dict[str, Any] = {}


class _ToolCall(_Camel):
    function_calls: list[_FunctionCall] = []


class _Cancellation(_Camel):
    ids: list[str] = []


class _GoAway(_Camel):
    time_left: Any = None  #: a string by the documentation; nothing else of the message may depend on it


class _Resumption(_Camel):
    new_handle: str = ""
    resumable: bool = False


class _ModalityCount(_Camel):
    modality: str = ""
    token_count: int = 0


class _UsageMetadata(_Camel):
    total_token_count: int = 0
    prompt_tokens_details: list[_ModalityCount] = []
    response_tokens_details: list[_ModalityCount] = []


class _VoiceActivity(_Camel):
    type: str = ""


class _ServerMessage(_Camel):
    setup_complete: dict[str, Any] | None = None
    server_content: _ServerContent | None = None
    tool_call: _ToolCall | None = None
    tool_call_cancellation: _Cancellation | None = None
    go_away: _GoAway | None = None
    session_resumption_update: _Resumption | None = None
    usage_metadata: _UsageMetadata | None = None
    voice_activity: _VoiceActivity | None = None


_decode = msgspec.json.Decoder(_ServerMessage, strict=False).decode


def read_message(data: str | bytes) -> Iterator[ModelEvent]:
    """Our events in one server message, which may bundle many of theirs; none in one we cannot read."""
    try:
        message = _decode(data)
    except (msgspec.DecodeError, UnicodeError):
        return
    if message.voice_activity is not None:
        yield SpeechStarted() if message.voice_activity.type == "ACTIVITY_START" else SpeechEnded()
    if message.session_resumption_update is not None and message.session_resumption_update.resumable:
        yield HandleChanged(message.session_resumption_update.new_handle)
    if message.tool_call is not None:
        for call in message.tool_call.function_calls:
            yield ToolRequested(call.id, call.name, call.args)
    if message.tool_call_cancellation is not None:
        yield ToolsWithdrawn(tuple(message.tool_call_cancellation.ids))
    if message.go_away is not None:
        yield LegEnding(_seconds(message.go_away.time_left))
    if message.usage_metadata is not None:
        yield TokensUsed(_tokens(message.usage_metadata))
    if message.server_content is not None:
        yield from _content_events(message.server_content)


def _content_events(content: _ServerContent) -> Iterator[ModelEvent]:
    """In the order in which they must be acted upon when one message holds several."""
    if content.interrupted:
        yield Interrupted()
    if content.input_transcription is not None and content.input_transcription.text:
        yield Heard(content.input_transcription.text)
    if content.model_turn is not None:
        for part in content.model_turn.parts:
            if part.inline_data is not None and part.inline_data.data and not part.thought:
                yield Audio(part.inline_data.data)
    if content.output_transcription is not None and content.output_transcription.text:
        yield Said(content.output_transcription.text)
    if content.generation_complete:
        yield GenerationEnded()
    if content.turn_complete:
        yield TurnCompleted(idle=content.interaction_status != "IN_PROGRESS")


def _seconds(duration: object) -> float | None:
    """Protobuf's JSON Duration, like "50s", not below 0; None when it is missing or is no time."""
    try:
        seconds = float(str(duration).removesuffix("s"))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _tokens(usage: _UsageMetadata) -> Tokens:
    def count(details: list[_ModalityCount], *modalities: str) -> int:
        return sum(detail.token_count for detail in details if detail.modality in modalities)

    prompt, response = usage.prompt_tokens_details, usage.response_tokens_details
    return Tokens(
        input_text=count(prompt, "TEXT"),
        input_audio=count(prompt, "AUDIO"),
        input_image=count(prompt, "IMAGE", "VIDEO"),
        output_text=count(response, "TEXT"),
        output_audio=count(response, "AUDIO"),
        total=usage.total_token_count,
    )


# ---- what we send


def write_audio(pcm: bytes) -> bytes:
    """One stretch of microphone audio: mono s16le, 16 kHz."""
    return _AUDIO_HEAD + b2a_base64(pcm, newline=False) + _AUDIO_TAIL


def write_command(command: ModelCommand) -> str:
    """Everything but audio."""
    return json.dumps(_command(command), separators=(",", ":"))


def _command(command: ModelCommand) -> dict[str, Any]:
    match command:
        case SayText(text, respond):
            content = {"role": "user", "parts": [{"text": text}]}
            return {"clientContent": {"turns": [content], "turnComplete": respond}}
        case ShowImage(mime, data):
            blob = {"mimeType": mime, "data": b2a_base64(data, newline=False).decode()}
            return {"realtimeInput": {"video": blob}}
        case MarkActivity(started):
            return {"realtimeInput": {"activityStart" if started else "activityEnd": {}}}
        case FlushAudio():
            return {"realtimeInput": {"audioStreamEnd": True}}
        case Recall(said):
            turns = [{"role": _ROLES[role], "parts": [{"text": text}]} for role, text in said]
            return {"clientContent": {"turns": turns, "turnComplete": False}}
        case AnswerTool(id, name, result):
            response = {"id": id, "name": name, "response": result, "scheduling": "WHEN_IDLE"}
            return {"toolResponse": {"functionResponses": [response]}}


_ROLES = {"user": "user", "agent": "model"}


def first_message(credential: Credential, handle: str | None) -> str:
    """The setup. Under a full lock Google takes all of it from the token and ignores ours."""
    setup: dict[str, Any] = {"model": f"models/{credential.model.removeprefix('models/')}"}
    if credential.lock == "masked":
        setup["sessionResumption"] = {"handle": handle} if handle else {}
    return json.dumps({"setup": setup})


# ---- how it fails

_REASONS = (  # in a close reason, lower case; reported in the wild (docs/sources.md#gemini-closes)
    ("resource exhausted", "upstream_quota"),
    ("quota", "upstream_quota"),
    ("token has", "upstream_auth"),
    ("unregistered callers", "upstream_auth"),
    ("api key", "upstream_auth"),
    ("overloaded", "upstream_overload"),
    ("currently unavailable", "upstream_overload"),
    ("context", "upstream_context_full"),
    ("not found", "upstream_invalid"),
    ("not implemented", "upstream_invalid"),
    ("not supported", "upstream_invalid"),
)
_CODES = {1007: "upstream_invalid", 1008: "upstream_policy"}


def error_code(close_code: int, reason: str) -> str:
    """The registry's code for a close of Google's. The reason is read here and goes no further."""
    words = reason.lower()
    for part, code in _REASONS:
        if part in words:
            return code
    return _CODES.get(close_code, "upstream_unavailable")


class GeminiLeg:
    """One open, set-up connection to Gemini Live."""

    def __init__(self, connection: ClientConnection, silence_ms: int = SILENCE_MS) -> None:
        """`silence_ms` of quiet end the user's turn."""
        self._connection = connection
        self._flush_pieces = -(-(silence_ms + FLUSH_MARGIN_MS) // 100)

    async def send_audio(self, pcm: bytes) -> None:
        await self._send(write_audio(pcm))

    async def send(self, command: ModelCommand) -> None:
        if isinstance(command, FlushAudio):  # not every model heeds it, but each hears when it gets quiet
            for _ in range(self._flush_pieces):
                await self.send_audio(SILENCE_PIECE)
        await self._send(write_command(command).encode())

    async def events(self) -> AsyncIterator[ModelEvent]:
        try:
            async for data in self._connection:
                for event in read_message(data):
                    yield event
        except ConnectionClosed as closed:
            raise _upstream_error(closed) from None
        raise UpstreamError("upstream_unavailable")  # closed with 1000: still not what we asked for

    async def ping(self) -> None:
        try:
            await (await self._connection.ping())
        except ConnectionClosed as closed:
            raise _upstream_error(closed) from None

    async def close(self) -> None:
        """Closed, politely if the peer answers in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._connection.close()
        self._connection.transport.abort()  # close() alone may hang on a full write buffer

    async def _send(self, data: bytes) -> None:
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed as closed:
            raise _upstream_error(closed) from None


def _upstream_error(closed: ConnectionClosed) -> UpstreamError:
    frame = closed.rcvd
    return UpstreamError(error_code(frame.code, frame.reason) if frame else "upstream_unavailable")


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The TLS settings of every leg, with this machine's authorities. Blocks for 20 ms the first time.

    One for all: the library makes a new one for each connection, at the same 20 ms and 0.9 MB each.
    """
    return ssl.create_default_context()


async def open_leg(base_url: str, credential: Credential, handle: str | None) -> GeminiLeg:
    """Connect with a single-use token and wait until the model is set up.

    `base_url` is https (or http, for a stand-in on this machine). Raises UpstreamError.
    """
    url = (
        f"{base_url.replace('http', 'ws', 1).rstrip('/')}/ws/{METHOD}?access_token={quote(credential.token)}"
    )
    tls = tls_context() if url.startswith("wss:") else None
    try:
        async with asyncio.timeout(SETUP_TIMEOUT_S):
            # no library keepalive: Gemini's pongs come late (docs/sources.md#gemini-pongs)
            connection = await connect(
                url, ssl=tls, ping_interval=None, max_size=MESSAGE_BYTES, compression=None, proxy=None
            )
            try:
                await connection.send(first_message(credential, handle))
                await _await_setup(connection)
            except BaseException:
                connection.transport.abort()
                raise
    except ConnectionClosed as closed:
        raise _upstream_error(closed) from None
    except (OSError, TimeoutError, InvalidHandshake):
        raise UpstreamError("upstream_unavailable") from None
    return GeminiLeg(connection, credential.silence_ms)


async def _await_setup(connection: ClientConnection) -> None:
    while not is_set_up(await connection.recv()):
        pass


def is_set_up(data: str | bytes) -> bool:
    """The server has taken the setup."""
    try:
        return _decode(data).setup_complete is not None
    except (msgspec.DecodeError, UnicodeError):
        return False
