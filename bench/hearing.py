"""What does it cost to hear the user, how late is it, and what is taken for speech that is none?

    python -m bench.hearing --seconds 20 --calls 8

The cost is held against a whole session's: a relay in a process of its own, its clients and the model's
stand-in in this one, all in real time. Noises and sentences are those of tests/relay/sounds.py. It fails when
a minute of noise before a kiosk begins a turn.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import simulator
from bench.virtual import MODEL, NEVER
from gemini.messages import Credential
from protocol.control import Limits, Media, Ready
from protocol.limits import UPLINK_HZ
from relay.call.hearing import LOW, NORMAL, Hearing, Sensitivity, UserStarted
from relay.model.gemini import open_leg
from relay.model.port import ModelLeg
from relay.task.service import Relay
from tests.relay import sounds
from tests.relay.fakes import CONFIG, FakeBook, FakeTask, session
from vivavoce import Conversation

FRAME_S = 0.02
MINUTE_S = 60
ROUNDS = 7  #: the fastest of them counts: what else this machine does is no cost of ours
LEVELS_DB = (-20, -26, -32)
AROUND = ("quiet", "fan", "street")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="of talk, for the cost of a session")
    parser.add_argument("--calls", type=int, default=8, help="at once, likewise")
    parser.add_argument("--relay", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.relay:
        return asyncio.run(_relay(json.loads(sys.stdin.readline())))
    session_us = asyncio.run(_session_us(given.calls, given.seconds))
    print(f"a session: {session_us:.0f} µs of CPU for a second of talk, {given.calls} calls on one relay\n")
    _print_costs(session_us)
    _print_delays()
    return 1 if _print_false_alarms() else 0


# ---- what it costs


def _print_costs(session_us: float) -> None:
    speech = [*sounds.frames(sounds.at_level(sounds.spoken()["question"], -22))] * 5
    quiet = [*sounds.frames(sounds.quiet(10.0, random.Random(1)))]
    costs = {"a quiet room": _cost_us(quiet), "speech": _cost_us(speech)}
    costs["half of each"] = (costs["a quiet room"] + costs["speech"]) / 2
    print(f"{'hears':16}{'µs for 1 s':>12}{'of a session':>14}")
    for what, cost_us in costs.items():
        print(f"{what:16}{cost_us:12.0f}{cost_us / session_us:14.1%}")
    print()


def _cost_us(frames: Sequence[bytes]) -> float:
    """CPU time for one second of audio."""
    return min(_round_us(frames) for _ in range(ROUNDS)) / (len(frames) * FRAME_S)


def _round_us(frames: Sequence[bytes]) -> float:
    ear = Hearing()
    began = time.process_time()
    for frame in frames:
        ear.hear(frame, 0.0)
    return (time.process_time() - began) * 1e6


# ---- how late it is


@functools.cache
def _around(noise: str) -> sounds.Wave:
    return sounds.NOISES[noise](5.0, random.Random(3))


def _print_delays() -> None:
    print(f"{'sentences':>9}{'at dB':>7}  {'15 dB above':12}{'told after ms: p50':>20}{'p90':>6}{'never':>7}")
    for db in LEVELS_DB:
        for noise in AROUND:
            found = [_delay_ms(voice, db, noise) for voice in _voices()]
            late = sorted(each for each in found if each is not None)
            ends = quantiles(late, n=10, method="inclusive")[8], found.count(None)
            print(f"{len(found):9}{db:7}  {noise:12}{median(late):20.0f}{ends[0]:6.0f}{ends[1]:7}")
    print()


def _voices() -> list[sounds.Wave]:
    return [sounds.paced(wave, pace) for wave in sounds.spoken().values() for pace in (0.85, 0.95, 1.05, 1.2)]


def _delay_ms(voice: sounds.Wave, db: float, noise: str) -> float | None:
    """From the first sound of a sentence to the moment at which it is told."""
    words, before = sounds.at_level(voice, db), [0.0] * UPLINK_HZ
    around = sounds.at_level(_around(noise), -70 if noise == "quiet" else db - 15)
    told = _first(sounds.frames(sounds.mixed([*before, *words, *before], around)))
    loudest = max(map(abs, words))
    begins = next(at for at, value in enumerate(words) if abs(value) > 0.1 * loudest)
    return None if told is None else (told - 1.0 - begins / UPLINK_HZ) * 1000


def _first(frames: Iterable[bytes]) -> float | None:
    ear, now = Hearing(), 0.0
    for frame in frames:
        now += FRAME_S
        if any(isinstance(heard, UserStarted) for heard in ear.hear(frame, now)):
            return now
    return None


# ---- what is none


def _print_false_alarms() -> int:
    """Turns that noise begins. Returns how many before a kiosk."""
    print(f"{'a minute of':14}{'turns begun':>12}{'before a kiosk':>16}")
    at_kiosk = 0
    for name, make in sounds.NOISES.items():
        frames = [*sounds.frames(make(float(MINUTE_S), random.Random(21)))]
        usual, kiosk = _begun(frames, NORMAL), _begun(frames, LOW)
        print(f"{name:14}{usual:12}{kiosk:16}")
        at_kiosk += kiosk
    return at_kiosk


def _begun(frames: Sequence[bytes], sensitivity: Sensitivity) -> int:
    ear = Hearing(sensitivity)
    told = [heard for at, frame in enumerate(frames) for heard in ear.hear(frame, at * FRAME_S)]
    return sum(isinstance(heard, UserStarted) for heard in told)


# ---- a session's whole cost


async def _session_us(calls: int, seconds: int) -> float:
    """CPU time of a relay for one second of one session: speech up, its echo down."""
    async with simulator.serve() as model:
        tokens = [_token(model) for _ in range(calls)]
        asked = {"model": model.url, "tokens": tokens}
        with _process() as relay:
            told = await asyncio.to_thread(_ask, relay, asked)
            async with asyncio.TaskGroup() as tasks:
                for ticket in told["tickets"]:
                    tasks.create_task(_talk(told["url"], ticket, seconds))
            used = await asyncio.to_thread(_ask, relay, {})
    return float(used["cpu_s"]) * 1e6 / (calls * seconds)


def _process() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.hearing", "--relay"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _token(model: simulator.Running) -> str:
    setup = {
        "model": MODEL,
        "generationConfig": {"responseModalities": ["AUDIO"]},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "sessionResumption": {},
    }
    return model.world.tokens.mint({"uses": 1, "bidiGenerateContentSetup": setup}).name


async def _talk(url: str, ticket: str, seconds: int) -> None:
    """One user: a sentence, two seconds of quiet for its answer, and so on, in real time."""
    call = Conversation("ws://127.0.0.1:1", "no-token")
    call._control = call._lifeline._control = _OneWay(url, ticket)  # type: ignore[assignment]
    said = [*sounds.frames([*sounds.spoken()["question"], *[0.0] * (2 * UPLINK_HZ)])]
    async with call, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(_listen(call))
        began_at = time.monotonic()
        for number in range(round(seconds / FRAME_S)):
            await call.send_audio(said[number % len(said)])
            await asyncio.sleep(max(0.0, began_at + (number + 1) * FRAME_S - time.monotonic()))
        listening.cancel()


async def _listen(call: Conversation) -> None:
    async for _ in call.events():
        pass


@dataclass(frozen=True)
class _OneWay:
    """The control road of a stack with one relay."""

    url: str
    ticket: str

    async def start(self, *_: object) -> Ready:
        return Ready("s", "key", Media(self.url, self.ticket, 0), Limits(0, 120_000), i=1)

    async def resume(self, media_failed: bool) -> Ready:
        return await self.start()

    async def end(self) -> None:
        pass


@dataclass(frozen=True)
class _Legs:
    """Tokens that were minted before."""

    url: str
    tokens: list[str]

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        return Credential(self.tokens.pop(), MODEL, round((time.time() + NEVER) * 1000), "full")

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        return await open_leg(self.url, credential, handle)


async def _relay(asked: dict[str, list[str]]) -> int:
    """The relay's own process: tells where it is, and on the next line what CPU time it used since."""
    records = [
        session(f"s{number}", ends_at=int(time.time()) + NEVER) for number in range(len(asked["tokens"]))
    ]
    book, legs = FakeBook(*records), _Legs(str(asked["model"]), asked["tokens"])
    relay = Relay(CONFIG, book, FakeTask(), lambda session, epoch: legs)

    async def serve(port: int) -> None:
        url = f"ws://127.0.0.1:{port}/r/0/x"
        print(json.dumps({"url": url, "tickets": [book.ticket(record.id) for record in records]}), flush=True)

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(relay.run(serve))
        began = time.process_time()
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps({"cpu_s": time.process_time() - began}), flush=True)
        relay.leave()
        await running
    return 0


def _ask(relay: subprocess.Popen[str], what: object) -> dict[str, Any]:
    assert relay.stdin and relay.stdout
    relay.stdin.write(json.dumps(what) + "\n")
    relay.stdin.flush()
    return dict(json.loads(relay.stdout.readline()))


if __name__ == "__main__":
    sys.exit(main())
