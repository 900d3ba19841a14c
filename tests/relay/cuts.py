"""A user who types while connections are cut and relays are lost, in virtual time and without sockets.

The client's half is the Python client's own session and outbox, the relay's half its own `Call`. Network,
model and table are stand-ins with delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from gemini import messages as model
from gemini.messages import Credential, ModelCommand
from protocol import media
from protocol.client import ClientSession
from protocol.codec import Outgoing, json_codec
from protocol.media import PastTurn
from protocol.states import ClientState
from records import turns
from records.sessions import Session
from relay.aws.session_store import record_of
from relay.call.call import Call
from relay.call.terms import Terms
from relay.client.port import ConnectionLost
from relay.model.port import ModelLeg
from relay.turn import Turn
from tests.relay.fakes import FakeBook, Model, ScriptedLeg, session, voice
from vivavoce.outbox import Outbox

PAUSE_S = 0.4  #: longest, between two texts
BREAK_S = 0.3  #: longest, until the client is back
STEADY_S = 0.6  #: longest, from the client's coming to the next cut
ANSWER_S = 0.3  #: longest, from a question to its answer
WRITE_S = 0.2  #: longest, each way between relay and table
WAY_S = 0.08  #: longest, each way between client and relay


class SlowBook(FakeBook):
    """The table: a turn is there from the middle of its write on, under its number."""

    def __init__(self, record: Session, chance: random.Random) -> None:
        super().__init__(record)
        self.kept: dict[int, turns.Turn] = {}
        self._chance = chance

    async def save_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        await asyncio.sleep(self._chance.uniform(0, WRITE_S))
        self._fence(session, epoch)
        self.kept[turn.number] = record_of(turn, 0.0)
        await asyncio.sleep(self._chance.uniform(0, WRITE_S))

    def take_over(self) -> Session:
        """Give the session to another relay. Returns the record as that one loads it."""
        (id, record), *_ = self.sessions.items()
        last = self.kept[max(self.kept)] if self.kept else turns.Turn(0)
        known = {"next_turn": last.number + 1, "message_n": last.message_n, "uplink_seq": last.uplink_seq}
        turn, words = self.questions[-1] if self.questions else (0, "")
        known |= {"question": words, "question_turn": turn, "question_seq": self.question_seq}
        handle = self.handles[-1] if self.handles else None
        self.sessions[id] = replace(record, epoch=record.epoch + 1, handle=handle, **known)  # type: ignore[arg-type]
        return self.sessions[id]

    def past_turns(self) -> list[PastTurn]:
        return [
            PastTurn(kept.number, kept.user_text, kept.agent_text) for _, kept in sorted(self.kept.items())
        ]


class AnsweringLeg(ScriptedLeg):
    """Answers what was typed after a while, all of it at once."""

    def __init__(self, handle: str | None, chance: random.Random) -> None:
        super().__init__(handle)
        self._chance = chance
        self._open: list[str] = []  #: texts without an answer

    async def send(self, command: ModelCommand) -> None:
        await super().send(command)
        if isinstance(command, model.SayText):
            self._open.append(command.text)
            if command.respond:
                asyncio.get_running_loop().call_later(self._chance.uniform(0, ANSWER_S), self._answer)

    def _answer(self) -> None:
        texts, self._open = self._open, []
        if texts and not self.closed.is_set():
            self.say(model.Audio(voice(960)), model.Said(" ".join(texts)), model.GenerationEnded())
            self.say(model.TurnCompleted(idle=True), model.HandleChanged(f"after {texts[-1]}"))


class AnsweringModel(Model):
    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        self.minted.clear()
        return await super().mint(handle, refused)

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        self.legs.append(AnsweringLeg(handle, self._chance))
        return self.legs[-1]


class Wire:
    """A media connection with a way there and back. A cut loses what is on its way, in both directions."""

    lost_by: Literal["", "pong"] = ""

    def __init__(self, way_s: float) -> None:
        self.up: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.down: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.is_cut = False
        self._way_s = way_s
        self._under_way: dict[int, deque[str | bytes]] = {0: deque(), 1: deque()}

    def say(self, data: str | bytes) -> None:
        """The client's end."""
        self._carry(0, self.up, data if isinstance(data, bytes) else str(data))

    async def receive(self) -> str | bytes | None:
        return await self.up.get()

    async def send(self, said: Outgoing) -> None:
        if self.is_cut:
            raise ConnectionLost
        self._carry(1, self.down, json_codec.encode(said))

    async def close(self, code: int) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.is_cut:
            self.is_cut = True
            self.up.put_nowait(None)
            self.down.put_nowait(None)

    def _carry(self, way: int, end: asyncio.Queue[str | bytes | None], data: str | bytes) -> None:
        self._under_way[way].append(data)
        asyncio.get_running_loop().call_later(self._way_s, self._arrive, way, end)

    def _arrive(self, way: int, end: asyncio.Queue[str | bytes | None]) -> None:
        data = self._under_way[way].popleft()
        if not self.is_cut:
            end.put_nowait(data)


class Typist:
    """The client: one session over as many wires as it takes."""

    def __init__(self) -> None:
        self.session = ClientSession()
        self.typed: list[str] = []
        self._outbox = Outbox(self.session)
        self._serving: asyncio.Task[None] | None = None
        self.wire = Wire(0)

    async def type(self, text: str, *, respond: bool) -> None:
        self.typed.append(text)
        await self._outbox.message(media.Text(text, respond))

    def join(self, tasks: asyncio.TaskGroup, call: Call, way_s: float) -> None:
        self.wire = Wire(way_s)
        tasks.create_task(call.serve(self.wire))
        self.wire.say(self.session.hello())
        self._serving = tasks.create_task(self._serve(self.wire))

    async def leave(self) -> None:
        """The connection breaks."""
        self.wire.abort()
        if self._serving is not None:
            await self._serving

    async def _serve(self, wire: Wire) -> None:
        async with asyncio.TaskGroup() as ways:
            writing = ways.create_task(self._write(wire))
            while (data := await wire.down.get()) is not None:
                for item in self.session.receive(data):
                    match item:
                        case media.Live():
                            self._outbox.open(self.session.resend())
                        case media.Pong():
                            self._outbox.answered(item)
            writing.cancel()
        self._outbox.close()
        if self.session.state is not ClientState.NEW:
            self.session.lost()

    async def _write(self, wire: Wire) -> None:
        while True:
            wire.say(await self._outbox.take())


class Scene:
    """One conversation and its relays, one after the other."""

    def __init__(self, chance: random.Random, tasks: asyncio.TaskGroup) -> None:
        record = session()
        self.chance, self.tasks = chance, tasks
        self.killed = self.replaced = 0
        self._cast(record)
        self._begin(record)

    def _cast(self, record: Session) -> None:
        self.book, self.typist = SlowBook(record, self.chance), Typist()
        self.model = AnsweringModel(self.chance)

    def _begin(self, record: Session) -> None:
        terms = Terms(record.epoch, 1e6, 1e6)
        self.call = Call(record, terms, self.book, self.model, self.book.past_turns())
        self._running = self.tasks.create_task(self._run(self.call))

    async def _run(self, call: Call) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await call.run()

    async def cut(self) -> None:
        """Cut the connection; now and then the relay is lost with it, or lives on without the session."""
        await self.typist.leave()
        await asyncio.sleep(self.chance.uniform(0, BREAK_S))
        match self.chance.random():
            case luck if luck < 0.15:
                self._running.cancel()
                self.killed += 1
                await asyncio.sleep(self.chance.uniform(0, BREAK_S))
                self._begin(self.book.take_over())
            case luck if luck < 0.3:
                self.replaced += 1
                self._begin(self.book.take_over())
        self.typist.join(self.tasks, self.call, self.chance.uniform(0, WAY_S))

    async def play(self, cuts: int) -> None:
        """Type and cut, then wait for the last answers."""
        self.typist.join(self.tasks, self.call, 0)
        typing = self.tasks.create_task(self._type())
        for _ in range(cuts):
            await asyncio.sleep(self.chance.uniform(0, STEADY_S))
            await self.cut()
        typing.cancel()
        await self.typist.type("last", respond=True)
        await asyncio.sleep(30)
        await self.typist.leave()
        self.call.end("client")

    async def _type(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0, PAUSE_S))
            await self.typist.type(f"q{len(self.typist.typed)}", respond=self.chance.random() < 0.8)


def asked(book: SlowBook) -> list[str]:
    """The questions that are in the record, in its order."""
    return [text for _, kept in sorted(book.kept.items()) for text in kept.user_text.split()]
