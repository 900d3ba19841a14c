"""Stand-ins for what the relay reaches: the table, its own task record, and the model."""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gemini.messages import SILENCE_MS, Credential, ModelCommand, ModelEvent, Recall
from protocol import media
from protocol.audio import AudioFrame
from protocol.client import ClientSession
from protocol.codec import Outgoing
from protocol.control import ClientTool, Config
from protocol.credentials import offer
from records.budgets import NO_LIMIT, Allowance, Spent
from records.sessions import Session
from records.tickets import Burn
from relay.call.call import Call
from relay.client.origin_secret import OriginCheck, allow_any_origin
from relay.client.port import ConnectionLost
from relay.config import RelayConfig
from relay.model.port import ModelLeg, UpstreamError
from relay.ports import LedgerUnavailable, Superseded, Unregistered, WriteRefused
from relay.task.service import Relay
from relay.turn import Turn
from tests import dialect


def session(id: str = "s1", **changes: object) -> Session:
    """An open session on the relay under test."""
    plain = Session(
        id=id, user="u1", request="r1", agent="assistant", config=Config(),
        tools=[ClientTool("weather")], metadata={}, state="OPEN", epoch=1, relay="relay-1", joined_epoch=0,
        connection="c1", origin="", created_at=0, ends_at=int(time.time()) + 1800, next_turn=1, handle=None,
        keys={}, request_seq=0, answered_seq=0, moved_seq=0,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def voice(size: int) -> bytes:
    """So many bytes of something that can be heard: 24 kHz, as a model sends it."""
    return array("h", [6_000, -6_000] * (size // 4)).tobytes()


class FakeBook:
    """The table's sessions, tickets and turns, in memory. `down` makes every call fail."""

    def __init__(self, *sessions: Session) -> None:
        self.sessions = {held.id: held for held in sessions}
        self.tickets: dict[str, Burn] = {}
        self.turns: list[tuple[str, Turn]] = []
        self.handles: list[str] = []
        self.amended: list[Turn] = []
        self.questions: list[tuple[int, str]] = []  #: said and not answered, by turn
        self.question_seq = 0, -1  #: frames of the newest
        self.owed: list[tuple[int, media.Tokens]] = []
        self.connected: dict[str, float] = {}  #: seconds, by session
        self.spent: dict[str, Spent] = {}  #: by session, as told last
        self.allowance: Callable[[Spent, int], Allowance] = lambda spent, wants: NO_LIMIT
        self.before: list[media.PastTurn] = []  #: turns that another relay has kept
        self.finished: dict[str, str] = {}
        self.compared = 0  #: times that what a relay holds was compared with this
        self.down = False
        self.saved = asyncio.Event()

    def ticket(self, session: str = "s1", status: str = "ok", origin: str = "") -> str:
        ticket = f"ticket-{len(self.tickets):016d}"
        self.tickets[ticket] = Burn(status, session, self.sessions[session].epoch, origin)  # type: ignore[arg-type]
        return ticket

    async def burn(self, ticket: str, relay: str) -> Burn:
        self._answer()
        found = self.tickets.get(ticket, Burn("unknown"))
        if found.status == "ok":
            self.tickets[ticket] = replace(found, status="used")
        return found

    async def load(self, session: str) -> Session | None:
        self._answer()
        return self.sessions.get(session)

    async def past(self, session: str) -> list[media.PastTurn]:
        self._answer()
        return self.before

    async def disowned(self, held: Mapping[str, int]) -> dict[str, str]:
        self._answer()
        self.compared += 1
        found = {id: self.sessions.get(id) for id in held}
        moved = {id: "superseded" for id, now in found.items() if now is None or now.epoch != held[id]}
        ended = {
            id: self.finished.get(id, "client") for id, now in found.items() if now and now.state == "ENDED"
        }
        return ended | moved

    async def save_handle(self, session: Session, epoch: int, handle: str) -> None:
        self._fence(session, epoch)
        self.handles.append(handle)

    async def save_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        self._fence(session, epoch)
        self.turns.append((session.id, turn))
        self.saved.set()

    async def amend_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        self._fence(session, epoch)
        self.amended.append(replace(turn))

    async def save_connected(self, session: Session, epoch: int, seconds: float) -> None:
        self._answer()
        self.connected[session.id] = seconds

    async def save_spent(self, session: Session, epoch: int, spent: Spent, wants: int) -> Allowance:
        self._answer()
        self.spent[session.id] = spent
        return self.allowance(spent, wants)

    async def save_tokens(self, session: Session, epoch: int, seq: int, tokens: media.Tokens) -> None:
        self._fence(session, epoch)
        self.owed.append((seq, tokens))

    async def save_model(self, session: Session, epoch: int, model: str) -> None:
        self._fence(session, epoch)
        self.sessions[session.id] = replace(self.sessions[session.id], model=model)

    async def save_question(
        self, session: Session, epoch: int, turn: int, words: str, frames: tuple[int, int]
    ) -> None:
        self._fence(session, epoch)
        self.questions.append((turn, words))
        self.question_seq = frames

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        self._fence(session, epoch)
        self.finished[session.id] = reason
        self.sessions[session.id] = replace(self.sessions[session.id], state="ENDED")

    def _fence(self, session: Session, epoch: int) -> None:
        self._answer()
        if self.sessions[session.id].epoch != epoch:
            raise Superseded

    def _answer(self) -> None:
        if self.down:
            raise LedgerUnavailable


@dataclass
class FakeTask:
    """The relay's own record."""

    calls: list[str] = field(default_factory=list)
    orders: set[str] = field(default_factory=set)
    is_gone: bool = False  #: its record is
    is_down: bool = False  #: the table does not answer, or is gone
    is_refused: bool = False  #: it answers, and that the relay may not write there, or that it is gone
    is_wanted: bool = False  #: somebody has a place
    gone: dict[str, float] = field(default_factory=dict)  #: sessions without a client, as told last

    async def ready(self, address: str) -> None:
        self.calls.append("ready")

    async def heartbeat(self, held: set[str], gone: Mapping[str, float]) -> set[str]:
        self.calls.append("heartbeat")
        self.gone = dict(gone)
        self._answer()
        if self.is_gone:
            raise Unregistered
        orders, self.orders = self.orders, set()
        return orders

    async def retire_if_idle(self) -> bool:
        self.calls.append("retire_if_idle")
        self._answer()
        return not self.is_wanted

    async def stopping(self) -> None:
        self.calls.append("stopping")
        self._answer()

    async def leave(self) -> None:
        self.calls.append("leave")
        self._answer()

    def _answer(self) -> None:
        if self.is_refused:
            raise WriteRefused
        if self.is_down:
            raise LedgerUnavailable


class FakeConnection:
    """A client's connection without a socket: what it says is queued, what is written to it is kept."""

    def __init__(self, *, reads: bool = True) -> None:
        self.written: list[Outgoing] = []
        self.close_code: int | None = None  #: with which it was closed from here
        self.lost_by: Literal["", "pong"] = ""
        self.reading = asyncio.Event()  #: cleared: the client takes nothing more
        if reads:
            self.reading.set()
        self._is_open = True
        self._said: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    def say(self, data: str | bytes) -> None:
        self._said.put_nowait(data)

    @property
    def unread(self) -> int:
        """Messages that the relay has not asked for yet."""
        return self._said.qsize()

    def take_one(self) -> None:
        """The client that takes nothing takes one message."""
        self.reading.set()
        self.reading.clear()

    def lose(self, by: Literal["", "pong"] = "") -> None:
        """The connection is gone."""
        self.lost_by = by
        self.abort()

    async def receive(self) -> str | bytes | None:
        return await self._said.get()

    async def send(self, said: Outgoing) -> None:
        await self.reading.wait()
        if not self._is_open:
            raise ConnectionLost
        self.written.append(said)

    async def close(self, code: int) -> None:
        self.close_code = code
        self.abort()

    def abort(self) -> None:
        self._is_open = False
        self.reading.set()
        self._said.put_nowait(None)


class ScriptedLeg:
    """A model leg that says what the test tells it to, and remembers what it was told."""

    def __init__(self, handle: str | None) -> None:
        self.handle = handle
        self.pcm = bytearray()
        self.commands: list[ModelCommand] = []
        self.is_told_of_no_past = False  #: as one must be that waits for its past
        self.closed = asyncio.Event()
        self.told = asyncio.Event()
        self.is_deaf = False  #: its pongs do not come
        self._events: asyncio.Queue[ModelEvent | UpstreamError] = asyncio.Queue()

    def say(self, *events: ModelEvent | UpstreamError) -> None:
        for event in events:
            self._events.put_nowait(event)

    @property
    def unread(self) -> int:
        """Events the relay has not asked for yet."""
        return self._events.qsize()

    async def send_audio(self, pcm: bytes) -> None:
        self.pcm += pcm
        self.told.set()

    async def send(self, command: ModelCommand) -> None:
        if command == Recall(()):
            self.is_told_of_no_past = True
            return
        self.commands.append(command)
        self.told.set()

    async def events(self) -> AsyncIterator[ModelEvent]:
        while True:
            event = await self._events.get()
            if isinstance(event, UpstreamError):
                raise event
            yield event

    async def ping(self) -> None:
        if self.is_deaf:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed.set()
        self._events.put_nowait(UpstreamError("upstream_unavailable"))


class Model:
    """Opens scripted legs. `refuse` names the errors of the next attempts, `refuse_always` of all."""

    def __init__(self, **habits: object) -> None:
        """`habits` that it needs to have: see tests/dialect.py."""
        self.names = [dialect.model_that(**habits)]  #: of the agent's models
        self.greets = False  #: the agent, in a conversation without a handle
        self.asked: list[str] = []  #: models that legs were opened of, or refused
        self.legs: list[ScriptedLeg] = []
        self.opened = asyncio.Event()
        self.minted: list[str | None] = []
        self.tries = 0  #: to open a leg
        self.book = FakeBook()  #: of the call that it serves, where that is of interest
        self.refuse: list[str] = []
        self.refuse_always = ""
        self.refuse_mint = ""  #: the code that every mint is refused with
        self.silence_ms = SILENCE_MS  #: of the agent's setup
        self.sensitivity: str | None = None  #: likewise
        self.first_words: tuple[ModelEvent, ...] = ()  #: what each new leg says as soon as it is open
        self.wall = time.time  #: by which credentials expire
        self.idle_s: float | None = None  #: of the agent's file
        self.tells_cost = False  #: likewise

    def legs_for(self, session: str, epoch: int) -> Model:
        return self

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        self.minted.append(handle)
        left = [name for name in self.names if name not in refused]
        assert len(self.minted) < 1_000, "a storm of credentials"  # in virtual time it would never end
        if self.refuse_mint:
            raise UpstreamError(self.refuse_mint)
        expires_at_ms = round((self.wall() + 1800) * 1000)
        others = left[0] != self.names[0], len(left) > 1
        extras = self.greets and handle is None, self.sensitivity
        made = Credential("auth-token", left[0], expires_at_ms, "full", self.silence_ms, *others, *extras)
        return replace(made, idle_s=self.idle_s, tells_cost=self.tells_cost)

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        self.tries += 1
        self.asked.append(credential.model)
        code = self.refuse_always or (self.refuse.pop(0) if self.refuse else "")
        if code:
            raise UpstreamError(code)
        self.legs.append(ScriptedLeg(handle))
        self.leg.say(*self.first_words)
        self.opened.set()
        return self.legs[-1]

    def say_first(self, *events: ModelEvent) -> None:
        """Have every leg that is opened from now on say this."""
        self.first_words = events

    @property
    def leg_model(self) -> str:
        """Of the newest leg."""
        return self.asked[-1]

    @property
    def leg(self) -> ScriptedLeg:
        return self.legs[-1]


CONFIG = RelayConfig(
    table="t", relay="relay-1", slot="0", revision="1", mint_function="m", session_function="s",
    gemini_url="http://127.0.0.1:1", port=0, drain_s=5.0,
)  # fmt: skip


@dataclass
class House:
    """A relay on a loopback port, and everything around it."""

    relay: Relay
    book: FakeBook
    task: FakeTask
    model: Model
    url: str = ""

    @property
    def calls(self) -> dict[str, Call]:
        """Those that run, by session."""
        return self.relay.registry.calls

    def connect(self, ticket: str, **options: object) -> connect:
        protocols = [Subprotocol(entry) for entry in offer("ticket", ticket)]
        return connect(f"{self.url}/r/0/x", subprotocols=protocols, compression=None, **options)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def house(
    *sessions: Session,
    config: RelayConfig = CONFIG,
    book: FakeBook | None = None,
    origin_check: OriginCheck = allow_any_origin,
) -> AsyncIterator[House]:
    book, task, model = book or FakeBook(*(sessions or (session(),))), FakeTask(), Model()
    built = House(Relay(config, book, task, model.legs_for, origin_check), book, task, model)
    listening = asyncio.Event()

    async def announce(port: int) -> None:
        built.url = f"ws://127.0.0.1:{port}"
        listening.set()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(built.relay.run(announce))
        await listening.wait()
        try:
            yield built
        finally:
            for call in list(built.relay.registry.calls.values()):
                call.end("client")
            built.relay.leave()
            await running


class Visitor:
    """A client on one media connection after another."""

    def __init__(self) -> None:
        self.session = ClientSession()
        self.got: list[media.ServerMessage | AudioFrame] = []
        self.wire: ClientConnection | None = None

    async def join(self, wire: ClientConnection) -> media.Live:
        self.wire = wire
        await wire.send(self.session.hello())
        live = await self.until(media.Live)
        assert isinstance(live, media.Live)
        return live

    async def until(self, kind: type) -> media.ServerMessage | AudioFrame:
        """Read until a message of that type; everything read is kept in `got`."""
        assert self.wire is not None
        async with asyncio.timeout(5):
            while True:
                for message in self.session.receive(await self.wire.recv()):
                    self.got.append(message)
                    if isinstance(message, kind):
                        return message

    async def read_to_the_end(self) -> int:
        """Read until the connection closes. Returns its close code."""
        assert self.wire is not None
        with contextlib.suppress(Exception):
            await self.until(type(None))
        await self.wire.wait_closed()
        assert self.wire.close_code is not None
        return self.wire.close_code
