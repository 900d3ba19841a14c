"""Two relays, a table, mint and the simulator in one process whose clock jumps (`bench/virtual.py`).

The code is the deployment's: start's, mint's, the records', the relays'. Stand-ins are the table's client
(`tests/races/memory_table.py`), the way to a function and to Google's tokens, and time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import simulator
from agents.catalogue import Agent, catalogue, spoken_by
from functions.core.minting.mint import Mint, Refused
from functions.core.runtime.config import LimitsConfig
from functions.core.runtime.refusal import Refusal
from functions.core.sessions import start
from gemini import tokens
from gemini.messages import Credential
from protocol.control import Config, Start
from records import relays, sessions, tickets
from records.budgets import Limits
from records.connections import Connection
from records.table import ConditionFailed, Fenced, StoreError, Table
from records.tickets import Ticket
from relay.aws.session_store import TableLedger
from relay.config import RelayConfig
from relay.model.gemini import open_leg
from relay.model.port import ModelLeg, UpstreamError
from relay.ports import LedgerUnavailable, Superseded
from relay.task.service import Relay
from simulator.scenario import Behaviour, Scenario
from tests import dialect
from tests.races import memory_table
from tests.relay.fakes import CONFIG, FakeTask

DAY_S = 86_400
CENT = 10_000  #: micro-dollars


class MemoryClient:
    """boto3's client of a table in memory."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Any] = {}
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def __getattr__(self, operation: str) -> Any:
        return partial(self._do, operation)

    def forget(self, *kinds: str) -> None:
        """What DynamoDB would by now have removed by its TTL: queries here look at every item."""
        self.items = {key: item for key, item in self.items.items() if not key[0].startswith(kinds)}

    def _do(self, operation: str, **request: Any) -> dict[str, Any]:
        told, changes = memory_table.answer(self.items, operation, request)
        if "error" in told:
            reasons = {"CancellationReasons": told["reasons"]} if "reasons" in told else {}
            item = {"Item": told["item"]} if "item" in told else {}
            raise ClientError({"Error": {"Code": told["error"]}, **reasons, **item}, operation)  # type: ignore[arg-type]
        for key, item in changes.items():
            if item is None:
                self.items.pop(key, None)
            else:
                self.items[key] = item
        return told


class Minter:
    """Google's tokens, without the way there."""

    def __init__(self, model: simulator.Running) -> None:
        self._model = model

    def mint(self, key: str, request: tokens.TokenRequest) -> str:
        asked = tokens.body(request)
        times = ("expireTime", "newSessionExpireTime")  # are the wall's
        return self._model.world.tokens.mint({name: asked[name] for name in asked if name not in times}).name


class Key:
    def __call__(self) -> str:
        return "key"

    def forget(self) -> None:
        pass


class Heart(FakeTask):
    """A relay's own record, as far as its heartbeat goes."""

    def __init__(self, table: Table, relay: str, now: Callable[[], int]) -> None:
        super().__init__()
        self._table, self._relay, self._now = table, relay, now

    async def heartbeat(self, held: set[str], gone: Mapping[str, float]) -> set[str]:
        now = self._now()
        left_at = {session: now - int(gone_s) for session, gone_s in gone.items()}
        return relays.heartbeat(self._table, self._relay, len(held), now, held, left_at)


@dataclass(frozen=True)
class SessionLegs:
    """Legs of one session on one relay, by mint."""

    deployment: Deployment
    relay: str
    session: str
    epoch: int

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        asked = {"session": self.session, "epoch": self.epoch, "relay": self.relay, "handle": handle}
        try:
            told = self.deployment.mint.answer(asked | {"refused": list(refused)})
        except Refused as refusal:
            raise UpstreamError(refusal.code) from None
        return Credential(
            told["token"],
            told["model"],
            told["expires_at"],
            told["token_lock"],
            told["silence_ms"] or 800,
            setup_tokens=told["setup_tokens"],
            idle_s=told["idle_s"],
            tells_cost=told["tells_cost"],
        )

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        return await open_leg(self.deployment.model.url, credential, handle)


@dataclass
class Deployment:
    """As a client and a bookkeeper see it."""

    model: simulator.Running
    log: Path  #: the simulator's ledger
    limits: LimitsConfig
    agents: Mapping[str, Agent]
    client: MemoryClient = field(default_factory=MemoryClient)
    urls: dict[str, str] = field(default_factory=dict)  #: of relays, by name
    began_at: int = 2_000_000_000 // DAY_S * DAY_S  #: epoch s; relays think that sessions last for years

    def __post_init__(self) -> None:
        self.table = Table(self.client, "table", pause=lambda _: None)
        self._loop = asyncio.get_running_loop()
        self._first = self._loop.time()
        self.mint = Mint(self.table, Minter(self.model), Key(), lambda: self.agents, self.now_s, "full")

    def now_s(self) -> float:
        """Epoch s."""
        return self.began_at + self._loop.time() - self._first

    def now(self) -> int:
        return int(self.now_s())

    # ---- the control road

    def start(self, user: str, config: Config, agent: str = "assistant") -> tuple[str, str, str]:
        """A session: its id, the URL of its relay and a ticket. Raises Refusal."""
        ports = SimpleNamespace(table=self.table, config=SimpleNamespace(limits=self.limits), now=self.now)
        connection = Connection(secrets.token_hex(4), user, self.now() + 3600, "")
        message = Start(secrets.token_hex(8), [1], agent, config=config)
        opened = start.open_session(ports, connection, message, sessions.hash_key("key"))  # type: ignore[arg-type]
        return opened.id, *self.lead(opened.id)

    def lead(self, session: str, avoid: str = "") -> tuple[str, str]:
        """Where its relay is, and a ticket; on another relay than `avoid`. Raises Refusal."""
        record = sessions.load(self.table, session)
        if record is None or record.state == "ENDED" or record.ends_at <= self.now():
            raise Refusal("session_ended")
        relay = record.relay
        if not relay or relay == avoid:
            relay = next(name for name in self.urls if name != avoid)
            until = self.now() + 60
            sessions.place(self.table, record, relay, state="READY", until=until, now=self.now())
            record = sessions.load(self.table, session)
            assert record is not None
        ticket = tickets.new()
        tickets.put(self.table, ticket, Ticket(session, record.epoch, relay, ""), self.now())
        return self.urls[relay], ticket

    def end(self, session: str) -> None:
        """By the control road; the relay finds it at its next heartbeat."""
        record = sessions.load(self.table, session)
        if record is not None and record.state != "ENDED":
            try:
                sessions.finish(self.table, session, record.epoch, "client", self.now())
            except (Fenced, ConditionFailed):
                pass


async def _at_once(work: Any, *args: Any, **named: Any) -> Any:
    """`relay.aws.store.in_thread`, without the thread: it would be outside of this time."""
    await asyncio.sleep(0.002)
    try:
        return work(*args, **named)
    except Fenced:
        raise Superseded from None
    except StoreError:
        raise LedgerUnavailable from None


@asynccontextmanager
async def deployment(
    log: Path,
    *,
    behaviour: Behaviour,
    money: Limits,
    limits: Mapping[str, int] | None = None,
    agents: Mapping[str, Agent] | None = None,
    model: str = "",
    relays_named: Sequence[str] = ("relay-1", "relay-2"),
) -> AsyncIterator[Deployment]:
    """Until the block ends, and both relays have written all that they owe."""
    usual = {"session_minutes": 30, "resume_s": 120, "sessions": 3, "starts": 100, "day_minutes": 720}
    bounds = LimitsConfig(**{**usual, **(limits or {})}, money=money)
    spoken = spoken_by(agents or catalogue(), model or dialect.model())
    config = simulator.Config(scenario=Scenario(settings=behaviour), log=log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relay.aws.session_store.in_thread", _at_once)
        async with simulator.serve(config) as running:
            built = Deployment(running, log, bounds, spoken)
            async with asyncio.TaskGroup() as tasks:
                here = [_relay(built, name, number, tasks) for number, name in enumerate(relays_named)]
                await asyncio.sleep(1)
                yield built
                for relay in here:
                    relay.leave()


def _relay(built: Deployment, name: str, number: int, tasks: asyncio.TaskGroup) -> Relay:
    relays.register(built.table, name, slot=str(number), revision="1", capacity=40, now=built.now())
    relays.ready(built.table, name, f"{name}:8080", built.now())
    config: RelayConfig = replace(CONFIG, relay=name, slot=str(number), idle_s=1e9, drain_s=1.0)
    ledger = TableLedger(built.table, clock=built.now_s)
    heart = Heart(built.table, name, built.now)
    relay = Relay(config, ledger, heart, lambda session, epoch: SessionLegs(built, name, session, epoch))

    async def announce(port: int) -> None:
        built.urls[name] = f"ws://127.0.0.1:{port}"

    tasks.create_task(relay.run(announce))
    return relay
