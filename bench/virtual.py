"""A relay, a model and a client in one process whose clock jumps to whatever is due next.

Real sockets, real servers, the real Python client and model leg; only the table, the control road and the
time are stand-ins. A day takes minutes.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import simulator
from gemini.messages import Credential
from protocol.control import Config, Limits, Media, Ready
from relay.model.gemini import open_leg
from relay.model.port import ModelLeg
from relay.task.service import Relay
from simulator.scenario import Behaviour, Scenario
from tests.relay.fakes import CONFIG, FakeBook, FakeTask, session
from vivavoce import Conversation
from vivavoce.reactions import Speaker

T = TypeVar("T")
AS_USUAL = Config()
NEVER = 10 * 365 * 86_400  #: seconds until a session must end: the clock here is not the wall's
MODEL = "models/gemini-3.8-live"


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: when no socket has news, the time of the next timer has come."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(timeout)
        self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while anything is done."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def run(work: Coroutine[None, None, T]) -> T:
    """`asyncio.run` in virtual time. Threads would be outside of it, so their work is done at once."""
    in_a_thread, asyncio.to_thread = asyncio.to_thread, _at_once  # type: ignore[assignment]
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(work)
    finally:
        asyncio.to_thread = in_a_thread


async def _at_once(work: Callable[..., T], *args: Any) -> T:
    return work(*args)


@dataclass
class House:
    """One relay for as long as the block lasts."""

    relay: Relay
    book: FakeBook
    model: simulator.Running
    url: str

    def conversation(
        self, number: int, speaker: Speaker | None = None, *, config: Config = AS_USUAL
    ) -> Conversation:
        """A client of a new session, that nobody has connected yet."""
        record = session(f"s{number}", ends_at=int(time.time()) + NEVER, config=config)
        self.book.sessions[record.id] = record
        call = Conversation("ws://127.0.0.1:1", "no-token", speaker=speaker)
        call._control = call._lifeline._control = _NoControl(self, record.id)  # type: ignore[assignment]
        return call


@dataclass
class _NoControl:
    """Leads to the one relay there is."""

    house: House
    session: str

    async def start(self, *_: object) -> Ready:
        ticket = self.house.book.ticket(self.session)
        place = Media(f"{self.house.url}/r/0/x", ticket, 0)
        return Ready(self.session, "key", place, Limits(0, 120_000), i=1)

    async def resume(self, media_failed: bool) -> Ready:
        return await self.start()

    async def end(self) -> None:
        pass


@dataclass(frozen=True)
class _Legs:
    """Tokens without the function that mints them."""

    model: simulator.Running
    name: str  #: of the model
    extra: dict[str, Any]  #: of the setup

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        setup = {
            "model": self.name,
            "generationConfig": {"responseModalities": ["AUDIO"]} | self.extra.get("generationConfig", {}),
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "contextWindowCompression": {"slidingWindow": {}},
            "sessionResumption": {"handle": handle} if handle else {},
        }
        setup = self.extra | setup
        token = self.model.world.tokens.mint({"uses": 1, "bidiGenerateContentSetup": setup})
        return Credential(token.name, self.name, round((time.time() + NEVER) * 1000), "full")

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        return await open_leg(self.model.url, credential, handle)


@asynccontextmanager
async def house(
    behaviour: Behaviour, name: str = MODEL, extra: Mapping[str, Any] | None = None
) -> AsyncIterator[House]:
    """A relay that listens, and the model `name` behind it, with `extra` in its setup."""
    async with simulator.serve(simulator.Config(scenario=Scenario(settings=behaviour))) as model:
        book = FakeBook()
        relay = Relay(CONFIG, book, FakeTask(), lambda session, epoch: _Legs(model, name, dict(extra or {})))
        listening = asyncio.Event()
        built = House(relay, book, model, "")

        async def announce(port: int) -> None:
            built.url = f"ws://127.0.0.1:{port}"
            listening.set()

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(relay.run(announce))
            await listening.wait()
            yield built
            relay.leave()
            await running
