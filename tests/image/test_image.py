"""The image of infra/relay/Dockerfile is a relay: it holds a call, read-only, as nobody, and leaves well."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import urllib.request
from pathlib import Path

import pytest

from infra.local.stack import LocalStack, Options
from protocol import media
from simulator import serve
from simulator.audio import tones
from simulator.audio.similarity import similarity
from tests.e2e.conftest import GEMINI_KEY, System
from tests.e2e.talk import QUESTION, User, user
from tests.image.conftest import ROOT, Image
from tests.witness import WITNESS

pytestmark = [pytest.mark.timeout(1800)]
NOBODY = "65534"


def test_it_says_how_it_is_to_be_run(image: Image) -> None:
    assert image.config["User"] == f"{NOBODY}:{NOBODY}"
    assert image.config["Cmd"] == ["python", "-m", "relay"] and not image.config.get("Entrypoint")
    assert list(image.config["ExposedPorts"]) == ["8080/tcp"]
    kind, program, _, text = image.config["Healthcheck"]["Test"]
    assert (kind, program) == ("CMD", "python") and "http://127.0.0.1:8080/health" in text


def test_it_holds_the_relay_and_nothing_else_of_ours(image: Image) -> None:
    held = image.root / "opt/relay/app"
    assert {path.name for path in held.iterdir()} == {"protocol", "records", "relay"}
    ours = {path.relative_to(held) for path in held.rglob("*.py")}
    assert ours == {path.relative_to(ROOT) for room in held.iterdir() for path in _sources(room.name)}
    assert not list((image.root / "opt/relay").rglob("genai"))


def _sources(room: str) -> list[Path]:
    return [path for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts]


def test_nothing_of_this_machine_is_in_it(image: Image) -> None:
    assert not (image.root / "etc/pip.conf").exists() or not (image.root / "etc/pip.conf").read_text()
    assert not [each for each in image.config["Env"] if "PIP" in each or "proxy" in each.lower()]


def test_it_runs_as_nobody_and_can_write_nowhere(image: Image) -> None:
    ran = image.run("sh", "-c", "id -u; id -g; touch /tmp/x /var/tmp/x /opt/relay/x /dev/shm/x")
    assert ran.stdout.split() == [NOBODY, NOBODY] and ran.returncode != 0
    refused = [line for line in ran.stderr.splitlines() if "cannot touch" in line]
    assert len(refused) == 4, ran.stderr
    assert all("Read-only file system" in line for line in refused if "/tmp/" in line)
    assert (image.root / "tmp").stat().st_mode & 0o002, "anybody could, were it not read-only"


def test_without_settings_it_says_what_it_lacks(image: Image) -> None:
    ran = image.run(*image.config["Cmd"])
    assert ran.returncode == 2
    assert ran.stderr.startswith("relay: missing or malformed: TABLE_NAME, RELAY_ID"), ran.stderr


async def hear(visitor: User, number: int, here: System) -> None:
    """Ask, and hear the answer out."""
    await visitor.microphone.say(QUESTION)
    await visitor.until(media.TurnEnded, count=2 * number)
    await visitor.speaker.is_silent.wait()
    (answer,) = here.simulator.ledger.where("answer.begun")[-1:]
    heard = visitor.received(number)
    assert tones.decode(heard) == answer["code"] and similarity(QUESTION, heard) > 0.9


async def test_it_serves_a_call_and_hands_it_over_when_it_is_stopped(image: Image) -> None:
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    async with serve() as model, LocalStack(Options(gemini_url=model.url, gemini_key=GEMINI_KEY)) as stack:
        here = System(stack, model)
        before = stack.tasks.definition
        stack.tasks.definition = dataclasses.replace(
            before,
            command=tuple(image.command()),
            environment={**before.environment, **image.environment, "DRAIN_SECONDS": "10"},
        )
        async with user(here) as visitor:
            await hear(visitor, 1, here)
            (first,) = stack.tasks.all
            await asyncio.to_thread(runs_as_it_must, first.process_id, image)
            assert await asyncio.to_thread(health, first.address) == 200
            stop = {"cluster": before.cluster, "task": first.arn}
            await asyncio.to_thread(lambda: stack.client("ecs").stop_task(**stop))  # SIGTERM
            await asyncio.wait_for(first.is_over.wait(), 60)
            await hear(visitor, 2, here)
        first, second = stack.tasks.all
        assert first.exit_status == 0 and visitor.of(media.Error) == []
        second.stop("test")
        await asyncio.wait_for(second.is_over.wait(), 60)
        assert second.exit_status == 0
    WITNESS.logs(line.text for line in stack.logs.lines)


def runs_as_it_must(process: int | None, image: Image) -> None:
    """What the kernel says of the relay that is in a call."""
    about = Path(f"/proc/{process}")
    command = (about / "cmdline").read_bytes().split(b"\0")
    assert command[-4:] == [b"python", b"-m", b"relay", b""]
    status = dict(line.split(":\t", 1) for line in (about / "status").read_text().splitlines())
    assert set(status["Uid"].split()) == {NOBODY} and int(status["CapEff"], 16) == 0
    assert (about / "root").resolve() == image.root.resolve()
    (mounted,) = [line for line in (about / "mountinfo").read_text().splitlines() if line.split()[4] == "/"]
    assert "ro" in mounted.split()[5].split(",")


def health(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/health", timeout=5) as answer:
        json.loads(answer.read() or b"{}")
        return int(answer.status)
