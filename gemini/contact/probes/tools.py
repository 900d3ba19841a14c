"""Probes of function calls."""

from __future__ import annotations

from typing import Any

from gemini.contact.kit import TOOL
from gemini.contact.recording import Recording, Talk


def is_called(recording: Recording) -> bool | None:
    """The function is called when the user wants it."""
    talk = recording.talk("tool.1")
    if _calls(talk):
        return True
    return False if talk.first("turnComplete") else None


def has_id(recording: Recording) -> bool | None:
    calls = _calls(recording.talk("tool.1"))
    return all(call.get("id") for call in calls) if calls else None


def has_name(recording: Recording) -> bool | None:
    calls = _calls(recording.talk("tool.1"))
    return all(call.get("name") == TOOL for call in calls) if calls else None


def has_arguments(recording: Recording) -> bool | None:
    """Arguments are those that were asked for."""
    calls = _calls(recording.talk("tool.1"))
    return calls[0].get("args") == {"city": "Oslo"} if calls else None


def is_part(recording: Recording) -> bool | None:
    """A call comes as part of a turn, too."""
    talk = recording.talk("tool.1")
    return bool(talk.all("call")) if _calls(talk) or talk.all("call") else None


def comes_once(recording: Recording) -> bool | None:
    """One wish makes one call."""
    talk = recording.talk("tool.1")
    answers = talk.sent_at("toolResponse")
    calls = (
        [call for one in talk.all("toolCall", 0.0, answers[0]) for call in _of(one.value)] if answers else []
    )
    return len(calls) == 1 if calls else None


def goes_on(recording: Recording) -> str | None:
    """The state while a call is open."""
    talk = recording.talk("tool.1")
    answers = talk.sent_at("toolResponse")
    told = talk.all("interactionStatus", 0.0, answers[0]) if answers else []
    return str(told[-1].value) if told else None


def is_spoken(recording: Recording) -> bool | None:
    """The agent speaks of a result."""
    talk = recording.talk("tool.1")
    answers = talk.sent_at("toolResponse")
    said = talk.said(answers[0]) if answers else ""
    return "glacier" in said if said else None


def needs_name(recording: Recording) -> bool | None:
    """A result that does not name its function is refused."""
    talk = recording.talk("tool.1")
    answers = talk.sent_at("toolResponse")
    if len(answers) < 2:
        return None
    return talk.end is not None


def speaks_of_silent(recording: Recording) -> bool | None:
    """The agent speaks of a result that is marked SILENT."""
    talk = recording.talk("tool_silent.1")
    answers = talk.sent_at("toolResponse")
    return talk.sound_s(answers[0]) > 0 if answers and talk.end is None else None


def _calls(talk: Talk) -> list[dict[str, Any]]:
    return [call for one in talk.all("toolCall") for call in _of(one.value)]


def _of(value: Any) -> list[dict[str, Any]]:
    return list(value.get("functionCalls", [])) if isinstance(value, dict) else []
