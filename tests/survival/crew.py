"""Many conversations at once on a stack of real processes, each brought into a state of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import simulator
from infra.local.stack import LocalStack
from infra.local.stack import Options as StackOptions
from infra.local.tasks import RelayTask
from protocol import media
from protocol.audio import AudioFrame
from protocol.limits import UPLINK_FRAME_BYTES
from records import turns
from records.table import Table
from simulator.audio.watermark import embed
from simulator.speech.samples import SHIPPED
from tests import dialect
from tests.witness import WITNESS
from vivavoce import Conversation, Options, Reconnecting
from vivavoce.playback import VirtualSpeaker
from vivavoce.tools import Tool
from vivavoce.wavefile import read_wav

OPENING = 10  #: conversations that open at once: more would only wait for the functions
FRAME_MS = 100  #: of the microphone, the longest allowed: fifty microphones share this machine with all else
FRAME = bytes(FRAME_MS * 32)
APART = 100_000  #: between the numbers of two microphones: half an hour of pieces
QUESTION = read_wav(SHIPPED / "question.wav")
LONG = "please repeat this " + "and that " * 20


@dataclass
class Mate:
    """One user in a conversation. `heard_ms` counts the agent's audio by turn."""

    name: str
    call: Conversation
    speaks: bool  #: has a microphone
    events: list[object] = field(default_factory=list)
    heard_ms: dict[int, float] = field(default_factory=dict)
    audio_at: float = 0.0  #: monotonic s of the newest audio
    lives: list[tuple[int, float]] = field(default_factory=list)  #: epoch and monotonic s of each `live`
    breaks: list[float] = field(default_factory=list)  #: monotonic s of each end of a connection but the last
    tool_runs: int = 0
    first: int = -1  #: number of its microphone's first piece of 20 ms; -1: they have none
    pieces: int = 0  #: numbered and sent
    _words: bytes = b""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for event in self.call.events():
            match event:
                case AudioFrame(turn, _, pcm):
                    self.heard_ms[turn] = self.heard_ms.get(turn, 0.0) + len(pcm) / 48
                    self.audio_at = time.monotonic()
                case media.Live():
                    self.lives.append((event.e, time.monotonic()))
                case Reconnecting():
                    self.breaks.append(time.monotonic())
            if not isinstance(event, AudioFrame):
                self.events.append(event)
            self._news.set()

    async def talk_on(self) -> None:
        """The microphone: silence, or what `say` gave it."""
        while self.speaks:
            await asyncio.sleep(FRAME_MS / 1000)
            frame, self._words = self._words[: len(FRAME)], self._words[len(FRAME) :]
            await self.call.send_audio(self._numbered(frame.ljust(len(FRAME), b"\0")))

    def say(self, pcm: bytes) -> None:
        self._words += pcm

    @property
    def has_words(self) -> bool:
        """It has not said all yet."""
        return self._words != b""

    def _numbered(self, frame: bytes) -> bytes:
        if self.first < 0:
            return frame
        pieces = [frame[at : at + UPLINK_FRAME_BYTES] for at in range(0, len(frame), UPLINK_FRAME_BYTES)]
        first = self.first + self.pieces
        self.pieces += len(pieces)
        return b"".join(embed(piece, first + index) for index, piece in enumerate(pieces))

    async def until(self, condition: Callable[[], bool], within_s: float = 60.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def ask(self, text: str = "hello") -> None:
        """Type, and wait for the end of the answer."""
        ended = len(self.ended)
        await self.call.send_text(text)
        await self.until(lambda: len(self.ended) > ended)

    @property
    def ended(self) -> list[int]:
        """The agent's turns that were told to be over."""
        return [e.turn for e in self.events if isinstance(e, media.TurnEnded) and e.role == "agent"]

    @property
    def cut(self) -> list[int]:
        return [e.turn for e in self.events if isinstance(e, media.TurnInterrupted)]

    @property
    def epoch(self) -> int:
        return self.lives[-1][0] if self.lives else 0

    @property
    def gaps_s(self) -> list[float]:
        """How long it was without a live connection, each time."""
        return [min(at for _, at in self.lives if at > lost) - lost for lost in self.breaks]

    @property
    def length_ms(self) -> dict[int, int]:
        """How long each finished turn of the agent's was, as the server says."""
        told = (e for e in self.events if isinstance(e, media.Metrics) and e.leg_gap_ms is None)
        return {each.turn: each.audio_ms for each in told}


@contextlib.asynccontextmanager
async def deployment(
    capacity: int, parameters: Mapping[str, str] | None = None, **more: Any
) -> AsyncIterator[tuple[LocalStack, simulator.Running]]:
    """A stack without anybody, and the model behind it. `more` are options of the stack."""
    async with simulator.serve() as model:
        given = dialect.parameters(RelayCapacity=str(capacity), **(parameters or {}))
        logs = Path(folder) if (folder := os.environ.get("SURVIVAL_LOGS")) else None  # of who looks into it
        options = StackOptions(gemini_url=model.url, parameters=given, log_directory=logs, **more)
        async with LocalStack(options) as stack:
            yield stack, model
        WITNESS.logs(line.text for line in stack.logs.lines)


@contextlib.asynccontextmanager
async def crew(
    stack: LocalStack,
    names: Sequence[str],
    quiet: Sequence[str] = (),
    *,
    hears: bool = True,
    control: str = "",
    first: int = -1,
) -> AsyncIterator[list[Mate]]:
    """So many users in live conversations, each its own; those in `quiet` have no microphone.

    `hears`: with a speaker that plays in real time and says so. Fifty of them take a part of this machine.
    `control`: their way to the control road, if it is not the stack's own URL.
    `first`: number of the first piece of the first microphone, `APART` more for each other.
    """
    mates: list[Mate] = []
    limit = asyncio.Semaphore(OPENING)
    async with contextlib.AsyncExitStack() as calls, asyncio.TaskGroup() as tasks:

        async def board(name: str) -> None:
            token = stack.user(name).token()
            mate: Mate

            async def slow_tool(args: object) -> str:
                mate.tool_runs += 1
                await asyncio.sleep(4)
                return "done"

            call = Conversation(
                control or stack.urls.control,
                token,
                tools={"lookup": Tool(slow_tool, "looks it up")},
                speaker=VirtualSpeaker(lambda pcm: None) if hears else None,
                options=Options(),
            )
            mate = Mate(name, call, name not in quiet)
            mate.first = first if first < 0 else first + names.index(name) * APART
            async with limit:
                await calls.enter_async_context(call)
            mates.append(mate)

        async with asyncio.TaskGroup() as boarding:
            for name in names:
                boarding.create_task(board(name))
        running = [tasks.create_task(mate.listen()) for mate in mates]
        running += [tasks.create_task(mate.talk_on()) for mate in mates if mate.speaks]
        try:
            yield sorted(mates, key=lambda mate: names.index(mate.name))
        finally:
            for task in running:
                task.cancel()


async def each(mates: Sequence[Mate], do: Callable[[Mate], Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for mate in mates:
            tasks.create_task(do(mate))


async def over(task: RelayTask, within_s: float) -> int | None:
    """The exit status of a task that ends."""
    async with asyncio.timeout(within_s):
        await task.is_over.wait()
    return task.exit_status


async def kept(stack: LocalStack, mate: Mate) -> list[turns.Turn]:
    """What the table holds of a conversation."""
    table = Table(stack.client("dynamodb"), stack.table)
    return await asyncio.to_thread(turns.list_all, table, mate.call.session)


async def check_record(stack: LocalStack, mate: Mate) -> None:
    """Every turn that was told to be over is kept, once, with what was said."""
    numbers = [turn.number for turn in await kept(stack, mate)]
    assert len(set(numbers)) == len(numbers), mate.name
    assert set(mate.ended) <= set(numbers), (mate.name, mate.ended, numbers)
    assert len(set(mate.ended)) == len(mate.ended), (mate.name, mate.ended)


def percentiles(values: Sequence[float]) -> str:
    """p50, p95 and the greatest, in seconds."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.95))]
    return f"{ordered[len(ordered) // 2]:6.2f} {p95:6.2f} {ordered[-1]:6.2f}"
