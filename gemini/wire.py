"""Google's wire, both ways: JSON in, our events out; our commands in, JSON out. Pure."""

from __future__ import annotations

import json
import math
import re
from binascii import b2a_base64
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from gemini import tolerance
from gemini.messages import (
    AnswerTool,
    AtWork,
    Audio,
    Cited,
    Credential,
    Ending,
    FlushAudio,
    GenerationEnded,
    HandleChanged,
    Heard,
    Interrupted,
    LegEnding,
    MarkActivity,
    ModelCommand,
    ModelEvent,
    Note,
    Recall,
    Said,
    SayText,
    ShowImage,
    SpeechEnded,
    SpeechStarted,
    StopAnswer,
    TokensUsed,
    ToolRequested,
    ToolsWithdrawn,
    TurnCompleted,
    Unreadable,
    WaitsForInput,
)
from gemini.profiles import Profile, bare
from protocol.media import Tokens

METHOD = "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained"

SOURCES, TITLE_CHARS, HTML_CHARS = 20, 256, 16_384  #: of a citation: what a client is told at most
_PAGE = re.compile(r"https?://\S{1,2040}\Z")

#: put before what a model should know and not answer, where there is no other way to say so
NO_ANSWER = "(Background, not to be answered:)"

_AUDIO_HEAD = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
_AUDIO_TAIL = b'"}}}'

# ---- what the server sends; unknown fields are ignored

Count = Annotated[int, Meta(ge=0, le=2**53)]  #: of tokens; more than any number of JSON can count is none


class _Camel(msgspec.Struct, rename="camel"):
    """Google's JSON names."""


class _Blob(_Camel):
    data: bytes = b""


class _FunctionCall(_Camel):
    id: str = ""
    name: str = ""
    args: dict[str, Any] = {}


class _Part(_Camel):
    inline_data: _Blob | None = None
    function_call: _FunctionCall | None = None  #: here, in a message of its own, or in both
    thought: bool = False


class _Content(_Camel):
    parts: list[_Part] = []


class _Transcription(_Camel):
    text: str = ""
    finished: bool = False


class _Web(_Camel):
    uri: str = ""
    title: str = ""


class _GroundingChunk(_Camel):
    web: _Web | None = None


class _SearchEntryPoint(_Camel):
    rendered_content: str = ""


class _Grounding(_Camel):
    grounding_chunks: list[_GroundingChunk] = []
    search_entry_point: _SearchEntryPoint | None = None


class _ServerContent(_Camel):
    model_turn: _Content | None = None
    input_transcription: _Transcription | None = None
    output_transcription: _Transcription | None = None
    interrupted: bool = False
    generation_complete: bool = False
    turn_complete: bool = False
    turn_complete_reason: str = ""
    waiting_for_input: bool = False
    interaction_status: str = ""
    grounding_metadata: _Grounding | None = None


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
    token_count: Count = 0


class _UsageMetadata(_Camel):
    prompt_token_count: Count = 0
    response_token_count: Count = 0
    total_token_count: Count = 0
    thoughts_token_count: Count = 0
    tool_use_prompt_token_count: Count = 0
    cached_content_token_count: Count = 0
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


def _read(data: str | bytes) -> _ServerMessage | None:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return tolerance.read(data, _ServerMessage)  # slower, and loses no more than what cannot be read


def read_message(data: str | bytes) -> Iterator[ModelEvent]:
    """Our events in one server message, which may bundle many of theirs."""
    message = _read(data)
    if message is None:
        yield Unreadable(len(data))
        return
    if message.voice_activity is not None:
        yield SpeechStarted() if message.voice_activity.type == "ACTIVITY_START" else SpeechEnded()
    if (update := message.session_resumption_update) is not None:
        yield HandleChanged(update.new_handle) if update.resumable else AtWork()
    if message.tool_call is not None:
        for call in message.tool_call.function_calls:
            yield _requested(call)
    if message.tool_call_cancellation is not None:
        yield ToolsWithdrawn(tuple(message.tool_call_cancellation.ids))
    if message.go_away is not None:
        yield LegEnding(_seconds(message.go_away.time_left))
    if message.usage_metadata is not None:
        usage = message.usage_metadata
        yield TokensUsed(_tokens(usage), usage.prompt_token_count, usage.response_token_count)
    if message.server_content is not None:
        yield from _content_events(message.server_content)


def _requested(call: _FunctionCall) -> ToolRequested:
    return ToolRequested(call.id, call.name, call.args)


def _content_events(content: _ServerContent) -> Iterator[ModelEvent]:
    """In the order in which they must be acted upon when one message holds several."""
    if content.interrupted:
        yield Interrupted()
    heard, said = content.input_transcription, content.output_transcription
    if heard is not None and (heard.text or heard.finished):
        yield Heard(heard.text, heard.finished)
    if content.model_turn is not None:
        for part in content.model_turn.parts:
            if part.inline_data is not None and part.inline_data.data and not part.thought:
                yield Audio(part.inline_data.data)
            if part.function_call is not None and part.function_call.name:
                yield _requested(part.function_call)
    if said is not None and (said.text or said.finished):
        yield Said(said.text, said.finished)
    if content.grounding_metadata is not None and (cited := _cited(content.grounding_metadata)):
        yield cited
    if content.generation_complete:
        yield GenerationEnded()
    if content.waiting_for_input:
        yield WaitsForInput()
    if content.turn_complete:
        idle = content.interaction_status != "IN_PROGRESS"
        yield TurnCompleted(idle, _ending(content.turn_complete_reason))


def _cited(grounding: _Grounding) -> Cited | None:
    """What the metadata has of sources and of the search's own words; None for neither."""
    pages = [chunk.web for chunk in grounding.grounding_chunks if chunk.web is not None]
    sources = [(page.uri, page.title[:TITLE_CHARS]) for page in pages if _PAGE.match(page.uri)]
    html = grounding.search_entry_point.rendered_content if grounding.search_entry_point else ""
    kept = html if len(html) <= HTML_CHARS else ""  # half of it would be no HTML
    return Cited(tuple(sources[:SOURCES]), kept) if sources or kept else None


def _ending(reason: str) -> Ending:
    """What `turnCompleteReason` comes to: two dozen of its values say that a filter refused something."""
    if reason in ("", "TURN_COMPLETE_REASON_UNSPECIFIED"):
        return "usual"
    return _ENDINGS.get(reason, "rejected")


_ENDINGS: dict[str, Ending] = {"NEED_MORE_INPUT": "wants_more", "MALFORMED_FUNCTION_CALL": "malformed"}


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
        thoughts=usage.thoughts_token_count,
        tool_use=usage.tool_use_prompt_token_count,
        cached=usage.cached_content_token_count,
        total=usage.total_token_count,
    )


# ---- what we send


def write_audio(pcm: bytes) -> bytes:
    """One stretch of microphone audio: mono s16le, 16 kHz."""
    return _AUDIO_HEAD + b2a_base64(pcm, newline=False) + _AUDIO_TAIL


def write_command(command: ModelCommand, profile: Profile) -> str | None:
    """Everything but audio, as this family of models takes it; None for what it has no way of being told."""
    written = _command(command, profile)
    return json.dumps(written, separators=(",", ":")) if written is not None else None


def _command(command: ModelCommand, profile: Profile) -> dict[str, Any] | None:
    match command:
        case SayText(text, respond):
            return _text(text, respond, profile)
        case Note(text):
            return _text(text, False, profile)
        case ShowImage(mime, data):
            blob = {"mimeType": mime, "data": b2a_base64(data, newline=False).decode()}
            return {"realtimeInput": {"video": blob}}
        case MarkActivity(started):
            return {"realtimeInput": {"activityStart" if started else "activityEnd": {}}}
        case FlushAudio():
            return {"realtimeInput": {"audioStreamEnd": True}}
        case StopAnswer():  # any such message ends the answer; one that says nothing asks for no other
            stops = profile.interrupt.value == "client_content"
            return {"clientContent": {"turnComplete": False}} if stops else None
        case Recall(said):
            turns = [{"role": _ROLES[role], "parts": [{"text": text}]} for role, text in said]
            return {"clientContent": {"turns": turns, "turnComplete": profile.waits_for_history}}
        case AnswerTool(id, name, result, scheduling):
            response: dict[str, Any] = {"name": name, "response": result}
            if id:  # a call without one is Vertex's, whose answers go by name and have no scheduling
                response["id"] = id
                if profile.schedules_results:
                    response["scheduling"] = scheduling.upper()
            return {"toolResponse": {"functionResponses": [response]}}


def _text(text: str, respond: bool, profile: Profile) -> dict[str, Any]:
    """A model that takes `clientContent` before the first turn only closes the connection for a later one."""
    if profile.text.value == "realtime":
        return {"realtimeInput": {"text": text if respond else f"{NO_ANSWER} {text}"}}
    content = {"role": "user", "parts": [{"text": text}]}
    return {"clientContent": {"turns": [content], "turnComplete": respond}}


_ROLES = {"user": "user", "agent": "model"}


def address(base_url: str, credential: Credential) -> tuple[str, dict[str, str]]:
    """URL of a connection, and the headers of its handshake; http becomes ws, for a stand-in."""
    if credential.url:
        return credential.url, {"Authorization": f"Bearer {credential.token}"}
    base = base_url.replace("http", "ws", 1).rstrip("/")
    return f"{base}/ws/{METHOD}?access_token={quote(credential.token)}", {}


def first_message(credential: Credential, handle: str | None) -> str:
    """The setup. Under a full lock Google takes all of it from the token and ignores ours."""
    if credential.setup is not None:
        return json.dumps({"setup": credential.setup})
    setup: dict[str, Any] = {"model": f"models/{bare(credential.model)}"}
    if credential.lock == "masked":
        setup["sessionResumption"] = {"handle": handle} if handle else {}
    return json.dumps({"setup": setup})


def is_set_up(data: str | bytes) -> bool:
    """The server has taken the setup."""
    message = _read(data)
    return message is not None and message.setup_complete is not None
