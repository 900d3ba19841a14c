"""`vivavoce doctor` where something is wrong: each step fails once and says what to change."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.doctor import conversation_check
from cli.doctor import steps as checkup
from cli.doctor import transport_checks as roads
from cli.doctor.before import examine as before
from cli.doctor.remedies import remedies
from cli.doctor.rotation import by_page
from protocol.codec import control_error, media_error
from protocol.control import Limits, Media, Ready
from protocol.errors import REGISTRY
from protocol.media import EndCall, Ended, Metrics, Text, Transcript, TurnEnded, TurnStarted
from protocol.server import ServerSession
from tests.cli.conftest import Run
from tests.client.fake_server import Door, FakeServer, Peer

ROOT = Path(__file__).resolve().parents[2]
Doctor = Callable[..., Awaitable[Run]]


@pytest.fixture
def doctor(vivavoce: Callable[..., Run], server: FakeServer) -> Doctor:
    """`await doctor(*arguments)` examines `server` from a thread with an event loop of its own."""

    async def examine(*arguments: object, url: str = "", token: str = "a.jwt") -> Run:
        words = ("doctor", "--url", url or server.url, "--token", token, *arguments)
        return await asyncio.to_thread(vivavoce, *words)

    return examine


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause for the sake of a pause."""
    monkeypatch.setattr(roads, "CLOSE_S", 0.5)
    monkeypatch.setattr(conversation_check, "SETTLE_S", 0.05)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that has made sure that nothing comes: what comes may take its time on a busy machine."""
    for name in ("REPLY_TIMEOUT_S", "PONG_S", "LIVE_TIMEOUT_S"):
        monkeypatch.setattr(roads, name, 0.5)
    for name in ("ANSWER_S", "ROTATION_S"):
        monkeypatch.setattr(conversation_check, name, 1.5)


def ready_at(
    url: str = "", lasts_s: float = 60, protocols: Sequence[str] = ()
) -> Callable[[Door], Awaitable[None]]:
    """A door that answers at once, with a ticket that is good for so long."""

    async def answer(door: Door) -> None:
        server = door.server
        media = Media(
            url or f"{server.origin}/r/0/x",
            server.next_ticket(),
            round((time.time() + lasts_s) * 1000),
            list(protocols),
        )
        await door.reply(Ready("s-1", server.next_key(), media, Limits(1_800_000, 5_000), 9))

    return answer


def refusing(code: str, **more: Any) -> Callable[[Door], Awaitable[None]]:
    async def refuse(door: Door) -> None:
        await door.reply(control_error(code, fatal=True, **more))

    return refuse


def failing(code: str) -> Callable[[Peer], Awaitable[None]]:
    """A relay that has nothing but bad news."""

    async def script(peer: Peer) -> None:
        await peer.until(lambda: peer.call.hello)
        peer.call.send(media_error(code, fatal=True))
        peer.call.end(Ended(code), code=code)
        await peer.flush()

    return script


def verdict(run: Run) -> tuple[str, str]:
    """(step, code) of what failed. What comes before it is well, what comes after it was not reached."""
    assert run.code == 1 and run.err == ""
    report = run.json
    states = [step["state"] for step in report["steps"]]
    at = states.index("failed")
    assert set(states[:at]) <= {"ok"} and set(states[at + 1 :]) <= {"not reached"}
    assert [step["name"] for step in report["steps"]] == list(checkup.STEPS)
    failed = report["steps"][at]
    assert failed["advice"] and failed["detail"] and not report["ok"]
    return failed["name"], failed["code"]


async def test_a_name_that_nobody_has(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def know_nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")  # no resolver is waited for

    monkeypatch.setattr(socket, "getaddrinfo", know_nobody)
    assert verdict(await doctor("--json", url="wss://nobody.invalid/v1")) == ("dns", "unknown_host")


async def test_a_port_where_nobody_listens(doctor: Doctor) -> None:
    assert verdict(await doctor("--json", url="ws://127.0.0.1:1/v1")) == ("connect", "unreachable")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, ("connect", "http_404")),
        (502, ("connect", "http_502")),
        (401, ("auth", "http_401")),
        (403, ("auth", "http_403")),
    ],
)
async def test_a_handshake_that_is_refused(
    doctor: Doctor, server: FakeServer, status: int, expected: tuple[str, str]
) -> None:
    server.refuse_status = status
    assert verdict(await doctor("--json")) == expected


async def test_a_token_that_no_handshake_can_hold(doctor: Doctor) -> None:
    assert verdict(await doctor("--json", token="a b")) == ("connect", "auth_invalid")


@pytest.mark.parametrize("code", ["auth_expired", "quota_sessions", "agent_unknown", "store_unavailable"])
async def test_a_start_that_is_refused(doctor: Doctor, server: FakeServer, code: str) -> None:
    server.doors = [refusing(code)]
    assert verdict(await doctor("--json")) == ("start", code)


@pytest.mark.usefixtures("impatient")
async def test_a_start_that_nobody_answers(doctor: Doctor, server: FakeServer) -> None:
    async def say_nothing(door: Door) -> None:
        await door.wire.wait_closed()

    server.doors = [say_nothing]
    assert verdict(await doctor("--json")) == ("start", "no_answer")


async def test_a_fleet_that_is_full(doctor: Doctor, server: FakeServer) -> None:
    async def be_full(door: Door) -> None:
        await door.starting("admitted", 1)
        await refusing("capacity")(door)

    server.doors = [be_full]
    assert verdict(await doctor("--json")) == ("cold start", "capacity")


async def test_a_relay_that_never_comes_and_the_session_is_ended(doctor: Doctor, server: FakeServer) -> None:
    heard: list[str] = []

    async def keep_waiting(door: Door) -> None:
        await door.starting("relay", 1)
        heard.append(str(await door.wire.recv()))

    server.doors = [keep_waiting]
    assert verdict(await doctor("--json", "--seconds", 0.3)) == ("cold start", "never_ready")
    assert '"type":"end"' in heard[0] and "s-1" in heard[0]


@pytest.mark.parametrize(
    ("door", "code"),
    [
        (ready_at(lasts_s=-5), "clock"),
        (ready_at("https://media.example/r/0/x"), "no_route"),
        (ready_at("wss://media.example/elsewhere"), "no_route"),
        (ready_at("ws://media.example/r/0/x"), "no_route"),
    ],
    ids=["old", "no socket", "no route", "not encrypted"],
)
async def test_a_ticket_that_is_good_for_nothing(
    doctor: Doctor, server: FakeServer, door: Any, code: str
) -> None:
    server.doors = [door]
    assert verdict(await doctor("--json")) == ("ticket", code)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, '{"error": "auth_invalid"}', "ticket_refused"),
        (403, "", "route_refused"),
        (403, '{"error": "origin_refused"}', "not_by_edge"),
        (403, '{"message": "Forbidden"}', "not_switched"),
        (200, "<html>", "not_switched"),
        (502, "", "no_relay"),
        (504, "", "no_relay"),
    ],
)
async def test_a_media_upgrade_that_is_refused(
    doctor: Doctor, server: FakeServer, status: int, body: str, code: str
) -> None:
    server.doors, server.refuse_media = [ready_at()], (status, body)
    assert verdict(await doctor("--json")) == ("edge", code)


@pytest.mark.parametrize(
    ("status", "code"), [(401, "ticket_refused"), (403, "vm_refused"), (502, "no_vm"), (200, "vm_refused")]
)
async def test_an_upgrade_that_a_microvm_s_proxy_refuses(
    doctor: Doctor, server: FakeServer, status: int, code: str
) -> None:
    proxy = ("lambda-microvms", "lambda-microvms.port.8080")
    server.doors, server.refuse_media = [ready_at(protocols=proxy)], (status, "")
    assert verdict(await doctor("--json")) == ("edge", code)


@pytest.mark.parametrize(
    ("status", "wanted"), [(401, "ticket"), (403, "ticket"), (502, "relay"), (404, "relay")]
)
async def test_a_refused_media_upgrade_says_what_it_makes_clients_do(
    doctor: Doctor, server: FakeServer, status: int, wanted: str
) -> None:
    server.doors, server.refuse_media = [ready_at()], (status, "")
    steps = (await doctor("--json")).json["steps"]
    (detail,) = [step["detail"] for step in steps if step["name"] == "edge"]
    assert detail.endswith(f"answered HTTP {status}; clients ask for another {wanted}")


async def test_a_media_host_that_is_not_there(doctor: Doctor, server: FakeServer) -> None:
    server.doors = [ready_at("ws://127.0.0.1:1/r/0/x")]
    assert verdict(await doctor("--json")) == ("edge", "unreachable")


@pytest.mark.usefixtures("impatient")
async def test_a_media_road_where_nothing_passes(doctor: Doctor, server: FakeServer) -> None:
    async def be_deaf(peer: Peer) -> None:
        peer.flush = lambda: asyncio.sleep(0)  # type: ignore[method-assign]
        await peer.wire.wait_closed()

    server.doors, server.peers = [ready_at()], [be_deaf]
    assert verdict(await doctor("--json")) == ("echo", "silent")


async def test_a_connection_that_is_told_off(doctor: Doctor, server: FakeServer) -> None:
    server.doors, server.peers = [ready_at()], [failing("ticket_used")]
    assert verdict(await doctor("--json")) == ("echo", "ticket_used")


async def test_a_credential_that_cannot_be_had(doctor: Doctor, server: FakeServer) -> None:
    server.doors, server.peers = [ready_at()], [failing("mint_failed")]
    assert verdict(await doctor("--json")) == ("mint", "mint_failed")


@pytest.mark.usefixtures("impatient")
async def test_neither_live_nor_a_reason(doctor: Doctor, server: FakeServer) -> None:
    async def dither(peer: Peer) -> None:
        await peer.wire.wait_closed()

    server.doors, server.peers = [ready_at()], [dither]
    assert verdict(await doctor("--json")) == ("mint", "no_live")


@pytest.mark.parametrize("code", ["upstream_auth", "upstream_invalid", "upstream_quota"])
async def test_a_model_that_refuses(doctor: Doctor, server: FakeServer, code: str) -> None:
    server.doors, server.peers = [ready_at()], [failing(code)]
    assert verdict(await doctor("--json")) == ("model", code)


# ---- the conversation, with a relay that plays the agent

Answer = Callable[[Peer, int, str], Awaitable[None]]


@dataclass
class Agent:
    """The relay of a conversation that gets as far as `live`. Turn 1 answers the speech."""

    answer: Answer
    rotates: bool = True
    _peer: Peer | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    async def play(self, peer: Peer) -> None:
        self._peer = peer
        await peer.live()
        await peer.heard_frames(30)
        await self.answer(peer, 1, "")
        for turn in itertools.count(2):
            said = await peer.until(lambda turn=turn: _said(peer, turn - 1))  # type: ignore[misc]
            if isinstance(said, EndCall):
                break
            await self.answer(peer, turn, said.text)
        await peer.send(Ended("client"))

    async def rotate(self, session: str) -> None:
        """The order, from the doctor's own thread."""
        assert session == "s-1" and self._peer is not None
        if self.rotates:
            told = self._peer.send(Metrics(2, leg_gap_ms=7))
            asyncio.run_coroutine_threadsafe(told, self._loop)


def _said(peer: Peer, number: int) -> Text | EndCall | None:
    """The text of that number, or the end of the call."""
    texts: list[Text] = [message for message in peer.said if isinstance(message, Text)]
    ends = [message for message in peer.said if isinstance(message, EndCall)]
    return texts[number - 1] if len(texts) >= number else ends[0] if ends else None


async def say(peer: Peer, turn: int, words: str, *, sound: bytes = bytes(4_800)) -> None:
    """A whole turn of the agent, by default with a tenth of a second of sound."""
    await peer.send(TurnStarted(turn, "agent"))
    if sound:
        await peer.audio(turn, sound)
    await peer.send(Transcript(f"m{turn}", turn, "agent", words, True), TurnEnded(turn, "agent"))


async def parrot(peer: Peer, turn: int, text: str) -> None:
    """Remembers nothing: it says what it was just told."""
    await say(peer, turn, text)


def keeper() -> Answer:
    """Remembers everything: it says all that it was ever told."""
    told: list[str] = []

    async def answer(peer: Peer, turn: int, text: str) -> None:
        told.append(text)
        await say(peer, turn, " ".join(told))

    return answer


@pytest.fixture
def meet(
    doctor: Doctor, server: FakeServer, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Run]]:
    """`await meet(agent, *arguments)`: all is well up to the conversation, which that agent holds."""
    monkeypatch.setattr("cli.commands.talk.sample", lambda: speech)

    async def examine(agent: Agent, *arguments: object, may_order: bool = True) -> Run:
        server.doors = [ready_at(), ready_at()]
        server.peers = [probed, agent.play]
        if may_order:
            monkeypatch.setattr("cli.commands.doctor.rotation_of", lambda access, deployment: agent.rotate)
        return await doctor(*arguments)

    async def probed(peer: Peer) -> None:
        await peer.live()
        await peer.end()
        server.call = ServerSession(1, asyncio.get_running_loop().time())

    return examine


async def test_an_agent_that_remembers_is_well(meet: Any) -> None:
    run = await meet(Agent(keeper()), "--json")
    assert run.code == 0 and run.json["ok"]
    assert {step["state"] for step in run.json["steps"]} == {"ok"}
    assert run.json["steps"][-1]["ms"] == 7


@pytest.mark.usefixtures("impatient")
async def test_a_mute_agent(meet: Any) -> None:
    async def be_mute(peer: Peer, turn: int, text: str) -> None:
        await peer.wire.wait_closed()

    assert verdict(await meet(Agent(be_mute), "--json")) == ("turn", "mute")


async def test_an_agent_without_a_voice(meet: Any) -> None:
    async def whisper(peer: Peer, turn: int, text: str) -> None:
        await say(peer, turn, "so be it", sound=b"")

    assert verdict(await meet(Agent(whisper), "--json")) == ("turn", "no_audio")


async def test_an_agent_that_forgets(meet: Any) -> None:
    assert verdict(await meet(Agent(parrot), "--json")) == ("rotation", "forgotten")


@pytest.mark.usefixtures("impatient")
async def test_a_relay_that_obeys_no_order(meet: Any) -> None:
    assert verdict(await meet(Agent(keeper(), rotates=False), "--json")) == ("rotation", "not_rotated")


async def test_an_order_that_cannot_be_left(meet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cli.commands.doctor.rotation_of", lambda access, deployment: by_page("http://127.0.0.1:1")
    )
    run = await meet(Agent(keeper()), "--json", may_order=False)
    assert verdict(run) == ("rotation", "no_order")


async def test_who_may_order_nothing_leaves_the_rotation_out_and_is_told_why(meet: Any) -> None:
    run = await meet(Agent(keeper()), may_order=False)
    assert run.code == 0 and "needs --stack" in " ".join(run.out.split())
    assert run.out.splitlines()[-1] == "all is well; 1 left out"


# ---- what is printed


async def test_the_report_reads_well_in_80_columns(doctor: Doctor, server: FakeServer) -> None:
    server.doors, server.refuse_media = [ready_at()], (502, "")
    run = await doctor()
    lines = run.out.splitlines()
    assert run.code == 1 and max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.startswith("edge  ")] == ["edge"]
    assert any(
        re.match(
            r"edge +FAILED +[\d,]+ ms  127\.0\.0\.1:\d+ answered HTTP 502; ",
            line,
        )
        for line in lines
    )
    assert any("-> CloudFront could not reach the task." in line for line in lines)
    assert [line.split()[0] for line in lines if line.endswith("not reached")] == [
        "echo", "mint", "model", "turn", "rotation",
    ]  # fmt: skip
    assert lines[-1] == "edge failed"


async def test_no_secret_is_printed(doctor: Doctor, server: FakeServer) -> None:
    server.doors, server.refuse_media = [ready_at()], (401, '{"error": "auth_invalid"}')
    run = await doctor(token="a-canary.jwt")
    assert "canary" not in run.out + run.err and "ticket-" not in run.out and "/r/0" not in run.out


@pytest.mark.parametrize("is_local", [True, False])
def test_where_a_log_group_is_named_a_local_stack_s_terminal_is_too(is_local: bool) -> None:
    examined = checkup.Checkup(names={"STACK": "viva"}, is_local=is_local)
    with pytest.raises(checkup.Stopped), examined.step("mint"):
        raise checkup.Trouble("mint_failed", "")
    (failed,) = [result for result in examined.results if result.state == "failed"]
    assert "/aws/lambda/viva-mint" in failed.advice
    assert ('the terminal of "vivavoce dev" shows it' in failed.advice) is is_local


def test_every_advice_is_for_a_step_and_a_code_that_there_are() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "cli" / "doctor").rglob("*.py"))
    ours = set(re.findall(r'"([a-z_]+)"', sources)) | {"http_404", "http_429", "http_500", "http_502"}
    table = remedies()
    assert set(table) - {"any step"} == {*checkup.STEPS, *before.STEPS}
    for advice in table.values():
        for code in advice.keys() - {"else"}:
            assert code in ours or code in REGISTRY or re.fullmatch("http_4..", code), code
