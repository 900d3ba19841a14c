"""Short scenes: what Google should refuse, or is unsure to take. They cost nothing: no turn is begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gemini.contact.kit import OTHER_TOOL, Kit, content
from gemini.contact.steps import Ask, Open, Script, Send, Until, never

SETTLE_S = 0.7  #: for a refusal to come
_YEAR = "2099-01-01T00:00:00Z"


def _setup(**more: Any) -> Callable[[Kit], Script]:
    """A connection whose setup has `more`."""

    def scene(kit: Kit) -> Script:
        yield Open(first=kit.first(**more))
        yield Until(never, SETTLE_S)

    return scene


def _then(*messages: dict[str, Any]) -> Callable[[Kit], Script]:
    """An ordinary connection, and messages on it."""

    def scene(kit: Kit) -> Script:
        yield Open(first=kit.first())
        for message in messages:
            yield Send(message)
        yield Until(never, SETTLE_S)

    return scene


def _ask(step: Ask) -> Callable[[Kit], Script]:
    def scene(_: Kit) -> Script:
        yield step

    return scene


def _tools(*declared: dict[str, Any]) -> Callable[[Kit], Script]:
    return _setup(tools=[{"functionDeclarations": [{"name": OTHER_TOOL, **each} for each in declared]}])


def _thinking(kit: Kit) -> Script:
    """The setup that the profile says is wrong: with a level where none may be, without where one must be."""
    entries = kit.profile
    wrong: dict[str, Any] = {} if entries.thinking.value == "level" else {"thinkingLevel": "LOW"}
    if entries.thinking.value == "optional" and not entries.levels.value:
        wrong = {"thinkingBudget": 128}
    first = kit.first(generation={"thinkingConfig": wrong})
    if not wrong:
        del first["setup"]["generationConfig"]["thinkingConfig"]
    yield Open(first=first)
    yield Until(never, SETTLE_S)


def _unknown_model(_: Kit) -> Script:
    audio = {"responseModalities": ["AUDIO"]}
    yield Open(first={"setup": {"model": "models/no-such-model", "generationConfig": audio}})
    yield Until(never, SETTLE_S)


def _second_setup(kit: Kit) -> Script:
    yield from _then(kit.first())(kit)


def _not_setup_first(_: Kit) -> Script:
    yield Open(first=content("Hello."))
    yield Until(never, SETTLE_S)


def _locked_model(kit: Kit) -> Script:
    """The token locks everything, and the first message names another model."""
    yield Open(kit.setup(), first={"setup": {"model": "models/no-such-model"}})
    yield Until(never, SETTLE_S)


def _spent_token(kit: Kit) -> Script:
    yield Open(kit.setup())
    yield Open(kit.setup(), token="same")
    yield Until(never, SETTLE_S)


def _unknown_handle(kit: Kit) -> Script:
    yield Open(kit.setup(), lock="masked", handle="no-such-handle")
    yield Until(never, SETTLE_S)


def _with_token(token: Any, *, by_header: bool = False) -> Callable[[Kit], Script]:
    def scene(kit: Kit) -> Script:
        yield Open(kit.setup(), token=token, by_header=by_header)
        yield Until(never, SETTLE_S)

    return scene


def _snake(kit: Kit) -> Script:
    """The other spelling of protobuf's JSON."""
    first = kit.first(output_audio_transcription={})
    del first["setup"]["outputAudioTranscription"]
    yield Open(first=first)
    yield Until(never, SETTLE_S)


_OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}}

REFUSALS: dict[str, Callable[[Kit], Script]] = {
    "unknown_model": _unknown_model,
    "unknown_field": _setup(noSuchField={}),
    "text_modality": _setup(generation={"responseModalities": ["TEXT"]}),
    "not_setup_first": _not_setup_first,
    "second_setup": _second_setup,
    "two_fields": _then({"realtimeInput": {"text": "a"}, "contextUpdate": {}}),
    "unknown_message": _then({"noSuchMessage": {}}),
    "explicit_activity": _then({"realtimeInput": {"activityStart": {}}}),
    "thinking": _thinking,
    "affective_dialog": _setup(generation={"enableAffectiveDialog": True}),
    "proactive_off": _setup(proactivity={"proactiveAudio": False}),
    "transparent": _setup(sessionResumption={"transparent": True}),
    "blocking_tool": _tools({"parametersJsonSchema": _OBJECT, "behavior": "BLOCKING"}),
    "non_blocking_tool": _tools({"parametersJsonSchema": _OBJECT, "behavior": "NON_BLOCKING"}),
    "open_schema": _tools({"parameters": {**_OBJECT, "type": "OBJECT", "additionalProperties": False}}),
    "google_search": _setup(tools=[{"googleSearch": {}}]),
    "code_execution": _setup(tools=[{"codeExecution": {}}]),
    "url_context": _setup(tools=[{"urlContext": {}}]),
    "language_auto": _setup(inputAudioTranscription={"languageAuto": {}}),
    "snake_case": _snake,
    "locked_model": _locked_model,
    "spent_token": _spent_token,
    "unknown_handle": _unknown_handle,
    "wrong_token": _with_token("wrong"),
    "no_token": _with_token("none"),
    "header_token": _with_token("new", by_header=True),
    "open_token": _ask(Ask({"uses": 1})),
    "wrong_key": _ask(Ask({"uses": 1}, key="wrong")),
    "no_key": _ask(Ask({"uses": 1}, key="none")),
    "far_expiry": _ask(Ask({"uses": 1, "expireTime": _YEAR})),
    "nested_setup": _ask(Ask({"uses": 1, "bidiGenerateContentSetup": {"setup": {}}})),
    "constraints_name": _ask(Ask({"uses": 1, "liveConnectConstraints": {}})),
    "list_tokens": _ask(Ask({}, method="GET")),
}
