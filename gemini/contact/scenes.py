"""The scenes of a first contact: each is a conversation of its own, so that no finding hangs on another's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from gemini.contact.kit import STOP, TOOL, Kit, content, realtime, result
from gemini.contact.recording import Signal, Talk
from gemini.contact.refusals import REFUSALS
from gemini.contact.steps import (
    Close,
    Look,
    Open,
    Ping,
    Script,
    Send,
    Speak,
    Step,
    Until,
    answered,
    ended,
    has,
    never,
    sounds,
    sounds_after_cut,
    sounds_after_end,
)

ANSWER_S = 15.0  #: for an answer to begin and end
OK_S = 4.0  #: for what should not come
LATE_S = 1.5  #: for words that come after their turn
PIXEL = (  # a grey JPEG of 16 by 16
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
    "eXBkeFxlZ2P/wAALCAAQABABAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQR"
    "BRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4"
    "eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEB"
    "AAA/AEooor//2Q=="
)


def entry(kit: Kit) -> Script:
    """Nothing but the setup: is the model there at all? It is no part of the recording."""
    yield Open(kit.setup())


def speech(kit: Kit) -> Script:
    """Quiet, a spoken question, its answer, and the same again: what an ordinary call is made of.

    Once only where a reply is several turns, each with a bill: that tells as much and costs half.
    """
    yield Open(kit.setup())
    yield Until(never, 3.0)
    yield Ping(20.0)
    for _ in range(1 if kit.profile.splits_replies.value else 2):
        yield Speak("question")
        yield Until(answered, ANSWER_S)
        yield Until(never, 1.5)


def barge_in(kit: Kit) -> Script:
    """The user speaks over the answer."""
    yield Open(kit.setup())
    yield Speak("question")
    yield Until(sounds, ANSWER_S)
    yield Speak("interruption")
    yield Until(sounds_after_cut, ANSWER_S)
    yield Until(never, 1.0)


def typed_content(kit: Kit) -> Script:
    """Two typed questions by clientContent: some models take it before their first turn only."""
    yield from _typed(kit, content("Say the word pepper."), content("Say the word saddle."))


def typed_realtime(kit: Kit) -> Script:
    """Typed questions by realtimeInput: two, where that is the way."""
    more = [realtime("Say the word saddle.")] if kit.profile.text.value == "realtime" else []
    yield from _typed(kit, realtime("Say the word pepper."), *more)


def _typed(kit: Kit, *messages: dict[str, Any]) -> Script:
    yield Open(kit.setup())
    for message in messages[:-1]:
        yield Send(message)
        yield Until(answered, ANSWER_S)
    yield Send(messages[-1])
    yield Until(sounds, ANSWER_S)  # the rest would cost, and tell nothing


def context(kit: Kit) -> Script:
    """A fact without a turn, in the quiet: it must not be answered, and must be known later."""
    yield Open(kit.setup())
    yield Send(content("Remember this word: violin.", complete=False))
    yield Until(sounds, OK_S)
    yield Send(kit.say("Which word did I ask you to remember? Say only that word."))
    yield Until(answered, ANSWER_S)
    yield Until(never, LATE_S)


def context_in_answer(kit: Kit) -> Script:
    """A fact without a turn, while the agent speaks."""
    yield from _in_answer(kit, content("The user has opened another page.", complete=False))
    yield Until(never, OK_S)


def content_in_answer(kit: Kit) -> Script:
    """A typed question while the agent speaks."""
    yield from _in_answer(kit, content("Say the word glacier."))
    yield Until(sounds_after_end, ANSWER_S)


def stop(kit: Kit) -> Script:
    """The answer is stopped as the relay stops it for a client."""
    yield from _in_answer(kit, STOP)


def _in_answer(kit: Kit, message: dict[str, Any]) -> Script:
    yield Open(kit.setup())
    yield Speak("question")
    yield Until(sounds, ANSWER_S)
    yield Send(message)
    yield Until(ended, ANSWER_S)


def resumption(kit: Kit) -> Script:
    """A word is told; then a handle in the lock resumes, a masked one, and one with a spent token."""
    ask = "Which word did I ask you to remember? Say only that word."
    yield Open(kit.setup())
    yield Send(kit.say("Remember this word: lighthouse. Say only OK."))
    yield Until(answered, ANSWER_S)
    if (handle := (yield from _newest_handle())) is None:
        return
    yield Close()
    yield Open(kit.setup(), handle=handle)
    yield from _asked_again(kit, ask)
    yield Close()
    yield Open(kit.setup(), lock="masked", handle=handle)
    yield from _asked_again(kit, ask)
    yield Close()
    yield Open(kit.setup(), lock="masked", handle=handle, token="same")
    yield Until(never, 0.5)


def _asked_again(kit: Kit, ask: str) -> Script:
    yield Until(never, 1.0)
    yield Send(kit.say(ask))
    yield Until(answered, ANSWER_S)
    yield Until(never, LATE_S)


def _newest_handle() -> Generator[Step, Any, str | None]:
    """Wait for a handle that covers the answer."""
    yield Until(has_handle, OK_S)
    talk: Talk = yield Look()
    return talk.handle


def has_handle(came: list[Signal]) -> bool:
    """A handle came after the answer's end."""
    ends = [at for at, one in enumerate(came) if one.kind in ("turnComplete", "audio")]
    after = came[ends[-1] if ends else 0 :]
    return any(one.kind == "sessionResumptionUpdate" and one.value.get("newHandle") for one in after)


def beside(kit: Kit) -> Script:
    """A session is resumed while its old connection is open."""
    yield Open(kit.setup())
    if (handle := (yield from _newest_handle())) is not None:
        yield Open(kit.setup(), lock="masked", handle=handle)
        yield Until(never, 0.7)


def pause(kit: Kit) -> Script:
    """The microphone stops at the last word: the end of the stream, then nothing, then silence."""
    yield Open(kit.setup())
    yield Speak("question")
    yield Send({"realtimeInput": {"audioStreamEnd": True}})
    yield Until(sounds, 5.0, listens=False)
    yield Until(sounds, ANSWER_S)


def silence(kit: Kit) -> Script:
    """A setup that waits three seconds for the end of a turn.

    Asked again where the answer is late and should not be: a machine may be slow.
    """
    yield Open(kit.setup(silence_ms=3000))
    for _ in range(2):
        yield Speak("question")
        yield Until(sounds, ANSWER_S)
        talk: Talk = yield Look()
        if kit.profile.silence_honoured.value or (talk.delay_s or 0.0) < 3.0:
            return
        yield Until(answered, ANSWER_S)


def manual(kit: Kit) -> Script:
    """The client says when the user speaks, and sends nothing afterwards."""
    yield Open(kit.setup(manual=True))
    yield Send({"realtimeInput": {"activityStart": {}}})
    yield Speak("question")
    yield Send({"realtimeInput": {"activityEnd": {}}})
    yield Until(sounds, ANSWER_S, listens=False)


def tool(kit: Kit) -> Script:
    """A call that is answered, and one whose answer does not name its function.

    Where a reply is several turns, and dear, it is the answer to the same call once more.
    """
    waits = "WHEN_IDLE" if kit.profile.tools.value != "blocking" else None
    yield Open(kit.setup(tool=True))
    if (call := (yield from _called(kit, "Oslo"))) is None:
        return
    yield Send(result(call, "the word is glacier", scheduling=waits))
    yield Until(answered, ANSWER_S)
    yield Until(never, LATE_S)
    if not kit.profile.splits_replies.value and (call := (yield from _called(kit, "Rome"))) is None:
        return
    yield Send(result(call, "the word is harvest", named=False, scheduling=waits))
    yield Until(sounds, ANSWER_S)


def tool_silent(kit: Kit) -> Script:
    """A call whose result is not to be spoken of."""
    yield Open(kit.setup(tool=True))
    if (call := (yield from _called(kit, "Oslo"))) is not None:
        yield Send(result(call, "the word is button", scheduling="SILENT"))
        yield Until(sounds, OK_S)


def _called(kit: Kit, city: str) -> Generator[Step, Any, dict[str, Any] | None]:
    """Have the function called, and return the call; None: none came."""
    yield Send(kit.say(f'call {TOOL} {{"city": "{city}"}}'))
    came = yield Until(has("toolCall"), ANSWER_S)
    yield Until(never, 1.0)
    talk: Talk = yield Look()
    calls = [call for one in talk.all("toolCall") for call in one.value.get("functionCalls", [])]
    return calls[-1] if came and calls else None


def history(kit: Kit) -> Script:
    """Earlier turns before the first one, announced as such."""
    announced = {"historyConfig": {"initialHistoryInClientContent": True}}
    yield Open(first=kit.first(**announced))
    yield Send(content("Remember this word: pepper.", "OK."))
    yield Until(sounds, OK_S)
    yield Send(kit.say("Which word did I ask you to remember? Say only that word."))
    yield Until(answered, ANSWER_S)
    yield Until(never, LATE_S)


def image(kit: Kit) -> Script:
    """A picture, and a typed question, whose bill should hold it."""
    yield Open(kit.setup())
    yield Send({"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": PIXEL}}})
    yield Send(kit.say("Say OK."))
    yield Until(ended, ANSWER_S)


def context_update(kit: Kit) -> Script:
    """New instructions on an open connection."""
    yield Open(kit.setup())
    told = {"parts": [{"text": "Answer in one word."}]}
    yield Send({"contextUpdate": {"systemInstruction": told}})
    yield Until(never, 1.5)


#: scenes in which no turn is begun: they cost nothing
FREE = {*REFUSALS, "beside", "context_update"}

SCENES: Mapping[str, Callable[[Kit], Script]] = {
    scene.__name__: scene
    for scene in (
        *(resumption, tool, speech, history, barge_in, content_in_answer, context_in_answer, stop, pause),
        *(
            typed_content,
            typed_realtime,
            context,
            silence,
            manual,
            tool_silent,
            image,
            context_update,
            beside,
        ),
    )
} | REFUSALS
