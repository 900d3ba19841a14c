"""The relay's AWS: the table, the two functions it invokes. Blocking clients, run in threads."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from gemini.messages import SILENCE_MS, Credential
from protocol.media import PastTurn, Tokens
from records import minutes, relays, sessions, standings, tickets, turns, usage
from records.sessions import Session
from records.table import ConditionFailed, Fenced, Refused, StoreError, Table
from records.tickets import Burn
from relay.call.metrics import Meter
from relay.call.turn import Turn
from relay.call.turn_writer import LedgerUnavailable, Superseded, Unregistered, WriteRefused
from relay.client.origin_secret import Check, SecretHeader, anywhere
from relay.config import RelayConfig
from relay.task.address import Nowhere, Targets, interface, public_name

logger = logging.getLogger("relay.cloud")

T = TypeVar("T")
ANNOUNCEMENTS = 6  #: tries to tell all who wait for this relay that it is ready
PAST_TURNS = 100  #: finished turns that a client without memory is given
PAST_CHARS = 100_000  #: of text in them
PAST_TEXT_CHARS = 40_000  #: of one party in one of them, so that the newest is always among them
STORE_THREADS = 16  #: writes under way at once; each takes milliseconds

#: Apart from the invocations' threads: a mint may take half a minute, a ticket must not wait for it.
_store_threads = ThreadPoolExecutor(STORE_THREADS, "store")


class MintRefused(Exception):
    """No credential: `code` is the registry's word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def _store(work: Callable[..., T], *args: Any, **named: Any) -> T:
    """Run a blocking call on the table. Raises Superseded, WriteRefused or LedgerUnavailable."""
    try:
        call = partial(work, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(_store_threads, call)
    except Fenced:
        raise Superseded from None
    except Refused:
        raise WriteRefused from None
    except (StoreError, BotoCoreError, ClientError):
        raise LedgerUnavailable from None


class TableLedger:
    """`scribe.Ledger` over the DynamoDB table."""

    def __init__(
        self, table: Table, clock: Callable[[], float] = time.time, meter: Meter | None = None
    ) -> None:
        self._table = table
        self._clock = clock
        self._meter = meter

    async def burn(self, ticket: str, relay: str) -> Burn:
        return await _store(tickets.burn, self._table, ticket, relay=relay, now=int(self._clock()))

    async def load(self, session: str) -> Session | None:
        return await _store(sessions.load, self._table, session)

    async def disowned(self, held: Mapping[str, int]) -> dict[str, str]:
        return await _store(standings.disowned, self._table, held)

    async def past(self, session: str) -> list[PastTurn]:
        """The latest finished turns, as they were heard, within what one message may hold."""
        kept = [_past(turn) for turn in await _store(turns.latest, self._table, session, PAST_TURNS)]
        chars, first = 0, len(kept)
        while first and (chars := chars + _chars(kept[first - 1])) <= PAST_CHARS:
            first -= 1
        return kept[first:]

    async def save_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        kept = await self._put_turn(session, epoch, turn)
        seconds = (kept.ended_at - kept.started_at) / 1000
        await _store(usage.add, self._table, session.id, epoch, turn.number, turn.tokens, seconds)
        if self._meter is not None:
            self._meter.turn(turn)

    async def amend_turn(self, session: Session, epoch: int, turn: Turn) -> None:
        await self._put_turn(session, epoch, turn)

    async def save_tokens(self, session: Session, epoch: int, seq: int, tokens: Tokens) -> None:
        await _store(usage.add, self._table, session.id, epoch, seq, tokens, 0.0)

    async def _put_turn(self, session: Session, epoch: int, turn: Turn) -> turns.Turn:
        late_s = asyncio.get_running_loop().time() - turn.ended_at  # the store may have been down
        kept = turns.fit(record_of(turn, self._clock() - late_s))
        await _store(turns.put, self._table, session.id, epoch, kept)
        if kept.truncated:
            self._note("turn truncated", "turn_truncated", session)
        return kept

    def _note(self, what: str, trouble: str, session: Session) -> None:
        logger.warning(what, extra={"session_id": session.id})
        if self._meter is not None:
            self._meter.troubles({trouble: 1})

    async def save_connected(self, session: Session, epoch: int, seconds: float) -> None:
        now = int(self._clock())
        more_s = await _store(minutes.note_connected, self._table, session.id, epoch, seconds, now)
        if self._meter is not None and more_s > 0:
            self._meter.connected(more_s)

    async def save_handle(self, session: Session, epoch: int, handle: str) -> None:
        now = int(self._clock())
        if not await _store(sessions.save_handle, self._table, session.id, epoch, handle, now):
            self._note("handle not kept", "handle_not_kept", session)

    async def finish(self, session: Session, epoch: int, reason: str) -> None:
        await _store(sessions.finish, self._table, session.id, epoch, reason, int(self._clock()))


def _chars(turn: PastTurn) -> int:
    return len(turn.user) + len(turn.agent)


def _past(turn: turns.Turn) -> PastTurn:
    heard = turn.agent_text if turn.heard is None else turn.heard
    user, agent = turn.user_text[:PAST_TEXT_CHARS], heard[:PAST_TEXT_CHARS]
    is_cut = turn.truncated or (user, agent) != (turn.user_text, heard)
    return PastTurn(turn.number, user, agent, turn.interrupted_at_ms is not None, is_cut)


def record_of(turn: Turn, wall_s: float) -> turns.Turn:
    """The turn as it is kept. It ended at `wall_s`: its own times are the loop's."""
    ended_ms = round(wall_s * 1000)
    return turns.Turn(
        number=turn.number,
        user_text=turn.user_text,
        agent_text=turn.agent_text,
        heard=turn.heard_text() if turn.cut_at is not None else None,
        interrupted_at_ms=round(turn.heard_ms()) if turn.cut_at is not None else None,
        started_at=ended_ms - round(turn.lasted_s * 1000),
        ended_at=ended_ms,
        audio_ms=round(turn.audio_ms),
        tools=[turns.ToolUse(use.call_id, use.name, use.args, use.ok, use.took_ms) for use in turn.tools],
        truncated=turn.user_words.is_cut or turn.agent_words.is_cut,
    )


class TaskRecord:
    """This task's own record: that it lives, how full it is, what it is ordered to do."""

    def __init__(
        self,
        table: Table,
        config: RelayConfig,
        clock: Callable[[], float] = time.time,
        targets: Targets | None = None,
    ) -> None:
        self._table, self._config, self._clock, self._targets = table, config, clock, targets

    async def ready(self, address: str) -> None:
        """Raises Nowhere when there is a load balancer that does not take us."""
        if self._targets is not None:
            _, private = await asyncio.to_thread(interface, self._config.metadata_url)
            await asyncio.to_thread(self._targets.enter, private, self._config.port)
        await _store(relays.ready, self._table, self._config.relay, address, int(self._clock()))

    async def heartbeat(self, held: Collection[str]) -> set[str]:
        """Returns the orders that were left for this relay. Raises Unregistered."""
        now = int(self._clock())

        def beat() -> set[str]:
            try:
                return relays.heartbeat(self._table, self._config.relay, len(held), now, held)
            except ConditionFailed:
                raise Unregistered from None

        return await _store(beat)

    async def retire_if_idle(self) -> bool:
        now = int(self._clock())
        return await _store(relays.retire_if_idle, self._table, self._config.relay, now)

    async def stopping(self) -> None:
        if self._targets is not None:
            try:
                await asyncio.to_thread(self._targets.leave)
            except (BotoCoreError, ClientError) as error:  # its health checks will notice
                logger.warning("still a target", extra={"error_type": type(error).__name__})
        await _store(relays.stopping, self._table, self._config.relay)

    async def leave(self) -> None:
        await _store(relays.leave, self._table, self._config.relay)


class Functions:
    """The two functions a relay may invoke."""

    def __init__(self, client: Any, config: RelayConfig) -> None:
        self._client = client
        self._config = config
        self._threads = ThreadPoolExecutor(config.capacity + 1, "invoke")

    async def mint(self, session: str, epoch: int, handle: str | None) -> Credential:
        """A single-use credential for one connection to the model. Raises MintRefused."""
        asked = {"session": session, "epoch": epoch, "relay": self._config.relay, "handle": handle}
        try:
            answer = await self._invoke(self._config.mint_function, asked)
        except (BotoCoreError, ClientError, ValueError):
            raise MintRefused("mint_failed") from None
        if "token" not in answer:
            raise MintRefused(str(answer.get("error", "mint_failed")))
        silence_ms = int(answer.get("silence_ms") or SILENCE_MS)
        lock = answer["token_lock"]
        return Credential(answer["token"], answer["model"], answer["expires_at"], lock, silence_ms)

    async def announce(self) -> None:
        """Have `ready` sent to all who wait for this relay. Whom that does not reach asks again by itself."""
        ready = {"relay_ready": self._config.relay}
        for attempt in range(ANNOUNCEMENTS):
            await asyncio.sleep(attempt)
            try:
                answer = await self._invoke(self._config.session_function, ready)
                if answer.get("left") == 0:
                    return
            except (BotoCoreError, ClientError, ValueError) as error:
                logger.warning("waiting clients not told", extra={"error": type(error).__name__})

    async def make_room(self, calls: int) -> int:
        """Places for so many calls on other relays that are ready. What is missing is started."""
        asked = {"relay_leaving": self._config.relay, "calls": calls}
        try:
            return int((await self._invoke(self._config.session_function, asked)).get("room", 0))
        except (BotoCoreError, ClientError, ValueError) as error:
            logger.warning("no room asked for", extra={"error": type(error).__name__})
            return 0

    async def _invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        call = partial(self._invoke_blocking, function, event)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _invoke_blocking(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer or not isinstance(body, dict):
            return {}
        return body


def connect(config: RelayConfig) -> tuple[TableLedger, TaskRecord, Functions]:
    """Everything the relay needs of AWS. Region, credentials and endpoints are boto3's own settings."""
    table = Table(boto3.client("dynamodb", config=_settings(5, 3, STORE_THREADS)), config.table)
    functions = Functions(boto3.client("lambda", config=_settings(28, 2, config.capacity + 1)), config)
    targets = None
    if config.target_groups:
        targets = Targets(boto3.client("elbv2", config=_settings(5, 3, 4)), config.target_groups, config.slot)
    ledger = TableLedger(table, meter=Meter(config.service))
    return ledger, TaskRecord(table, config, targets=targets), functions


async def find_address(config: RelayConfig, port: int) -> str:
    """host:port that the edge dials: the one that is set, else what EC2 calls us. Raises Nowhere."""
    if config.address:
        return config.address
    if not config.metadata_url:
        return f"{config.host}:{port}"
    ec2 = boto3.client("ec2", config=_settings(5, 3, 4))
    mac, _ = await asyncio.to_thread(interface, config.metadata_url)
    try:
        return f"{await asyncio.to_thread(public_name, ec2, mac)}:{port}"
    except (BotoCoreError, ClientError) as error:
        raise Nowhere(type(error).__name__) from None


def provenance(config: RelayConfig) -> Check:
    """Who may knock: anybody who can, or only our edge."""
    if not config.origin_secret_parameter:
        return anywhere
    ssm, name = boto3.client("ssm", config=_settings(5, 3, 4)), config.origin_secret_parameter

    def read() -> str:
        try:
            return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
        except (BotoCoreError, ClientError):
            raise LedgerUnavailable from None

    return SecretHeader(read)


def _settings(read_s: int, attempts: int, threads: int) -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=read_s,
        retries={"mode": "standard", "max_attempts": attempts},
        max_pool_connections=threads,
    )
