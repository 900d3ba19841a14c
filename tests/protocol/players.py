"""Play the vectors of protocol/vectors against this package. vectors/README.md describes their format."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from protocol import adpcm, codec
from protocol.audio import AudioFrame, decode_audio, decode_uplink, encode_audio
from protocol.client import ClientSession
from protocol.credentials import credential, offer, offered
from protocol.errors import LocalProtocolError, ProtocolError
from protocol.media import Event, Live, NumberedMessage, PastTurn
from protocol.pace import TokenBucket
from protocol.server import ServerSession
from protocol.states import advance
from protocol.uplink_delay import UplinkDelay
from protocol.uplink_form import UplinkForm
from vivavoce.errors import VoiceError
from vivavoce.reconnect import MediaClose, Reconnect, move_within_s
from vivavoce.reconnect import Step as NextStep

VECTORS = Path(codec.__file__).parent / "vectors"
CODECS = {
    "control_request": codec.control_requests,
    "control_reply": codec.control_replies,
    "client_message": codec.client_messages,
    "server_message": codec.server_messages,
}
Step = dict[str, Any]
Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    vectors = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    assert set(vectors) == {"description", "cases"}
    return list(vectors["cases"])


def expanded(value: Any) -> str:
    """A text or hex string, which may be given as parts to repeat."""
    if isinstance(value, dict):
        return "".join(part * times for part, times in value["repeat"])
    assert isinstance(value, str)
    return value


def octets(value: Any) -> bytes:
    return bytes.fromhex(expanded(value))


def as_text(value: Any) -> str:
    """A message as text: given as such, or as the object to encode."""
    if isinstance(value, dict) and "repeat" not in value:
        return json.dumps(value, ensure_ascii=False)
    return expanded(value)


def fields(message: Any) -> dict[str, Any]:
    """The message as JSON, with every default filled in."""
    filled = {name: getattr(message, name) for name in message.__struct_fields__}
    plain = {name: _plain(value) for name, value in filled.items()}
    return {"type": message.__struct_config__.tag, **plain}


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return msgspec.to_builtins(value)


def assert_within(expected: Any, actual: Any) -> None:
    """Every field that is listed has that value; objects may have more."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            assert name in actual, f"{name} is missing in {actual}"
            assert_within(value, actual[name])
    elif isinstance(expected, list) and isinstance(actual, list):
        assert len(expected) == len(actual), f"{expected} is not {actual}"
        for one, other in zip(expected, actual, strict=True):
            assert_within(one, other)
    else:
        assert expected == actual


def assert_refused(case: Case, act: Callable[[], object]) -> None:
    try:
        act()
    except ProtocolError as error:
        assert (error.code, error.ref) == (case["error"], case.get("ref", ""))
    else:
        raise AssertionError(f"not refused, {case['error']} was due")


# ---- vectors of one act


def play_codec(case: Case) -> None:
    text, decode = as_text(case["text"]), CODECS[case["direction"]].decode
    if "error" in case:
        return assert_refused(case, lambda: decode(text))
    message = fields(decode(text))
    assert_within(case["decoded"], message)
    assert_within(case.get("defaults", {}), message)
    again = fields(decode(codec.encode(decode(text))))
    assert again == message
    return None


def play_audio(case: Case) -> None:
    data, decode = octets(case["hex"]), {"up": decode_uplink, "down": decode_audio}[case["direction"]]
    if "error" in case:
        return assert_refused(case, lambda: decode(data))
    frame = decode(data)
    assert frame == AudioFrame(case["turn"], case["seq"], octets(case["pcm"]))
    if case["canonical"]:
        assert encode_audio(*frame) == data
    return None


def play_adpcm(case: Case) -> None:
    encoder = adpcm.Encoder()
    for one in case["blocks"]:
        assert set(one) <= {"pcm", "block", "heard", "error"}
        block = octets(one["block"])
        if "pcm" in one:
            assert encoder.block(octets(one["pcm"])) == block
        if "error" in one:
            assert_refused(one, partial(adpcm.decode, block))
        else:
            assert adpcm.decode(block) == octets(one["heard"])


def play_credentials(case: Case) -> None:
    def read() -> str:
        return credential(case["kind"], offered(case["header"]), case["authorization"])

    def make() -> list[str]:
        return offer(case["kind"], expanded(case["secret"]), case.get("besides", ()))

    act: Callable[[], object] = {"read": read, "offer": make}[case["do"]]
    if "error" in case:
        return assert_refused(case, act)
    if case["do"] == "read":
        assert act() == case["secret"]
    else:
        assert act() == [expanded(entry) for entry in case["offer"]]
    return None


def play_states(case: Case, tables: dict[str, Any]) -> None:
    table = tables[case["table"]]
    state = next(state for state in table if state.value == case["state"])
    try:
        after = advance(table, state, case["event"]).value
    except LocalProtocolError:
        after = None
    assert after == case["next"]


def play_pace(case: Case) -> None:
    bucket = TokenBucket(case["rate_per_s"], case["burst"], 0.0)
    for step in case["steps"]:
        assert set(step) <= {"at", "amount", "gives", "wait_s"}
        if "wait_s" in step:
            assert bucket.wait_s(step["at"], step["amount"]) == step["wait_s"]
        assert bucket.take(step["at"], step["amount"]) == step["gives"]


def play_uplink_delay(case: Case) -> None:
    delay = UplinkDelay()
    for step in case["steps"]:
        now = step["at"]
        match step["do"]:
            case "connected":
                delay.connected()
            case "frame":
                assert delay.frame(step["length_s"], now) == step["ping"]
            case "pong":
                delay.answered(step["sent_at"], step["server_s"], now)
            case other:
                assert other == "look"
        found = {"delay_s": delay.delay_s, "full": delay.is_full}
        assert set(step) <= {"do", "at", "length_s", "ping", "sent_at", "server_s", *found}
        assert {**step, **found} == {**found, **step}


def play_uplink_form(case: Case) -> None:
    form = UplinkForm()
    for step in case["steps"]:
        now = step["at"]
        if step["do"] == "dropped":
            form.dropped(now, is_possible=step.get("possible", True))
        elif step["do"] == "held":
            form.held(now)
        else:
            assert step["do"] == "look"
        found = {"adpcm": form.is_adpcm(now), "narrow": form.is_narrow(now)}
        assert set(step) <= {"do", "at", "possible", *found}
        assert {**step, **found} == {**found, **step}


# ---- scripts


class ClientPlayer:
    """Plays the steps of client_session.json."""

    CHECKS = ("state", "after", "last_turn", "counters")

    def __init__(self, case: Case) -> None:
        self.session = ClientSession()
        self.steps = case["steps"]

    def play(self) -> None:
        for step in self.steps:
            _perform(self, step, self.CHECKS)
            self._check(step)

    def do_connect(self, *, sends: Step) -> None:
        assert_within(sends, fields(codec.client_messages.decode(self.session.hello())))

    def do_text(self, *, text: Any, gives: list[Step]) -> None:
        assert_within(gives, [fields(item) for item in self.session.receive(as_text(text))])

    def do_audio(self, *, hex: Any, gives: list[Step]) -> None:
        frames = self.session.receive(octets(hex))
        expected = [AudioFrame(one["turn"], one["seq"], octets(one["pcm"])) for one in gives]
        assert frames == expected

    def do_speak(self, *, pcm: Any, at: float, sends: Any, times: int = 1) -> None:
        frames = [self.session.audio(octets(pcm)) for _ in range(times)]
        assert frames[-1] == octets(sends)

    def do_say(self, *, message: Step, sends: Step) -> None:
        said = self.session.say(msgspec.convert(message, NumberedMessage))
        assert_within(sends, fields(codec.client_messages.decode(said)))

    def do_resend(self, *, at: float, sends: list[Any]) -> None:
        again = self.session.resend()
        assert len(again) == len(sends), again
        for expected, sent in zip(sends, again, strict=True):
            if isinstance(sent, bytes):
                assert sent == octets(expected)
            else:
                assert_within(expected, fields(codec.client_messages.decode(sent)))

    def do_interrupt(self, *, turn: int) -> None:
        self.session.interrupt(turn)

    def do_lost(self) -> None:
        self.session.lost()

    def _check(self, step: Step) -> None:
        if "state" in step:
            assert self.session.state.value == step["state"]
        if "after" in step:
            assert list(self.session.after) == step["after"]
        if "last_turn" in step:
            assert self.session.last_turn == step["last_turn"]
        for name, value in step.get("counters", {}).items():
            assert getattr(self.session.counters, name) == value, name


class ServerPlayer:
    """Plays the steps of server_session.json."""

    CHECKS = ("state", "times")

    def __init__(self, case: Case) -> None:
        past = msgspec.convert(case.get("past", []), list[PastTurn])
        self.session = ServerSession(case["epoch"], 0.0, past, case.get("message_n", 0))
        self.steps = case["steps"]

    def play(self) -> None:
        for step in self.steps:
            for _ in range(step.get("times", 1)):
                _perform(self, step, self.CHECKS)
            if "state" in step:
                assert self.session.state.value == step["state"]

    def do_attach(self, *, at: float) -> None:
        self.session.attached(at)

    def do_text(self, *, at: float, text: Any, gives: Step | None) -> None:
        message = self.session.receive_text(as_text(text), at)
        assert_within(gives, None if message is None else fields(message))

    def do_audio(self, *, at: float, hex: Any, gives: Step | None) -> None:
        frames = self.session.receive_audio(octets(hex), at)
        assert [frame.seq for frame in frames] == ([gives["seq"]] if gives else [])

    def do_live(self, *, live: Step) -> None:
        self.session.go_live(msgspec.convert({"type": "live", "version": 0, **live}, Live))

    def do_send(self, *, event: Step) -> None:
        self.session.send(msgspec.convert(event, Event))

    def do_speak(self, *, turn: int, pcm: Any, gives: bool) -> None:
        assert self.session.send_audio(turn, octets(pcm)) is gives

    def do_interrupt(self, *, turn: int) -> None:
        self.session.interrupt(turn)

    def do_played(self, *, turn: int) -> None:
        self.session.journal.played(turn)

    def do_settled_audio(self, *, seq: int) -> None:
        self.session.settled_audio(seq)

    def do_settled(self, *, message_n: int) -> None:
        self.session.settled(message_n)

    def do_timeout(self, *, at: float) -> None:
        self.session.handle_timeout(at)

    def do_lost(self) -> None:
        self.session.client_lost()

    def do_end(self, *, event: Step | None, code: str | None) -> None:
        self.session.end(event and msgspec.convert(event, Event), code=code)

    def do_write(
        self, *, sends: list[Step], close: int | None, count: int | None = None, repeated: int = 1
    ) -> None:
        written: list[str | bytes] = []
        while (count is None or len(written) < count) and (said := self.session.data_to_send()) is not None:
            written.append(codec.json_codec.encode(said))
        assert len(written) == len(sends) * repeated, written
        for expected, data in zip(sends * repeated, written, strict=True):
            if isinstance(data, bytes):
                assert data == octets(expected["hex"])
            else:
                assert_within(expected, fields(codec.server_messages.decode(data)))
        assert self.session.close_code == close


def _perform(player: object, step: Step, checks: tuple[str, ...]) -> None:
    """Call the player's method for the step. An unknown step, or an unknown field of one, is an error."""
    arguments = {name: value for name, value in step.items() if name not in ("do", *checks)}
    getattr(player, f"do_{step['do']}")(**arguments)


class ReconnectPlayer:
    """Plays the steps of reconnect.json against the Python client's policy."""

    def __init__(self, case: Case) -> None:
        self.policy = Reconnect()
        self.steps = case["steps"]

    def play(self) -> None:
        for step in self.steps:
            fields = {name: value for name, value in step.items() if name not in ("do", "gives")}
            given = getattr(self, f"on_{step['do']}")(**fields)
            assert _as_told(given) == step.get("gives"), step

    def on_start(self, at: float) -> NextStep:
        return self.policy.start(at)

    def on_restore(self, at: float) -> NextStep:
        return self.policy.restore(at)

    def on_starting(self) -> None:
        self.policy.is_admitted = True

    def on_ready(self, resume_ms: int) -> NextStep:
        return self.policy.ready(resume_ms / 1000)

    def on_failed(self, at: float, **error: Any) -> NextStep:
        return self.policy.failed(_failure(**error), at)

    def on_refused(self, at: float, status: int) -> NextStep:
        return self.policy.failed(VoiceError.refused(status), at)

    def on_unreachable(
        self, at: float, ticket_s: float, status: int | None, timeout: bool = False
    ) -> NextStep:
        failure = VoiceError.of("connect_timeout" if timeout else "connect_failed")
        return self.policy.closed(MediaClose(failure, status, ticket_s), at)

    def on_closed(
        self, at: float, live_s: float | None, close: int, ended: bool = False, error: Any = None
    ) -> NextStep:
        refusal = _failure(**error) if error else None
        return self.policy.closed(
            MediaClose(live_s=live_s, code=close or None, refusal=refusal, is_ended=ended), at
        )

    def on_going_away(self, ends_in_ms: int) -> dict[str, Any]:
        return {"do": "move", "within_ms": move_within_s(ends_in_ms) * 1000}

    def on_move(self, at: float) -> NextStep:
        return self.policy.move()


def _failure(code: str, retryable: bool, retry_after_ms: int = 0) -> VoiceError:
    return VoiceError(code, "", retryable, retry_after_ms)


def _as_told(given: NextStep | dict[str, Any] | None) -> dict[str, Any] | None:
    """A step as reconnect.json has it: without the fields that have their default."""
    if not isinstance(given, NextStep):
        return given
    wait_ms = [given.wait_s * 1000, (given.wait_s + given.jitter_s) * 1000]
    told = {
        "do": given.do,
        "code": given.error and given.error.code,
        "media_failed": given.media_failed,
        "refresh": given.refresh,
        "wait_ms": wait_ms if any(wait_ms) else None,
    }
    return {name: value for name, value in told.items() if value}
