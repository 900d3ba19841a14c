"""The console page in Chromium, with a recording as microphone, against the whole local stack."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from records import sessions
from records.table import Table
from simulator.audio import tones
from tests.browser.conftest import LEAD_S, System
from tests.browser.drive import INTERRUPTION, QUESTION, WORDS, Sound, drive, listen, recording
from tests.browser.refusing import (
    late_ticket,
    nobody,
    plain_http,
    refusing,
    silence,
    without_worklets,
)
from tests.browser.truth import played_ms, share_heard
from tests.witness import WITNESS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(110)]

Seen = dict[str, Any]
REFUSALS = ("capacity", "quota_sessions", "protocol_mismatch", "auth_expired")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asked(system: System, question: str) -> Seen:
    """One whole call in which nothing went wrong: a click, a question, its answer."""
    return await listen("question", url=system.tapped, launch={"wav": question})


async def test_one_click_and_the_words_go_out_and_the_answer_is_heard(system: System, asked: Seen) -> None:
    sound = Sound.of(asked["sound"])
    answer = system.simulator.ledger.where("answer.begun")[-1]
    ((code, at_s),) = tones.find(sound.pcm, sound.rate)
    assert code == answer["code"]
    assert share_heard(sound, base64.b64decode(asked["arrived"]["pcm"]), at_s) > 0.8
    user, agent = asked["rows"]
    assert (user["role"], user["who"], user["heard"]) == ("user", "You", WORDS)
    assert (agent["role"], agent["who"], agent["unheard"]) == ("agent", "Assistant", "")
    assert agent["heard"] == answer["text"]


async def test_the_page_in_a_call_breaks_no_rule_of_accessibility_and_none_of_its_policy(asked: Seen) -> None:
    assert asked["axe"] == []
    assert asked["violations"] == []
    assert asked["errors"] == []


async def test_the_instruments_show_what_was_measured(asked: Seen) -> None:
    shown = asked["instruments"]
    (metrics,) = [each for each in asked["messages"] if each["type"] == "metrics"]
    assert int(shown["latency"].split()[0]) >= metrics["first_audio_ms"] > 0
    assert "model" in shown["parts"]
    assert int(shown["facts"]["tokens"].replace(",", "")) > 0
    assert shown["facts"]["time left"] != "–"
    assert {"start", "ready", "hello", "live", "turn.started", "transcript"} <= set(shown["log"])
    assert shown["log"].count("transcript") == 2, "a line for each who spoke, not for each word"
    rate, unit = shown["facts"]["up"].split()
    assert int(rate) > 0 and unit == "kbit/s" and "cost" not in shown["facts"]


async def test_the_answer_stops_when_the_visitor_speaks_over_it(system: System, tmp_path: Path) -> None:
    wav = recording(tmp_path / "over.wav", LEAD_S, QUESTION, 2.6, INTERRUPTION, 6.0)
    seen = await listen("barge_in", url=system.tapped, launch={"wav": wav})
    sound = Sound.of(seen["sound"])
    after_ms = 1000 * (sound.last_heard_s() - seen["interrupted"]["at"])
    assert after_ms < 50
    earliest, latest = played_ms(sound, base64.b64decode(seen["arrived"]["pcm"]))
    assert earliest - 20 <= seen["flushed"]["played_ms"] <= latest + 20
    (cut,) = [row for row in seen["rows"] if row["isCut"]]
    assert cut["heard"]
    assert cut["unheard"]
    assert seen["violations"] == []
    assert seen["errors"] == []


async def test_a_line_cut_three_ways_in_one_answer_leaves_no_trace_in_the_conversation(
    system: System, asked: Seen, question: str
) -> None:
    answers = len(system.simulator.ledger.where("answer.begun"))
    cut = await drive(
        "cuts", url=system.tapped, cuts=["Audio line", "Control line", "Both"], launch={"wav": question}
    )
    assert len(system.simulator.ledger.where("answer.begun")) == answers + 1
    assert cut["rows"] == asked["rows"]
    lives = [each for each in cut["messages"] if each["type"] == "live"]
    assert len(lives) == 3
    assert {each["e"] for each in lives} == {1}
    assert _kept(cut["messages"]) == list(range(1, len(_kept(asked["messages"])) + 1))
    assert cut["arrived"]["missing"] == 0
    arrived = base64.b64decode(cut["arrived"]["pcm"])
    assert tones.decode(arrived) == system.simulator.ledger.where("answer.begun")[-1]["code"]
    assert [told.splitlines()[0].split(",")[0] for told in cut["healed"]] == [
        "Audio line cut", "Control line cut", "Both lines cut"
    ]  # fmt: skip
    assert all("Events missing 0" in told for told in cut["healed"])
    assert cut["errors"] == []


def _kept(messages: list[dict[str, Any]]) -> list[int]:
    """The numbers of the events, each once, in the order of arrival."""
    return list(dict.fromkeys(each["n"] for each in messages if each.get("n")))


async def test_a_hidden_tab_goes_on_sending_the_microphone_at_its_pace(system: System, question: str) -> None:
    seen = await drive("hidden", url=system.page, launch={"wav": question})
    assert seen["visibility"] == "hidden"
    assert seen["state"] == "Connected"
    assert seen["frames"] / (seen["ms"] / 1000) == pytest.approx(50, abs=3)
    assert seen["p95"] < 100


async def test_a_page_that_is_reloaded_in_a_call_ends_its_session_and_never_locks_its_user_out(
    system: System, question: str
) -> None:
    times = 10  # a user may have three sessions
    seen = await drive("reloads", url=system.page, times=times, launch={"wav": question})
    assert seen["states"] == ["Connected"] * times
    assert len(set(seen["sessions"])) == times
    assert await _ended(system, seen["sessions"])
    assert seen["errors"] == []


async def _ended(system: System, ids: list[str], within_s: float = 5.0) -> bool:
    """Whether the record says of these sessions that they are over, in time: long before a sweep would."""
    table = Table(system.stack.client("dynamodb"), system.stack.table)
    states: set[str | None] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while states != {"ENDED"}:
                loaded = [await asyncio.to_thread(sessions.load, table, each) for each in ids]
                states = {each.state if each else None for each in loaded}
    return states == {"ENDED"}


async def test_a_call_needs_no_mouse(system: System, question: str) -> None:
    seen = await drive("keys", url=system.page, launch={"wav": question})
    assert seen["stops"][-1] == "Start talking"
    assert seen["idle"] == 0, "the microphone was heard before the key was pressed"
    assert seen["during"] > 10
    assert seen["mic"][-2:] == ["open", "paused"]
    assert (seen["events"], seen["again"]) == ("0", ""), "the second call was counted with the first"
    assert seen["focusInCall"] != "", "the focus fell out of the page when the call began"
    assert seen["errors"] == []


async def test_no_scene_of_the_page_breaks_a_rule_of_accessibility(system: System) -> None:
    seen = await drive("axe", url=system.page)
    assert seen["checked"] > 400
    assert seen["found"] == []


async def test_in_a_window_of_any_shape_every_control_is_reached_and_the_words_are_read(
    system: System,
) -> None:
    seen = await drive("layouts", url=system.page)
    assert seen["found"] == []


@pytest.mark.parametrize(
    ("code", "launch", "make"),
    [
        ("mic_denied", {"wav": "yes", "answer": "deny"}, silence),
        ("mic_not_found", {}, silence),
        ("worklet_blocked", {"wav": "yes"}, without_worklets),
        (
            "insecure_context",
            {"wav": "yes", "args": ["--host-resolver-rules=MAP vivavoce.test 127.0.0.1"]},
            plain_http,
        ),
    ],
)
async def test_a_microphone_that_cannot_be_had_is_told_with_what_to_do(
    system: System, question: str, code: str, launch: dict[str, Any], make: Callable[[], Any]
) -> None:
    wishes = launch | ({"wav": question} if launch.get("wav") else {})
    async with make() as url:
        told = await drive("trouble", urls={code: url}, launch=wishes)
    _may_be_acted_on(code, told[code])


async def test_a_microphone_that_nobody_hears_yet_is_not_said_to_be_on(system: System, question: str) -> None:
    async with silence() as url:
        seen = await drive("waiting", url=url, launch={"wav": question})
    assert seen == {
        "before": "mic off",
        "state": "Connecting",
        "during": "mic open, not heard yet",
        "after": "mic off",
    }


async def test_the_page_opens_the_control_road_before_the_click_and_nothing_else(
    system: System, question: str
) -> None:
    seen = await drive("prepared", url=system.page, launch={"wav": question})
    before, after = seen["before"], seen["after"]
    assert seen["word"] == "Ready"
    assert [(socket["road"], socket["saidAt"]) for socket in before["sockets"]] == [("control", 0)]
    assert (before["asked"], before["contexts"]) == (0, 0)  # no microphone, no sound
    assert [socket["road"] for socket in after["sockets"]] == ["control", "media"]
    control = after["sockets"][0]
    assert control["openedAt"] < after["clickedAt"] <= control["saidAt"]


async def test_a_server_that_refuses_is_told_with_what_to_do(system: System, question: str) -> None:
    async with AsyncExitStack() as parts:
        refused = {code: await parts.enter_async_context(refusing(code)) for code in REFUSALS}
        refused["ticket_expired"] = await parts.enter_async_context(late_ticket())
        refused["connect_failed"] = await parts.enter_async_context(nobody())
        told = await drive("trouble", urls=refused, launch={"wav": question})
    for code in refused:
        _may_be_acted_on(code, told[code])


async def test_a_link_signs_in_to_a_deployed_page_and_leaves_the_address(
    system: System, question: str
) -> None:
    token = system.stack.user("linked").token()
    late = jwt.encode({"sub": "late", "iat": 1, "exp": 2}, system.stack.secrets.jwt, algorithm="HS256")
    for each in (token, late):
        WITNESS.keeps(each, "a JWT")
    links = {
        "good": f"{system.deployed}/#token={token}",
        "late": f"{system.deployed}/#token={late}",
        "none": f"{system.deployed}/",
    }
    seen = await drive("link", links=links, launch={"wav": question})
    assert {name: each["code"] for name, each in seen.items()} == {
        "good": "", "late": "auth_expired", "none": "link_missing"
    }  # fmt: skip
    assert {each["address"] for each in seen.values()} == {f"{system.deployed}/"}
    assert "new link" in seen["late"]["advice"]
    assert seen["good"]["violations"] == []
    assert seen["good"]["errors"] == []


def _may_be_acted_on(code: str, told: dict[str, Any]) -> None:
    assert told["code"] == code
    assert told["title"].endswith(".") and told["advice"].endswith((".", ")."))
    assert told["state"] == "Not connected"
    assert told["canStart"]


@pytest.mark.parametrize(
    ("key", "state", "told", "relays"),
    [
        ("Gemini leaves", "unharmed", "Gemini goes away, no harm", 1),
        ("Kill the relay", "back", "Relay killed, back after", 2),  # last: it takes a while to be missed
    ],
)
async def test_a_part_of_the_server_broken_from_the_page_does_not_end_the_call(
    system: System, question: str, key: str, state: str, told: str, relays: int
) -> None:
    seen = await drive("breaks", url=system.page, key=key, state=state, launch={"wav": question})
    assert told in seen["healed"]
    assert "missing 0, received twice 0" in seen["healed"]
    assert ("Another relay" in seen["healed"]) is (relays == 2)
    assert len({each["e"] for each in seen["messages"] if each["type"] == "live"}) == relays
    assert [row["role"] for row in seen["rows"]] == ["user", "agent", "user", "agent"]
    assert not any(row["isCut"] for row in seen["rows"])
    assert seen["errors"] == [] or relays == 2  # Chromium logs the socket that fell
