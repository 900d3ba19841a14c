"""Tickets: single-use secrets that admit a client to a relay. Only their hash is stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from records.table import ConditionFailed, Key, Table

LIFETIME_S = 60  #: from `ready` to the client's connection
KEEP_S = 3600  #: retention; a used ticket is distinguished from an unknown one for this long


@dataclass(frozen=True, slots=True)
class Ticket:
    """Binding of a ticket: session, epoch, relay and origin."""

    session: str
    epoch: int
    relay: str
    origin: str  #: of the page that asked for it, empty for a native client


@dataclass(frozen=True, slots=True)
class Burn:
    """Result of presenting a ticket. The binding is empty unless the ticket is known."""

    status: Literal["ok", "used", "expired", "unknown"]
    session: str = ""
    epoch: int = 0
    origin: str = ""


def new() -> str:
    """A fresh secret of 256 bits."""
    return secrets.token_urlsafe(32)


def put(table: Table, ticket: str, bound: Ticket, now: int) -> int:
    """Store a ticket's hash and binding. Returns the epoch s at which it expires."""
    expires_at = now + LIFETIME_S
    held = {
        "session": bound.session,
        "epoch": bound.epoch,
        "relay": bound.relay,
        "origin": bound.origin,
        "expires_at": expires_at,
        "ttl": now + KEEP_S,
    }
    table.put(_key(ticket), held, "attribute_not_exists(PK)")
    return expires_at


def burn(table: Table, ticket: str, *, relay: str, now: int) -> Burn:
    """Use a ticket at a relay. Of any number of attempts one gets "ok"; another relay's ticket is "unknown".

    "ok" also marks the session as joined, so that its lease is not taken for an unused one.
    """
    attempt = secrets.token_hex(8)
    try:
        item = table.update(
            _key(ticket),
            "SET #used_at = :now, #used_by = :attempt",
            "#relay = :relay AND attribute_not_exists(#used_at) AND #expires_at > :now",
            now=now,
            attempt=attempt,
            relay=relay,
        )
    except ConditionFailed as refused:
        item = refused.item
        # The client library may have retried a write whose response was lost: then it is our own.
        if item.get("used_by") != attempt:
            return _refusal(item, relay)
    bound = Burn("ok", item["session"], item["epoch"], item["origin"])
    _mark_joined(table, bound)
    return bound


def _refusal(item: dict[str, object], relay: str) -> Burn:
    if item.get("relay") != relay:
        return Burn("unknown")
    status: Literal["used", "expired"] = "used" if "used_at" in item else "expired"
    return Burn(status, str(item["session"]), int(str(item["epoch"])), str(item["origin"]))


def _mark_joined(table: Table, bound: Burn) -> None:
    """Set `joined_epoch`. A session in a newer epoch is left alone; the relay learns that from its record."""
    try:
        table.update(
            Key(f"SES#{bound.session}"), "SET #joined_epoch = :epoch", "#epoch = :epoch", epoch=bound.epoch
        )
    except ConditionFailed:
        pass


def _key(ticket: str) -> Key:
    return Key(f"TKT#{hashlib.sha256(ticket.encode()).hexdigest()}")
