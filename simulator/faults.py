"""Faults as data, shared by scenario files and the control road.

`at` is the trigger of a fault; without it, at once (control road) or at setup
(scenario). Times are virtual seconds after `setupComplete`; `turn` counts the
turns of the whole conversation, `connection` those of this simulator from 1.
"""

from typing import Any, Literal, get_args

import msgspec


class At(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Trigger of a fault. `connection` narrows every other condition."""

    time_s: float | None = None
    turn: int | None = None  #: when the answer of this turn begins to sound
    connection: int | None = None


class _Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    at: At = At()
    after_s: float = 0.0  #: later than `at` by this much


class GoAway(_Fault, frozen=True, tag="go_away"):
    """`goAway`, then the close when its time is up. `time_left_s: null` leaves the field out, as happens."""

    time_left_s: float | None = 50.0
    closes: bool = True
    code: int = 1000
    reason: str = "server reset"


class CloseNow(_Fault, frozen=True, tag="close"):
    code: int = 1011
    reason: str = "Internal error encountered."


class Freeze(_Fault, frozen=True, tag="freeze"):
    """Silence on an open socket. `audio`: only speech stops, transcripts go on; `hard`: pongs stop, too."""

    mode: Literal["all", "audio", "hard"] = "all"
    lasts_s: float | None = None  #: None: for good; what was due meanwhile is lost


class SlowPong(_Fault, frozen=True, tag="slow_pong"):
    """Every pong from now on is late; others measured 8 to 30 s."""

    delay_s: float = 20.0


class Abort(_Fault, frozen=True, tag="abort"):
    """The TCP connection is reset: no close frame."""


class SpuriousInterrupted(_Fault, frozen=True, tag="spurious_interrupted"):
    """The answer is interrupted without user speech."""


class UnknownMessage(_Fault, frozen=True, tag="unknown_message"):
    """A server message newer than any client; both SDKs' habits differ on it."""

    message: dict[str, Any] = msgspec.field(default_factory=lambda: {"brandNewMessage": {"is": "new"}})


class EmptyContent(_Fault, frozen=True, tag="empty_content"):
    """A `serverContent` with nothing in it; Google sends those."""


class Burst(_Fault, frozen=True, tag="burst"):
    """The next answer is sent all at once."""


class DuplicateToolCall(_Fault, frozen=True, tag="duplicate_tool_call"):
    """The next tool call comes twice: the same call under a second id, as others saw."""

    same_id: bool = False


class LostTranscriptionHead(_Fault, frozen=True, tag="lost_transcription_head"):
    """The next transcript misses its beginning."""

    side: Literal["input", "output", "both"] = "both"
    characters: int = 8


class TurnNeverEnds(_Fault, frozen=True, tag="turn_never_ends"):
    """`turnComplete` of the next answer never comes."""


class RefuseHandle(_Fault, frozen=True, tag="refuse_handle"):
    """The next resumption is refused though its handle is good."""

    code: int = 1008
    reason: str = "BidiGenerateContent session not found"


class SlowSetup(_Fault, frozen=True, tag="slow_setup"):
    """`setupComplete` is late."""

    delay_s: float = 5.0


class Stall(_Fault, frozen=True, tag="stall"):
    """Nothing comes for a while, and then all of it. `pongs`: but these, for it is the model that stalls."""

    lasts_s: float = 5.0
    pongs: bool = True


class Garbage(_Fault, frozen=True, tag="garbage"):
    """A message that is no JSON."""

    text: str = '{"serverContent":'


class EmptyTurn(_Fault, frozen=True, tag="empty_turn"):
    """The next answer is nothing that could be heard: its `turnComplete` alone, or behind a part of text."""

    reason: str = ""  #: `turnCompleteReason`, such as RESPONSE_REJECTED
    waits: bool = False  #: `waitingForInput`
    text: str = ""  #: a part of text before it, which nobody speaks


class QuietAudio(_Fault, frozen=True, tag="quiet_audio"):
    """The next answer has its words, and sound that nobody can hear."""


class CallWithoutId(_Fault, frozen=True, tag="call_without_id"):
    """The next tool call has no id."""


class CallInParts(_Fault, frozen=True, tag="call_in_parts"):
    """The next tool call stands among the parts of the model's turn, `twice`: and in a `toolCall` as well."""

    twice: bool = False


class ForgetContext(_Fault, frozen=True, tag="forget_context"):
    """The next resumption succeeds, and nothing is remembered."""


class RefuseSetup(_Fault, frozen=True, tag="refuse_setup"):
    """The setup is answered by a close."""

    code: int = 1007
    reason: str = "Request contains an invalid argument."


class _HttpRefusal(_Fault, frozen=True):
    """An API error in place of an answer. `reason` is the name among its details, if it has one."""

    status: int = 503
    name: str = "UNAVAILABLE"
    message: str = "The service is currently unavailable."
    reason: str = ""


class RefuseHandshake(_HttpRefusal, frozen=True, tag="refuse_handshake"):
    """The WebSocket is not opened. `at.connection` counts the tries; other triggers mean nothing here."""


class RefuseToken(_HttpRefusal, frozen=True, tag="refuse_token"):
    """No token is minted. `at.connection` counts the tries; other triggers mean nothing here."""


#: Act by themselves when triggered.
Acting = (
    GoAway
    | CloseNow
    | Freeze
    | Stall
    | SlowPong
    | Abort
    | SpuriousInterrupted
    | UnknownMessage
    | EmptyContent
    | Garbage
)
#: Armed when triggered; they act at the next occasion.
Armed = (
    Burst
    | DuplicateToolCall
    | CallWithoutId
    | CallInParts
    | LostTranscriptionHead
    | TurnNeverEnds
    | EmptyTurn
    | QuietAudio
    | RefuseHandle
    | ForgetContext
    | RefuseSetup
    | SlowSetup
)
#: Answers over HTTP, before there is a connection that could be told otherwise.
Http = RefuseHandshake | RefuseToken
Fault = Acting | Armed | Http

ARMED = get_args(Armed)
HTTP = get_args(Http)


def name(fault: Fault) -> str:
    return str(type(fault).__struct_config__.tag)


def read(given: Any) -> Fault:
    """A fault from JSON. Raises msgspec.ValidationError with a text for the author of the JSON."""
    return msgspec.convert(given, Fault)  # type: ignore[no-any-return]
