"""The Gemini leg on real sockets: how it connects, and what it says of a refusal."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from relay import gemini
from relay.model import Credential
from simulator import certificate

CREDENTIAL = Credential("auth_tokens/x", "m", 0, "full")
Script = Callable[[ServerConnection], Awaitable[None]]


async def set_up(connection: ServerConnection) -> None:
    """What Google says to a setup it takes; then it listens."""
    await connection.recv()
    await connection.send(json.dumps({"setupComplete": {}}))
    await connection.wait_closed()


@contextlib.asynccontextmanager
async def google(script: Script, tls: ssl.SSLContext | None = None, **options: object) -> AsyncIterator[str]:
    """A server on loopback that speaks as `script` does. Yields its base URL."""
    async with serve(script, "127.0.0.1", 0, ssl=tls, **options) as server:  # type: ignore[arg-type]
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"


async def test_all_legs_share_one_tls_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection made its own: 20 ms of a blocked loop and 0.9 MB."""
    made, make = [], ssl.create_default_context

    def counted(*args: object, **named: object) -> ssl.SSLContext:
        made.append(make(*args, **named))  # type: ignore[arg-type]
        return made[-1]

    server_side, trusted = certificate.make(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setattr(ssl, "create_default_context", counted)
    gemini.tls_context.cache_clear()
    async with google(set_up, server_side) as url:
        legs = [await gemini.open_leg(url, CREDENTIAL, None) for _ in range(3)]
        for leg in legs:
            await leg.close()
    assert len(made) == 1
    gemini.tls_context.cache_clear()


async def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    server_side, _ = certificate.make(tmp_path, "127.0.0.1")
    async with google(set_up, server_side) as url:
        with pytest.raises(gemini.UpstreamError, match="upstream_unavailable"):
            await gemini.open_leg(url, CREDENTIAL, None)
