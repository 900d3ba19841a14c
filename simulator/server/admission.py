"""Admission of a connection: credentials, setup, and the snapshot to resume from."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from simulator.conversation.world import World
from simulator.faults import RefuseHandle
from simulator.session import setup, vertex
from simulator.session.context import Memory, Snapshot, text_tokens
from simulator.session.setup import Setup
from simulator.session.tokens import Token
from simulator.speech.turn_detection import TurnDetector
from simulator.wire import refusal
from simulator.wire.refusal import Close, Refusal, invalid

TOKEN_PREFIX = "auth_tokens/"


@dataclass(frozen=True, slots=True)
class Handshake:
    """API version, method and credentials of a WebSocket handshake."""

    version: str
    is_constrained: bool
    key: str
    token: str
    bearer: str = ""  #: of Google Cloud: the connection is Vertex's


@dataclass(frozen=True, slots=True)
class Admitted:
    setup: Setup
    memory: Memory
    detector: TurnDetector
    token: Token | None
    was_resumed: bool


def read_handshake(
    version: str, method: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> Handshake:
    """Read the credentials where the SDKs put them: in the query or in headers."""
    authorization = headers.get("Authorization", "")
    token = query.get("access_token", "")
    if not token and authorization.startswith("Token "):
        token = authorization.removeprefix("Token ").strip()
    key = query.get("key", "") or headers.get("x-goog-api-key", "")
    return Handshake(version, method.endswith("Constrained"), key, token)


def read_bearer(headers: Mapping[str, str]) -> str:
    """The bearer of a handshake with Vertex; any will do. Empty: there is none."""
    authorization = headers.get("Authorization", "")
    return authorization.removeprefix("Bearer ").strip() if authorization.startswith("Bearer ") else ""


def check_key(key: str, world: World) -> None:
    """Raises Refusal for no key, a token in its place, or one that is not the configured one."""
    if not key or key.startswith(TOKEN_PREFIX):
        raise Refusal(refusal.UNREGISTERED)
    if world.api_key is not None and not secrets.compare_digest(key.encode(), world.api_key.encode()):
        raise Refusal(refusal.BAD_KEY)


def admit(handshake: Handshake, raw: dict[str, Any], world: World, refuses: RefuseHandle | None) -> Admitted:
    """Open the session of `raw` (the client's setup). Raises Refusal.

    Every refusal waits for the setup message: both SDKs then report code and reason.
    """
    token = None
    if handshake.is_constrained:
        token = world.tokens.admit(handshake.token)
        raw = world.tokens.lock(token, raw)
    elif handshake.bearer:
        raw = vertex.as_ours(raw, handshake.version)
    else:
        check_key(handshake.key, world)
    agreed = setup.read(raw, handshake.version, world.models)
    if handshake.bearer:
        agreed = replace(agreed, is_vertex=True)
    snapshot = _resumed(agreed, world, refuses) if agreed.handle else None
    if token:
        world.tokens.spend(token, resumes=snapshot is not None)
    memory = snapshot.memory.copied() if snapshot else _fresh(agreed, world)
    memory.setup_tokens = text_tokens(agreed.instruction) + -(-agreed.tools_chars // 4)
    detector = snapshot.detector.copied(agreed.detection) if snapshot else TurnDetector(agreed.detection)
    return Admitted(agreed, memory, detector, token, snapshot is not None)


def _fresh(agreed: Setup, world: World) -> Memory:
    hears_all = world.behaviour.listening == "all"
    return Memory(secrets.token_hex(6), agreed.model.name, listens_to_all=hears_all)


def _resumed(agreed: Setup, world: World, refuses: RefuseHandle | None) -> Snapshot:
    """The snapshot of the setup's handle. On resume everything but the model may change."""
    snapshot = world.handles.find(agreed.handle or "")
    if refuses:
        raise Refusal(Close(refuses.code, refuses.reason))
    if snapshot is None:
        raise Refusal(refusal.HANDLE_UNKNOWN)
    if snapshot.memory.model != agreed.model.name:
        raise invalid()
    if world.behaviour.resume_needs_old_closed and world.handles.open_count(snapshot.memory.lineage):
        raise Refusal(refusal.OLD_STILL_OPEN)
    return snapshot
