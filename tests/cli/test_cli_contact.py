"""`vivavoce doctor --google` against the simulator: nothing differs, its trace tells no secret."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.doctor.google import connection
from cli.doctor.google.contact import Budget
from cli.doctor.google.trace import write
from gemini.contact.bill import tokens
from gemini.contact.recording import Line, Recording
from gemini.contact.scenes import SCENES
from infra.cost.model import read_prices
from simulator import Config, Scenario, serve
from simulator.failures.catalogue import Failure, load
from simulator.faults import RefuseHandshake, RefuseSetup, RefuseToken
from tests.cli.conftest import Run
from tests.cli.contact import KEY, SPEEDS, differing, meet, real_time, simulated

_NO_ACTIVITY = {"connection.time_left", "speech.activity_pairs", "speech.activity_offset"}
#: model -> claims of which nothing is seen in the simulator
UNSEEN = {
    "gemini-3.8-live": _NO_ACTIVITY,
    "gemini-3.8-live-extended-thinking": _NO_ACTIVITY,
    "gemini-3.1-flash-live-preview": {
        *_NO_ACTIVITY,
        *("turn.idle", "tool.status", "text.interrupts", "text.in_answer", "context.quiet", "context.known"),
        "profile.client_content_interrupts",
    },
    "gemini-2.5-flash-native-audio-preview-12-2025": {"connection.time_left", "turn.idle", "tool.status"},
}


@real_time
@pytest.mark.parametrize("model", UNSEEN)
async def test_every_dialect_of_the_simulator_is_as_google_is_believed_to_be(
    tmp_path: Path, model: str
) -> None:
    recording, findings = await meet(set(), model=model)
    assert differing(findings) == set()
    unseen = {one.id for one in findings.verdicts if one.state == "not seen"}
    if findings.profile.splits_replies.value:
        unseen.discard("handle.in_answer")  # a handle may be due in a first part that short, or not
    assert unseen == UNSEEN[model]
    assert findings.tokens > 1_000
    assert findings.dollars < 0.05, "also where thoughts are billed, and one reply as several turns"
    assert findings.seconds < 180
    assert {name.partition(".")[0] for name in recording.names()} == set(SCENES)
    check_trace(tmp_path / "trace.jsonl", recording)


def check_trace(path: Path, recording: Recording) -> None:
    """It has every line, every field name, and nothing of what was said or secret."""
    write(path, recording)
    text = path.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == len(recording.lines)
    whole = json.dumps([line.message for line in recording.lines])
    for secret in (KEY, "auth_tokens/", "lighthouse", "glacier", "next train", "Oslo"):
        assert secret in whole or secret == KEY, "the recording has it"
        assert secret not in text
    handles = [
        one.value["newHandle"]
        for one in recording.talk("speech.1").all("sessionResumptionUpdate")
        if "newHandle" in one.value
    ]
    assert handles and not any(handle in text for handle in handles)
    assert {"inlineData", "outputTranscription", "usageMetadata", "newHandle"} <= fields(lines)
    audio = next(line for line in lines if line["way"] == "down" and "inlineData" in json.dumps(line))
    blob = audio["message"]["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
    assert blob["masked"] == "audio" and blob["length"] == 1920 and blob["loudness"] > 0


def fields(value: object) -> set[str]:
    """Every key of a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*map(fields, value.values()))
    return set().union(*map(fields, value)) if isinstance(value, list) else set()


def test_it_wants_a_key(vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    run = vivavoce("doctor", "--google")
    assert run.code == 2 and "--google needs a key of the Gemini API." in run.complaint


@pytest.mark.parametrize("flags", [("--url", "ws://127.0.0.1:1"), ("--token", "t"), ("--agent", "kiosk")])
def test_options_of_a_call_are_not_for_it(vivavoce: Callable[..., Run], flags: tuple[str, str]) -> None:
    run = vivavoce("doctor", "--google", *flags)
    assert run.code == 2 and f"{flags[0]} is not for --google." in run.complaint


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf"])
def test_its_clock_must_run(vivavoce: Callable[..., Run], speed: str) -> None:
    run = vivavoce("doctor", "--google", "--gemini-url", "http://127.0.0.1:9", "--speed", speed)
    assert run.code == 2 and "--speed is not a number above 0." in run.complaint


def test_a_stand_in_that_is_down_is_said_to_be_down(vivavoce: Callable[..., Run]) -> None:
    run = vivavoce("doctor", "--google", "--gemini-url", "http://127.0.0.1:9")
    assert (
        run.code == 1 and "Is it up and well? Leave --gemini-url out to meet Google's own." in run.complaint
    )


@pytest.mark.parametrize(
    "flags", [("--model", "m"), ("--trace", "t"), ("--gemini-url", "http://127.0.0.1:1")]
)
def test_its_options_are_for_it_alone(vivavoce: Callable[..., Run], flags: tuple[str, str]) -> None:
    run = vivavoce("doctor", *flags)
    assert run.code == 2 and f"{flags[0]} is for --google." in run.complaint


def refused(vivavoce: Callable[..., Run], scenario: Scenario, *flags: str) -> Run:
    """A contact that must not become one: no conversation is set up."""

    async def meet() -> Run:
        async with serve(Config(api_key=KEY, scenario=scenario)) as running:
            server = ("--google", "--gemini-url", running.url)
            run = await asyncio.to_thread(vivavoce, "doctor", *server, *flags)
            assert not running.ledger.where("session.opened")
            return run

    return asyncio.run(meet())


def test_a_wrong_key_is_one_line_and_nothing_is_played(
    vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-wrong")
    run = refused(vivavoce, Scenario())
    assert run.code == 1 and "refused the key in GEMINI_API_KEY" in run.complaint


def test_a_model_that_is_not_there_is_one_line_and_nothing_is_played(
    vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    run = refused(vivavoce, Scenario(), "--model", "gemini-9-live")
    assert run.code == 1 and not run.out
    assert "has no model gemini-9-live (1008 " in run.complaint
    assert "Give another one as --model." in run.complaint


SENTENCES = {
    "key_refused": "refuse",
    "upstream_credits": "has no credit left",
    "upstream_model": "has no model gemini-3.8-live",
    "upstream_overload": "is overloaded",
    "upstream_quota": "the quota of GEMINI_API_KEY is used up",
    "upstream_region": "from here",
    "mint_failed": "cannot be asked for a token",
}


def is_refused(failure: Failure) -> bool:
    """Before a conversation is set up, with a code of its own."""
    kinds = (RefuseToken, RefuseHandshake, RefuseSetup)
    return failure.told in SENTENCES and all(isinstance(fault, kinds) for fault in failure.scenario.faults)


@pytest.mark.parametrize("name", [name for name, each in load().items() if is_refused(each)])
def test_what_google_refuses_is_one_line_and_nothing_is_played(
    vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    failure = load()[name]
    run = refused(vivavoce, failure.scenario)
    assert run.code == 1 and not run.out
    assert SENTENCES[failure.told] in run.complaint


@real_time
def test_a_server_that_goes_away_is_no_finding_about_the_model(
    vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens ten connections, and then no other."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    opened: list[object] = []
    dial = connection.dial

    def fails_later(*given: object, **options: object) -> object:
        opened.append(given)
        if len(opened) > 10:
            raise ConnectionRefusedError
        return dial(*given, **options)

    async def met() -> Run:
        monkeypatch.setattr(connection, "dial", fails_later)
        async with simulated(time_scale=SPEEDS[0]) as running:
            flags = ("--google", "--gemini-url", running.url, "--speed", f"{SPEEDS[0]:g}")
            return await asyncio.to_thread(vivavoce, "doctor", *flags)

    run = asyncio.run(met())
    assert run.code == 1 and "times: what is not seen, or differs, may be the network's." in run.out
    assert "=Fact(" not in run.out, "no change of the profile is proposed"


def test_an_answer_that_was_hung_up_on_is_billed() -> None:
    recording = Recording()
    second = {"mimeType": "audio/pcm;rate=24000", "data": b64encode(bytes(48_000)).decode()}
    answer = {"serverContent": {"modelTurn": {"parts": [{"inlineData": second}]}}}
    counts = {"responseTokenCount": 40, "thoughtsTokenCount": 136}
    for name, messages in (("a.1", [answer, {"usageMetadata": counts}]), ("b.1", [answer])):
        for at_s, message in enumerate(messages):
            recording.add(Line(float(at_s), name, "down", message))
    counted = tokens(recording)
    assert counted["response", ""] == 40 and counted["response", "AUDIO"] == 25
    assert counted["thoughts", ""] == 2 * 136


def test_no_scene_begins_when_the_bill_is_high_enough() -> None:
    recording = Recording()
    budget = Budget(recording, read_prices()["gemini"])
    assert budget.allows("tool") and budget.dollars == 0
    thoughts = {"usageMetadata": {"thoughtsTokenCount": 10_000}}
    recording.add(Line(0.0, "tool.1", "down", thoughts))
    assert budget.dollars == pytest.approx(0.045)
    assert not budget.allows("speech") and budget.refused == ["speech"]
    assert budget.allows("unknown_model"), "it costs nothing"


@real_time
def test_a_table_for_people_and_an_object_for_machines(
    vivavoce: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    trace = tmp_path / "trace.jsonl"

    async def met() -> Run:
        async with simulated("settings: {voice_activity: sent}", time_scale=SPEEDS[0]) as running:
            flags = (
                "--google",
                "--gemini-url",
                running.url,
                "--speed",
                f"{SPEEDS[0]:g}",
                "--json",
                "--trace",
                str(trace),
            )
            return await asyncio.to_thread(vivavoce, "doctor", *flags)

    run = asyncio.run(met())
    assert run.code == 1 and not run.err and trace.stat().st_size > 10_000
    seen = {claim["id"]: claim for claim in run.json["claims"]}
    assert seen["profile.voice_activity"] == {
        "id": "profile.voice_activity",
        "claim": "Start and end of speech are told.",
        "source": "gemini-habits",
        "about": "profile.voice_activity",
        "state": "differs",
        "expected": False,
        "seen": True,
    }
    assert "voice_activity=Fact(True, " in run.json["patch"]
