"""A simulator that is altered in one thing, and the claims that the doctor must then name, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp.web import WebSocketResponse

from gemini.profiles import V3_8, Fact
from simulator.conversation import calls
from simulator.conversation.dispatch import MessageDispatch
from simulator.server.line import Line
from simulator.session.context import HandleBook, Memory, Snapshot
from simulator.session.models import Model
from simulator.session.tokens import TokenBook
from simulator.speech.turn_detection import DetectionSettings, TurnDetector
from simulator.wire import messages, refusal
from simulator.wire.refusal import Close, invalid
from tests.cli.contact import MODEL

Message = dict[str, Any]
Change = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Alteration:
    """One altered behaviour: by a scenario, by the model's habits, or by a change of the simulator itself."""

    claims: set[str]
    scenario: str = ""
    models: tuple[Model, ...] = ()
    config: tuple[tuple[str, Any], ...] = ()
    change: Change = lambda _: None


def scenario(text: str, *claims: str) -> Alteration:
    return Alteration(set(claims), scenario=text)


def habit(*claims: str, **entries: Any) -> Alteration:
    """The model has other entries in its profile."""
    facts = {name: Fact(value, "guessed", "a test") for name, value in entries.items()}
    profile = replace(V3_8, **facts)
    return Alteration(set(claims), models=(Model(MODEL, profile, is_strict=True, needs_role=True),))


def changed(change: Change, *claims: str) -> Alteration:
    return Alteration(set(claims), change=change)


# ---- what the server sends


def sends(alter: Callable[[Message], None], *claims: str) -> Alteration:
    """Every message but audio goes through `alter`; one that is empty then is not sent."""

    def change(patch: pytest.MonkeyPatch) -> None:
        emit = Line.emit

        def altered(line: Line, message: Message) -> None:
            alter(message)
            if message:
                emit(line, message)

        patch.setattr(Line, "emit", altered)

    return changed(change, *claims)


def sounds(alter: Callable[[bytes], bytes], *claims: str) -> Alteration:
    """Every message with audio goes through `alter`."""

    def change(patch: pytest.MonkeyPatch) -> None:
        emit = Line.emit_audio
        patch.setattr(Line, "emit_audio", lambda line, message: emit(line, alter(message)))

    return changed(change, *claims)


def _content(message: Message) -> Message:
    held: Message = message.get("serverContent", {})
    return held


def _no_session_id(message: Message) -> None:
    message.get("setupComplete", {}).pop("sessionId", None)


def _no_language(message: Message) -> None:
    _content(message).get("inputTranscription", {}).pop("languageCode", None)


def _finishes(message: Message) -> None:
    if heard := _content(message).get("inputTranscription"):
        heard["finished"] = True


def _finishes_said(message: Message) -> None:
    if said := _content(message).get("outputTranscription"):
        said["finished"] = True


def _handle_in_answer(message: Message) -> None:
    if message.get("sessionResumptionUpdate") == {"resumable": False}:
        message["sessionResumptionUpdate"] = {"resumable": True, "newHandle": "early"}


def _wrong_total(message: Message) -> None:
    if bill := message.get("usageMetadata"):
        bill["totalTokenCount"] += 7


def _billed_twice(patch: pytest.MonkeyPatch) -> None:
    emit = Line.emit

    def altered(line: Line, message: Message) -> None:
        emit(line, message)
        if "usageMetadata" in message:
            emit(line, {"usageMetadata": message["usageMetadata"]})

    patch.setattr(Line, "emit", altered)


def _no_modalities(message: Message) -> None:
    for side in ("prompt", "response"):
        message.get("usageMetadata", {}).pop(f"{side}TokensDetails", None)


def _all_attributed(message: Message) -> None:
    if bill := message.get("usageMetadata"):
        bill["promptTokensDetails"][0]["tokenCount"] += 25


def _no_arguments(message: Message) -> None:
    for call in message.get("toolCall", {}).get("functionCalls", []):
        call["args"] = {}


def _other_name(message: Message) -> None:
    for call in message.get("toolCall", {}).get("functionCalls", []):
        call["name"] = "default_api:doctor_probe"


def _interim(message: Message) -> None:
    if "voiceActivity" not in message and "setupComplete" in message:
        message["serverContent"] = {"interimInputTranscription": {"text": "could"}}


def _url_safe(message: bytes) -> bytes:
    return re.sub(
        rb'("data":")([^"]*)',
        lambda found: found[1] + found[2].translate(bytes.maketrans(b"+/", b"-_")),
        message,
    )


def _as_text(patch: pytest.MonkeyPatch) -> None:
    async def send(self: WebSocketResponse, data: bytes) -> None:
        await self.send_str(bytes(data).decode())

    patch.setattr(WebSocketResponse, "send_bytes", send)


# ---- what the server takes


def takes(alter: Callable[[MessageDispatch, Any], Any], *claims: str) -> Alteration:
    """Every client's message goes through `alter`; None is not taken."""

    def change(patch: pytest.MonkeyPatch) -> None:
        handle = MessageDispatch.handle

        def altered(dispatch: MessageDispatch, message: Any) -> None:
            if (taken := alter(dispatch, message)) is not None:
                handle(dispatch, taken)

        patch.setattr(MessageDispatch, "handle", altered)

    return changed(change, *claims)


def _no_typed(_: MessageDispatch, message: Any) -> Any:
    return None if isinstance(message, messages.TextSent) else message


def _no_stop(_: MessageDispatch, message: Any) -> Any:
    is_stop = isinstance(message, messages.ContentSent) and not message.turns and not message.turn_complete
    return None if is_stop else message


def _no_picture(_: MessageDispatch, message: Any) -> Any:
    return None if isinstance(message, messages.VideoSent) else message


def _any_activity(dispatch: MessageDispatch, message: Any) -> Any:
    is_wrong = (
        isinstance(message, messages.ActivityMarked) and not dispatch.conversation.setup.detection.disabled
    )
    return None if is_wrong else message


def _refuses_text(dispatch: MessageDispatch, message: Any) -> Any:
    if isinstance(message, messages.ContentSent) and dispatch.conversation.memory.turn:
        raise invalid()
    return message


def _answers_context(_: MessageDispatch, message: Any) -> Any:
    is_context = isinstance(message, messages.ContentSent) and not message.turn_complete
    return replace(message, turn_complete=True) if is_context else message


def _any_setup(_: MessageDispatch, message: Any) -> Any:
    return None if isinstance(message, messages.SetupSent) else message


def _results(**more: Any) -> Change:
    """Results of tools are read as if they had `more`."""

    def change(patch: pytest.MonkeyPatch) -> None:
        read = calls.read
        patch.setattr(
            calls, "read", lambda given, *rest, **kwargs: read({**more, **given, **more}, *rest, **kwargs)
        )

    return change


def _named_results(patch: pytest.MonkeyPatch) -> None:
    read = calls.read
    patch.setattr(calls, "read", lambda given, *rest, **kwargs: read({"name": "x", **given}, *rest, **kwargs))


# ---- tokens and handles


def _reusable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TokenBook, "spend", lambda book, token, *, resumes: None)


def _spent_for_all(patch: pytest.MonkeyPatch) -> None:
    spend = TokenBook.spend
    patch.setattr(TokenBook, "spend", lambda book, token, *, resumes: spend(book, token, resumes=False))


def _heeds_client(patch: pytest.MonkeyPatch) -> None:
    lock = TokenBook.lock

    def altered(book: TokenBook, token: Any, client: Message) -> Message:
        return {**lock(book, token, client), "model": client["model"]}

    patch.setattr(TokenBook, "lock", altered)


def _spent_code(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refusal, "TOKEN_SPENT", Close(1008, "Token has been used too many times"))


def _spent_words(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refusal, "TOKEN_SPENT", Close(1011, "Internal error encountered."))


def _any_handle(patch: pytest.MonkeyPatch) -> None:
    find = HandleBook.find

    def altered(book: HandleBook, handle: str) -> Snapshot | None:
        blank = Snapshot(Memory("new", MODEL), TurnDetector(DetectionSettings()), 0.0)
        return find(book, handle) or blank

    patch.setattr(HandleBook, "find", altered)


@contextmanager
def altered(alteration: Alteration) -> Iterator[None]:
    """The simulator, altered meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        alteration.change(patch)
        yield


_ALWAYS = "{absent: 1}"
ALTERATIONS = {
    "voice activity is sent": scenario("settings: {voice_activity: sent}", "profile.voice_activity"),
    "the stream's end is honoured": scenario("settings: {stream_end: honour}", "profile.flush"),
    "a longer silence has no effect": habit("profile.silence_honoured", silence_honoured=False),
    "context does not interrupt": habit(
        "profile.client_content_interrupts", "profile.interrupt", client_content_interrupts=False
    ),
    "an answer cannot be stopped": takes(_no_stop, "profile.interrupt"),
    "instructions cannot be changed": habit("profile.context_update", context_update=False),
    "no status at a turn's end": scenario(f"signals: {{interaction_status: {_ALWAYS}}}", "profile.status"),
    "tools may only block": habit("profile.tools", tools="blocking"),
    "thinking is optional": habit("profile.thinking", thinking="optional", levels=("low",)),
    "a result needs no name": changed(_named_results, "profile.response_name"),
    "clientContent is refused after the first turn": takes(
        _refuses_text, "profile.text", "profile.interrupt"
    ),
    "realtime text is ignored": takes(_no_typed, "text.realtime"),
    "context is answered": takes(_answers_context, "context.quiet"),
    "pictures are not billed": takes(_no_picture, "usage.picture"),
    "activity is taken under automatic detection": takes(_any_activity, "message.explicit_activity"),
    "a second setup is taken": takes(_any_setup, "setup.once"),
    "what was said is not transcribed": scenario(f"signals: {{input_transcript: {_ALWAYS}}}", "heard.words"),
    "it is transcribed after the turn": scenario(
        "signals: {input_transcript: {order: after}}", "heard.order"
    ),
    "it comes in pieces": scenario(
        "signals: {input_transcript: {order: before, fragment: 3}}", "heard.whole"
    ),
    "it has no language": sends(_no_language, "heard.language"),
    "it says that it is finished": sends(_finishes, "heard.finished"),
    "the answer's words say that they are finished": sends(_finishes_said, "said.finished"),
    "the answer is not transcribed": scenario(f"signals: {{output_transcript: {_ALWAYS}}}", "said.words"),
    "the answer's words come after its turn": scenario(
        "signals: {output_transcript: {order: after}}", "said.late"
    ),
    "a turn's end is not told": scenario(f"signals: {{turn_complete: {_ALWAYS}}}", "turn.completed"),
    "the end of generation is not told": scenario(
        f"signals: {{generation_complete: {_ALWAYS}}}", "turn.generation"
    ),
    "interruptions are not told": scenario(f"signals: {{interrupted: {_ALWAYS}}}", "interruption.told"),
    "no handle comes": scenario(f"signals: {{handle: {_ALWAYS}}}", "handle.early"),
    "handles are rare": scenario("settings: {handle_every_s: 30}", "handle.often"),
    "a handle comes in an answer": sends(_handle_in_answer, "handle.in_answer"),
    "a handle in a lock is ignored": scenario("settings: {locked_handle: ignore}", "handle.in_lock"),
    "a handle in a lock is refused": scenario("settings: {locked_handle: reject}", "handle.in_lock"),
    "an old connection must be closed first": scenario(
        "settings: {resume_needs_old_closed: true}", "handle.beside"
    ),
    "any handle resumes": changed(_any_handle, "handle.unknown"),
    "no bill comes": scenario(f"signals: {{usage: {_ALWAYS}}}", "usage.comes"),
    "a bill comes twice": changed(_billed_twice, "usage.once"),
    "a bill's total is another": sends(_wrong_total, "usage.total"),
    "a bill has no modalities": sends(_no_modalities, "usage.modalities"),
    "all tokens have a modality": sends(_all_attributed, "usage.unattributed"),
    "a token can be used again": changed(_reusable, "token.spent"),
    "a spent token does not resume": changed(_spent_for_all, "token.resumes_spent"),
    "a spent token is refused with another code": changed(_spent_code, "token.spent_code"),
    "a spent token is refused in other words": changed(_spent_words, "token.spent_reads"),
    "the client's setup is heeded under a lock": changed(_heeds_client, "token.lock"),
    "any key gets a token": Alteration({"token.wrong_key"}, config=(("api_key", None),)),
    "goAway does not say when": scenario(
        "faults: [{kind: go_away, at: {time_s: 2}, time_left_s: null, closes: false}]", "connection.time_left"
    ),
    "pings are not answered": scenario("faults: [{kind: slow_pong, delay_s: 90}]", "connection.pong"),
    "a message is new": scenario("faults: [{kind: unknown_message, at: {time_s: 1}}]", "message.known"),
    "JSON comes in text frames": changed(_as_text, "message.binary"),
    "the setup's answer names no session": sends(_no_session_id, "setup.session_id"),
    "audio says another rate": sounds(lambda message: message.replace(b"=24000", b"=16000"), "audio.mime"),
    "audio has the URL's alphabet": sounds(_url_safe, "audio.base64"),
    "messages end within a sample": scenario("settings: {chunk_cut: byte}", "audio.samples"),
    "audio comes as slowly as it plays": scenario("settings: {pace: 0.9}", "audio.pace"),
    "a call has no arguments": sends(_no_arguments, "tool.arguments"),
    "a call has another name": sends(_other_name, "tool.name"),
    "a silent result is spoken of": changed(_results(scheduling="WHEN_IDLE"), "tool.silent"),
    "a call comes twice": scenario("faults: [{kind: duplicate_tool_call, same_id: true}]", "tool.once"),
    "a call is part of a turn as well": scenario("faults: [{kind: call_in_parts, twice: true}]", "tool.part"),
    "words come while the user speaks": sends(_interim, "heard.interim"),
}
