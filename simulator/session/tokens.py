"""Ephemeral tokens: uses, lifetimes, and the setup that one locks.

Lifetimes are taken relative to the moment of minting, so they shrink with the
time scale like every other duration (a window for new sessions: within reason).
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from simulator.clock import Clock
from simulator.wire import refusal
from simulator.wire.fields import AUTH_TOKEN, SETUP, camel, conform
from simulator.wire.refusal import Refusal, invalid, unknown_name

LIFETIME_S = 30 * 60.0  #: `expireTime` when not given
NEW_SESSION_S = 60.0  #: `newSessionExpireTime` when not given
LONGEST_S = 20 * 3600.0  #: neither may be further away
#: Real seconds that a new-session window stays open at least: connecting takes a client as long as ever,
#: however fast the simulated time runs.
SHORTEST_WINDOW_S = 5.0
KEPT_TOKENS = 10_000  #: the oldest are forgotten beyond this

LockedHandle = Literal["honour", "reject", "ignore"]


@dataclass(slots=True)
class Token:
    name: str
    expires_at: float  #: virtual seconds; a running session dies then, too
    new_session_until: float
    uses_left: int | None  #: None: unlimited
    setup: dict[str, Any] | None  #: camelCase
    mask: tuple[str, ...] | None  #: None with a setup: the client's setup is ignored altogether


class TokenBook:
    """Every token minted by this simulator."""

    def __init__(self, clock: Clock, locked_handle: LockedHandle = "honour") -> None:
        self._clock = clock
        self._locked_handle = locked_handle
        self._tokens: dict[str, Token] = {}

    def mint(self, body: Any) -> Token:
        """A token for the body of `POST auth_tokens`. Raises Refusal (its reason is a 400's message)."""
        given = conform(body, AUTH_TOKEN)
        expires = self._lifetime(given.get("expireTime"), LIFETIME_S, "expire_time")
        window = self._lifetime(given.get("newSessionExpireTime"), NEW_SESSION_S, "new_session_expire_time")
        if window > 0:
            window = max(window, SHORTEST_WINDOW_S * self._clock.scale)
        now = self._clock.now()
        setup = given.get("bidiGenerateContentSetup")
        token = Token(
            name="auth_tokens/" + secrets.token_hex(24),
            expires_at=now + expires,
            new_session_until=now + window,
            uses_left=_uses(given.get("uses", 1)),
            setup=setup,
            mask=_mask(given.get("fieldMask")) if setup is not None else None,
        )
        self._tokens[token.name] = token
        while len(self._tokens) > KEPT_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return token

    def setup_of(self, name: str) -> dict[str, Any] | None:
        """The setup that a token locks; None without one."""
        token = self._tokens.get(name)
        return token.setup if token else None

    def admit(self, name: str) -> Token:
        """The token of that name, still alive. Raises Refusal."""
        token = self._tokens.get(name)
        if token is None:
            raise Refusal(refusal.UNREGISTERED)
        if self._clock.now() >= token.expires_at:
            raise Refusal(refusal.TOKEN_EXPIRED)
        return token

    def lock(self, token: Token, client: dict[str, Any]) -> dict[str, Any]:
        """Merge the client's setup with the token's lock.

        A locked setup without a field mask replaces the client's whole setup: its
        resumption handle goes with it, and the session silently starts afresh.
        """
        if token.setup is None:
            return client
        if token.mask is None:
            locked: dict[str, Any] = _copied(token.setup)
            return self._with_handle_rule(locked)
        merged: dict[str, Any] = _copied(client)
        for path in token.mask:
            _overwrite(merged, token.setup, path.split("."))
        if any(path.startswith("sessionResumption") for path in token.mask):
            return self._with_handle_rule(merged)
        return merged

    def spend(self, token: Token, *, resumes: bool) -> None:
        """Count a use. Resuming a session is free, and allowed after the window and the uses are gone."""
        if resumes:
            return
        if self._clock.now() >= token.new_session_until:
            raise Refusal(refusal.TOKEN_TOO_LATE)
        if token.uses_left == 0:
            raise Refusal(refusal.TOKEN_SPENT)
        if token.uses_left is not None:
            token.uses_left -= 1

    def _with_handle_rule(self, setup: dict[str, Any]) -> dict[str, Any]:
        """Treat a handle inside the lock as configured; what Google does is disputed."""
        handle = setup.get("sessionResumption", {}).get("handle")
        if handle and self._locked_handle == "reject":
            raise Refusal(refusal.HANDLE_LOCKED)
        if handle and self._locked_handle == "ignore":
            setup["sessionResumption"] = {}
        return setup

    def _lifetime(self, given: Any, default: float, field: str) -> float:
        if given is None:
            return default
        left = _instant(given, field) - datetime.now(UTC).timestamp()
        if left > LONGEST_S:
            raise invalid(f"{field} is too far in the future. Maximum lifetime is 20h")
        return left


def _instant(given: Any, field: str) -> float:
    try:
        when = datetime.fromisoformat(given)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError):
        raise invalid(f"Invalid value at '{field}' (type.googleapis.com/google.protobuf.Timestamp)") from None


def _uses(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise invalid("Invalid value at 'uses' (TYPE_INT32)")
    return given or None


def _mask(given: Any) -> tuple[str, ...] | None:
    """The paths of a field mask, camelCase. Raises Refusal for a path that a setup does not have."""
    if given in (None, ""):
        return None
    if not isinstance(given, str):
        raise invalid("Invalid value at 'field_mask' (type.googleapis.com/google.protobuf.FieldMask)")
    paths = tuple(".".join(camel(name) for name in path.strip().split(".")) for path in given.split(","))
    for path in paths:
        shape: Any = SETUP
        for name in path.split("."):
            if not isinstance(shape, dict):
                break
            if name not in shape:
                raise unknown_name(path, "field_mask")
            shape = shape[name]
    return paths


def _copied(value: Any) -> Any:
    """A deep copy of JSON."""
    if isinstance(value, dict):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _overwrite(target: dict[str, Any], source: dict[str, Any], path: list[str]) -> None:
    """Give `target` what `source` has at `path`: nothing, if it has nothing there."""
    name, *rest = path
    inner = source.get(name)
    if rest and (isinstance(inner, dict) or inner is None):
        if inner is None and name not in target:
            return
        nested = target.setdefault(name, {})
        if isinstance(nested, dict):
            _overwrite(nested, inner or {}, rest)
            return
    if inner is None:
        target.pop(name, None)
    else:
        target[name] = _copied(inner)
