"""Probes of typed text, context, history and pictures: what each message means to the model."""

from __future__ import annotations

from gemini.contact.recording import Recording, Talk


def text(recording: Recording) -> str | None:
    """How typed text is taken, also after the first turn: by clientContent, else by realtimeInput."""
    if takes_text(recording, "typed_content.1") == "answered":
        return "client_content"
    return "realtime" if takes_text(recording, "typed_realtime.1") == "answered" else None


def takes_text(recording: Recording, of: str) -> str | None:
    """`answered` each time, `refused` by a close, or `ignored`."""
    talk = recording.talk(of)
    asked = _asked(talk)
    if not asked:
        return None
    if talk.end is not None:
        return "refused"
    until = [*asked[1:], 1e9]
    heard = [talk.sound_s(since_s, until_s) > 0 for since_s, until_s in zip(asked, until, strict=True)]
    return "answered" if all(heard) else "ignored"


def answers_context(recording: Recording) -> bool | None:
    """Context without a turn's end is answered."""
    talk = recording.talk("context.1")
    sent = _asked(talk)
    if len(sent) < 2 or talk.end is not None:
        return None
    return talk.sound_s(sent[0], sent[1]) > 0


def knows_context(recording: Recording) -> bool | None:
    """Context without a turn's end is known in the next turn."""
    return _knows(recording.talk("context.1"), "violin")


def waits_for_history(recording: Recording) -> bool | None:
    """Announced history is not answered."""
    talk = recording.talk("history.1")
    sent = _asked(talk)
    if len(sent) < 2:
        return None
    return talk.sound_s(sent[0], sent[1]) == 0


def knows_history(recording: Recording) -> bool | None:
    """Announced history is known in the first turn."""
    return _knows(recording.talk("history.1"), "pepper")


def interrupts(recording: Recording, of: str) -> bool | None:
    """A message cuts the answer that is under way, where speech does."""
    talk = recording.talk(of)
    if not recording.talk("barge_in.1").all("interrupted"):
        return None
    sent = talk.sent_at("clientContent")
    if not sent or talk.end is not None or talk.first("audio") is None:
        return None
    return talk.first("interrupted", sent[0]) is not None


def stops(recording: Recording) -> str | None:
    """What stops an answer, where speech does: a clientContent that says nothing."""
    talk = recording.talk("stop.1")
    sent = sorted(set(talk.sent_at("clientContent")) - set(talk.sent_at("turns")))
    if not sent or not recording.talk("barge_in.1").all("interrupted"):
        return None
    return "client_content" if talk.end is None and talk.first("interrupted", sent[0]) else "none"


def answered_after(recording: Recording) -> bool | None:
    """A typed question in an answer is answered, when that has ended."""
    talk = recording.talk("content_in_answer.1")
    sent = talk.sent_at("clientContent")
    end = talk.first("turnComplete", sent[0]) if sent else None
    return None if end is None or talk.end is not None else talk.sound_s(end.at_s) > 0


def takes_update(recording: Recording) -> bool | None:
    """Instructions can be changed on an open connection."""
    talk = recording.talk("context_update.1")
    return talk.end is None if talk.sent_at("contextUpdate") else None


def _knows(talk: Talk, word: str) -> bool | None:
    sent = _asked(talk)
    said = talk.said(sent[1]) if len(sent) > 1 else ""
    return word in said if said else None


def _asked(talk: Talk) -> list[float]:
    """When text was sent, by either road."""
    return sorted(talk.sent_at("turns") + talk.sent_at("text"))
