"""Mints a relay's credential for one connection to the model."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from agents.catalogue import TOKEN_CHARS, Agent
from functions.core.minting.gemini_tokens import MintFailed
from functions.core.runtime.entry import logger
from functions.core.runtime.secrets_cache import SecretUnavailable
from gemini import setup
from gemini.refusals import FALLS_BACK
from gemini.tokens import Lock, TokenRequest
from records import budgets, sessions
from records.session_status import end_code
from records.sessions import Session
from records.table import StoreError, Table

LONGEST_S = 30 * 60  #: a connection lasts ten minutes; a leaked token is valid for no longer
MARGIN_S = 60  #: the relay ends a session before its token does
HELD_S = 45  #: an answer made ahead is given for so long: its token must be used within 90 s
HELD = 16  #: answers that are kept at a time, the newest


class MintRequest(msgspec.Struct, frozen=True):
    """Request of a relay."""

    session: str
    epoch: int
    relay: str
    handle: str | None = None  #: of the model, to continue the conversation
    refused: tuple[str, ...] = ()  #: models that could not be had; others are taken while there are any
    check: bool = False  #: whether there would be a token is all that is asked: it is not given
    ahead_at: int = 0  #: epoch s; `session` asks while the relay starts: the answer is kept for the relay


class Refused(Exception):
    """Request refused. `code` is in the protocol's registry."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Minter(Protocol):
    def mint(self, key: str, request: TokenRequest) -> str:
        """A token. Raises MintFailed."""


class Road(Protocol):
    """A road to the model without ephemeral tokens."""

    def credential(self, request: TokenRequest) -> dict[str, Any]:
        """What the relay needs for one connection. Raises MintFailed."""


class Key(Protocol):
    """The long-lived key."""

    def __call__(self) -> str:
        """Value of the key. Raises SecretUnavailable."""
        ...

    def forget(self) -> None:
        """Drop the cached value."""
        ...


@dataclass(frozen=True, slots=True)
class Mint:
    """Checks the requesting relay, builds the setup, and mints the token."""

    table: Table
    minter: Minter
    key: Key
    agents: Callable[[], Mapping[str, Agent]]
    clock: Callable[[], float]  #: wall clock, epoch s
    lock: Lock
    road: Road | None = None  #: in place of tokens
    held: dict[MintRequest, tuple[int, dict[str, Any]]] = field(default_factory=dict, repr=False)
    #: by the relay's request to come, since when, and the answer

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Reply to the relay. Raises Refused, MintFailed.

        What this environment was asked for ahead is at hand; another environment mints it anew.
        """
        try:
            asked = msgspec.convert(event, MintRequest)
        except msgspec.ValidationError:
            raise Refused("bad_message") from None
        now = int(self.clock())
        session = self._load_current(asked, now)
        if asked.ahead_at:
            return self._hold(asked, session, now)
        since, held = self.held.pop(asked, (0, {}))
        return held if since > now - HELD_S else self._mint(asked, session, now)

    def _hold(self, asked: MintRequest, session: Session, now: int) -> dict[str, Any]:
        """Keep the answer to the relay, and give nothing. A request that was long on its way: nobody's."""
        relays = msgspec.structs.replace(asked, ahead_at=0)
        if asked.ahead_at > now - HELD_S and relays not in self.held:
            self.held[relays] = now, self._mint(relays, session, now)
            while len(self.held) > HELD:
                del self.held[next(iter(self.held))]
        return {}

    def _mint(self, asked: MintRequest, session: Session, now: int) -> dict[str, Any]:
        agent = self.agents().get(session.agent)
        if agent is None:
            raise Refused("agent_unknown")
        if not asked.check:
            self._hold_money(session.id, now)
        models = _models(agent, session, asked)
        model, request, credential = self._first(models, agent, session, asked, now)
        if asked.check:
            return {"checked": True}
        return {
            **credential,
            "model": model,
            "is_fallback": model != agent.model,
            "has_other": model != models[-1],
            "greets": _greets(agent, session, asked),
            "expires_at": request.expires_at * 1000,
            "silence_ms": agent.turn_detection.silence_ms,
            "sensitivity": agent.turn_detection.sensitivity,
            "agent": {"name": agent.name, "tools": setup.tool_names(agent, session)},
            "turns": session.config.turns,
            "setup_tokens": _tokens(request.setup),
            "idle_s": agent.limits.idle_minutes and agent.limits.idle_minutes * 60,
            "tells_cost": "cost" in agent.allow,
        }

    def warm_up(self) -> None:
        """Have the key, before a relay asks. Whether it can be had, the relay is told."""
        if self.road is None:
            with suppress(SecretUnavailable):
                self.key()

    def _hold_money(self, session: str, now: int) -> None:
        """Reserve what the connection may cost at first. Raises Refused when nothing is left."""
        try:
            held = budgets.hold(self.table, session, now).held
        except StoreError:
            raise Refused("store_unavailable") from None
        if held <= 0:
            raise Refused("quota_exceeded")

    def _first(
        self, models: Sequence[str], agent: Agent, session: Session, asked: MintRequest, now: int
    ) -> tuple[str, TokenRequest, dict[str, Any]]:
        """The first of the models that there is a credential for. Raises MintFailed.

        A handle is of one model: with one there is no other.
        """
        expires_at = min(session.ends_at, now + LONGEST_S) + MARGIN_S
        today = datetime.datetime.fromtimestamp(now, datetime.UTC).date().isoformat()
        for model in models:
            built = setup.build(agent, model, session, today, is_fresh=asked.handle is None)
            request = TokenRequest(model, built, asked.handle, self.lock, now, expires_at)
            try:
                return model, request, self._credential(request)
            except MintFailed as failed:
                if failed.code not in FALLS_BACK or asked.handle is not None or model == models[-1]:
                    raise
                logger.warning("model fell back", extra={"model": model, "code": failed.code})
        raise AssertionError("an agent has a model")

    def _credential(self, request: TokenRequest) -> dict[str, Any]:
        if self.road is not None:
            return self.road.credential(request)
        return {"token": self._token(request), "token_lock": self.lock}

    def _token(self, request: TokenRequest) -> str:
        """Mint with the cached key; when that was replaced meanwhile, with the new one."""
        held = self.key()
        try:
            return self.minter.mint(held, request)
        except MintFailed as failed:
            if failed.code != "key_refused":
                raise
            self.key.forget()
            kept = self.key()
            if kept == held:
                self.key.forget()  # a key that the operator replaces is then used at once
                raise
        return self.minter.mint(kept, request)

    def _load_current(self, asked: MintRequest, now: int) -> Session:
        """Load the session. Refuses a relay that no longer owns it: it must not reach the model."""
        try:
            session = sessions.load(self.table, asked.session)
        except StoreError:
            raise Refused("store_unavailable") from None
        if session is None:
            raise Refused("session_unknown")
        if (session.epoch, session.relay) != (asked.epoch, asked.relay):
            raise Refused("superseded")
        if session.state == "ENDED" or session.ends_at <= now:
            raise Refused(end_code(session.reason))
        return session


def _tokens(built: Mapping[str, Any]) -> int:
    """About how many instructions and tools take: the model reads them for every turn."""
    declared = [built.get("system_instruction"), built.get("tools")]
    return sum(len(json.dumps(part)) for part in declared if part) // TOKEN_CHARS


def _greets(agent: Agent, session: Session, asked: MintRequest) -> bool:
    """Whether the agent is to begin: it does so once, and not again on another relay."""
    return bool(agent.greeting) and session.next_turn == 1 and session.epoch == 1 and asked.handle is None


def _models(agent: Agent, session: Session, asked: MintRequest) -> Sequence[str]:
    """The agent's models to try, in order. A session that fell back stays with what it fell back to."""
    left = [model for model in agent.choices if model not in asked.refused] or list(agent.choices)
    return left[left.index(session.model) :] if session.model in left else left
