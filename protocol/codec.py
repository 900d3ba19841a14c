"""JSON text in, messages out, and back. Unknown fields are ignored: the peer may be newer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar, get_args

import msgspec

from .audio import AudioFrame, encode_audio
from .control import ControlError, ControlReply, ControlRequest, Id, OpenSession, Start
from .diagnosis import explain
from .errors import REGISTRY, RemoteProtocolError
from .limits import CONTROL_MESSAGE_BYTES, JSON_DEPTH, MEDIA_MESSAGE_BYTES, TOOL_RESULT_BYTES
from .media import ClientMessage, Error, ServerMessage, ToolResult

T = TypeVar("T")
Outgoing = ServerMessage | AudioFrame  #: what a server says on the media road


class _Tagged(msgspec.Struct):
    type: str


class _Asking(msgspec.Struct):
    request: Id | None = None
    session: Id | None = None


_type_of = msgspec.json.Decoder(_Tagged)
_asked_by = msgspec.json.Decoder(_Asking)
_encoder = msgspec.json.Encoder()

_NOT_JSON = "the message must be JSON"

#: where a message holds JSON of the peer's own shape
_OPEN_JSON: dict[type, Callable[[Any], object]] = {
    Start: lambda start: [tool.parameters for tool in start.tools],
    ToolResult: lambda result: result.data,
}


class Codec:
    """Decodes one road's messages of one direction."""

    def __init__(self, union: Any, limit_bytes: int) -> None:
        self.types = {member.__struct_config__.tag: member for member in get_args(union)}
        self._decode = msgspec.json.Decoder(union).decode
        self._limit_bytes = limit_bytes

    def decode(self, text: str | bytes) -> Any:
        """The message in `text`.

        Raises RemoteProtocolError: `too_large`, `bad_message` (with the type as `ref` when it has one, and
        field and rule as `detail`) or `unknown_type`. Never anything else, whatever the peer sends.
        """
        if len(text) * 4 > self._limit_bytes and utf8_bytes(text) > self._limit_bytes:
            raise RemoteProtocolError("too_large")
        try:
            message = self._decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._refusal(text, error) from None
        if type(message) in _OPEN_JSON:
            _check_open_json(message, text)
        return message

    def _refusal(self, text: str | bytes, error: Exception) -> RemoteProtocolError:
        detail = explain(str(error)) if isinstance(error, msgspec.ValidationError) else _NOT_JSON
        try:
            kind = _type_of.decode(text).type
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return RemoteProtocolError("bad_message", detail=detail)
        if kind not in self.types:
            return RemoteProtocolError("unknown_type", ref=kind[:64])
        return RemoteProtocolError("bad_message", ref=kind, detail=detail)


def asked_by(text: str | bytes) -> str:
    """The `request` or `session` of a control request that cannot be read otherwise, or an empty string."""
    try:
        asking = _asked_by.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return asking.request or asking.session or ""


def utf8_bytes(text: str | bytes) -> int:
    """Length of a message on the wire."""
    if isinstance(text, bytes) or text.isascii():
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))


def _check_open_json(message: Start | ToolResult, text: str | bytes) -> None:
    """Refuse open JSON that decodes here, but is too large or too deep for those who pass it on."""
    tag = message.__struct_config__.tag
    if isinstance(message, ToolResult) and utf8_bytes(text) > TOOL_RESULT_BYTES:
        raise RemoteProtocolError("too_large", ref=str(tag))
    level = [_OPEN_JSON[type(message)](message)]
    for _ in range(JSON_DEPTH + isinstance(message, Start)):  # the list of tools is our own level
        level = [child for value in level for child in _children(value) if type(child) in (dict, list)]
        if not level:
            return
    if any(isinstance(value, dict | list) for value in level):
        field = "tools.parameters" if isinstance(message, Start) else "data"
        detail = f"{field} must nest at most {JSON_DEPTH} levels"
        raise RemoteProtocolError("bad_message", ref=str(tag), detail=detail)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


control_requests = Codec(ControlRequest, CONTROL_MESSAGE_BYTES)
control_replies = Codec(ControlReply, CONTROL_MESSAGE_BYTES)
client_messages = Codec(ClientMessage, MEDIA_MESSAGE_BYTES)
server_messages = Codec(ServerMessage, MEDIA_MESSAGE_BYTES)


def encode(message: Any) -> str:
    """One JSON text message."""
    return _encoder.encode(message).decode()


class ServerCodec(Protocol):
    """Encodes what a server says, for one kind of media connection."""

    def encode(self, said: Outgoing) -> str | bytes:
        """One message as it is written. The same message gives the same bytes, however often."""
        ...


class JsonCodec:
    """JSON text messages and binary audio frames: version 1 over a WebSocket."""

    def encode(self, said: Outgoing) -> str | bytes:
        if isinstance(said, AudioFrame):
            return encode_audio(said.turn, said.seq, said.pcm)
        return encode(said)


json_codec = JsonCodec()


def control_error(
    code: str,
    *,
    ref: str = "",
    detail: str = "",
    retry_after_ms: int = 0,
    fatal: bool = True,
    sessions: Sequence[OpenSession] = (),
) -> ControlError:
    """The registry's error as a message of the control road. `detail` ends its sentence."""
    entry, opened = REGISTRY[code], list(sessions)
    return ControlError(code, entry.sentence(detail), entry.retryable, fatal, retry_after_ms, ref, opened)


def media_error(
    code: str, *, ref: str = "", detail: str = "", retry_after_ms: int = 0, fatal: bool = False
) -> Error:
    """The registry's error as a message of the media road. `detail` ends its sentence."""
    entry = REGISTRY[code]
    return Error(code, entry.sentence(detail), entry.retryable, fatal, retry_after_ms, ref)


def common_version(theirs: list[int], ours: tuple[int, ...]) -> int:
    """The newest version both speak. Raises RemoteProtocolError("protocol_mismatch")."""
    common = set(theirs) & set(ours)
    if not common:
        raise RemoteProtocolError("protocol_mismatch")
    return max(common)
