"""Probes of what is taken and refused: tokens, setups, messages, resumption handles."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import Any

from gemini.contact.recording import Recording, Talk

EARLY_S = 2.0
OFTEN_S = 4.0


def outcome(recording: Recording, of: str) -> str | None:
    """`taken`, or `refused` by a close or an HTTP status."""
    talk = recording.talk(of)
    if talk.end is not None:
        return "refused" if talk.end[0] else None
    return "taken" if talk.is_set_up else None


def close_code(recording: Recording, of: str) -> int | None:
    """Close code, or HTTP status, of a refusal."""
    end = recording.talk(of).end
    return end[0] if end and end[0] else None


def reads_as(recording: Recording, of: str) -> str | None:
    """The registry's code for a refusal."""
    talk = recording.talk(of)
    return talk.refusal if talk.end and talk.end[0] else None


def status(recording: Recording, of: str) -> int | None:
    """HTTP status of a request for a token."""
    return next(
        (line.message["code"] or None for line in recording.talk(of).lines if line.way == "asked"), None
    )


def answer_fields(recording: Recording, of: str) -> list[str] | None:
    """Fields of the answer to a request for a token."""
    answer = _answer(recording, of)
    return sorted(answer) if answer else None


def token_prefix(recording: Recording, of: str) -> str | None:
    answer = _answer(recording, of)
    return str(answer["name"]).partition("/")[0] if answer and "name" in answer else None


def behaviours(recording: Recording) -> str | None:
    """Behaviours that a function's declaration may have."""
    took = [outcome(recording, f"{kind}_tool.1") for kind in ("blocking", "non_blocking")]
    if None in took:
        return None
    names = {
        ("taken", "taken"): "both",
        ("taken", "refused"): "blocking",
        ("refused", "taken"): "non_blocking",
    }
    return names.get((str(took[0]), str(took[1])), "unwritten")


def thinking(recording: Recording) -> str | None:
    """Whether a level of thought may be there: by what the profile has as wrong."""
    talk = recording.talk("thinking.1")
    first = next((line.message for line in talk.lines if line.way == "up"), {})
    took = outcome(recording, "thinking.1")
    if took is None or not first:
        return None
    had_level = "thinkingConfig" in first["setup"]["generationConfig"]
    return "optional" if took == "taken" else "refused" if had_level else "level"


def is_refused(recording: Recording, of: str) -> bool | None:
    took = outcome(recording, of)
    return None if took is None else took == "refused"


def is_taken(recording: Recording, of: str) -> bool | None:
    took = outcome(recording, of)
    return None if took is None else took == "taken"


def first_message(recording: Recording) -> str | None:
    """The first field that comes after a setup."""
    down = recording.talk("speech.1").down
    return down[0].kind if down else None


def has_session_id(recording: Recording) -> bool | None:
    ready = recording.talk("speech.1").first("setupComplete")
    return None if ready is None else bool(ready.value.get("sessionId"))


# ---- resumption


def early_handle(recording: Recording) -> bool | None:
    """The first handle comes soon after the setup, unasked."""
    talk = recording.talk("speech.1")
    ready = talk.first("setupComplete")
    if ready is None:
        return None
    return any(at_s - ready.at_s <= EARLY_S for at_s in _handles(talk))


def handles_come_often(recording: Recording) -> bool | None:
    """Handles come every second or so while it is quiet."""
    talk = recording.talk("speech.1")
    until_s = next(iter(talk.marks("speak.start")), 0.0)
    times = [at_s for at_s in _handles(talk) if at_s < until_s]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if not times or until_s - times[0] < OFTEN_S / 2:
        return None  # none at all, or no time to tell
    return bool(gaps) and statistics.median(gaps) <= OFTEN_S


def handle_in_answer(recording: Recording) -> bool | None:
    """A handle comes while an answer is generated."""
    talk = recording.talk("speech.1")
    voice, done = talk.first("audio"), talk.first("generationComplete")
    if voice is None or done is None:
        return None
    updates = talk.all("sessionResumptionUpdate", voice.at_s, done.at_s)
    return any(one.value.get("newHandle") for one in updates) if updates else None


def handle_after_turn(recording: Recording) -> bool | None:
    """A handle comes soon after a turn."""
    talk = recording.talk("speech.1")
    end = talk.turn_end
    if end is None or not _handles(talk):
        return None
    return any(0 <= at_s - end.at_s <= EARLY_S for at_s in _handles(talk))


def resumed(recording: Recording, of: str, word: str) -> str | None:
    """`remembered`, `forgotten`, or `refused`: what a resumption handle did."""
    talk = recording.talk(of)
    if not talk.is_set_up:
        return "refused" if talk.end and talk.end[0] else None
    asked = next(iter(talk.sent_at("clientContent") + talk.sent_at("text")), None)
    said = talk.said(asked or 0.0)
    if asked is None or not said:
        return None
    return "remembered" if word in said else "forgotten"


def speaks_unasked(recording: Recording, of: str) -> bool | None:
    """The agent speaks after a resumption, before anything was said."""
    talk = recording.talk(of)
    asked = next(iter(talk.sent_at("clientContent") + talk.sent_at("text")), None)
    return None if asked is None or not talk.is_set_up else talk.sound_s(0.0, asked) > 0


def _handles(talk: Talk) -> list[float]:
    """When handles came."""
    updates = talk.all("sessionResumptionUpdate")
    return [one.at_s for one in updates if isinstance(one.value, dict) and one.value.get("newHandle")]


def _answer(recording: Recording, of: str) -> dict[str, Any] | None:
    lines = [line for line in recording.talk(of).lines if line.way == "asked" and line.message["code"] == 200]
    return lines[0].message["answer"] if lines else None
