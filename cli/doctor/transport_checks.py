"""The first ten steps of `doctor`: both roads by hand, each handshake and each reply checked by itself."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from cli.doctor.handshake import Refused, open_handshake
from cli.doctor.steps import Checkup, Trouble
from protocol.client import ClientSession
from protocol.codec import control_replies, encode
from protocol.control import ClientInfo, ControlError, ControlReply, End, Ready, Start, Starting
from protocol.credentials import Kind
from protocol.errors import RemoteProtocolError
from protocol.limits import LIVE_TIMEOUT_S, REPLY_TIMEOUT_S, VERSIONS
from protocol.media import EndCall, Ended, Error, Live, Ping, Pong
from vivavoce.reconnect import is_relay_failure
from vivavoce.wire import is_loopback, place

PINGS = 5
PONG_S = 10.0  #: for each of them
CLOSE_S = 3.0  #: for the server's `ended` and its close
FORBIDDEN, UNAUTHORIZED = 403, 401
UNREACHED = (502, 503, 504)
MODELS = "upstream_"  #: how codes begin that are the model's

Knock = Callable[..., Awaitable[ClientConnection]]


@dataclass
class Roads:
    """Steps from the name to `live`, in one session, which they end."""

    checkup: Checkup
    url: str
    token: str = field(repr=False)
    agent: str
    timeout_s: float  #: for a relay to start
    session: str = ""
    _wires: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def walk(self) -> None:
        """Run the steps. Raises Stopped at the first that fails."""
        async with self._wires:
            await self._resolve()
            control = await self._connect()
            try:
                ready = await self._start(control)
                await self._ride(ready)
            except BaseException:
                await self._give_up(control)
                raise

    # ---- the control road

    async def _resolve(self) -> None:
        with self.checkup.step("dns") as step:
            parts = urlsplit(self.url)
            port = parts.port or (443 if parts.scheme == "wss" else 80)
            try:
                found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port)
            except OSError:
                raise Trouble("unknown_host", f"{parts.hostname} is not known") from None
            count = len({address[4][0] for address in found})
            step.detail = f"{parts.hostname}: {count} address{'es' * (count > 1)}"

    async def _connect(self) -> ClientConnection:
        refused, wire = None, None
        with self.checkup.step("connect") as step:
            try:
                wire = await self._open(open_handshake, self.url, "jwt", self.token)
                step.detail = f"{place(self.url)} upgraded to a WebSocket"
            except Refused as refusal:
                if refusal.status not in (UNAUTHORIZED, FORBIDDEN):
                    raise
                refused, step.detail = refusal, f"{place(self.url)} answers"
        with self.checkup.step("auth") as step:
            step.ms = None
            if refused is not None:
                raise refused
            step.detail = "the token was let in"
        assert wire is not None
        return wire

    async def _start(self, control: ClientConnection) -> Ready:
        request = secrets.token_urlsafe(16)
        with self.checkup.step("start") as step:
            start = Start(request, list(VERSIONS), self.agent, client=ClientInfo("vivavoce-doctor"))
            await control.send(encode(start))
            reply = await _reply(control, REPLY_TIMEOUT_S, "no_answer")
            self.session = reply.session
            step.detail = f"session {reply.session}"
        with self.checkup.step("cold start") as step:
            deadline = time.monotonic() + self.timeout_s
            waited = False
            while not isinstance(reply, Ready):
                if isinstance(reply, Starting) and reply.stage != "admitted":
                    waited = True
                    about = f", about {max(1, round(reply.eta_ms / 1000))} s" if reply.eta_ms else ""
                    self.checkup.wait(f"starting: {reply.stage}{about}")
                reply = await _reply(control, deadline - time.monotonic(), "never_ready")
            step.detail = "a relay was started" if waited else "a relay was there"
        with self.checkup.step("ticket") as step:
            step.ms, step.detail = None, _describe(reply)
        return reply

    # ---- the media road

    async def _ride(self, ready: Ready) -> None:
        media = ready.media
        with self.checkup.step("edge") as step:
            try:
                wire = await self._open(open_handshake, media.url, "ticket", media.ticket, media.protocols)
            except Refused as refusal:
                code = _proxy_code(refusal) if media.protocols else _edge_code(refusal)
                raise Trouble(code, f"{refusal.detail}; {_clients_do(refusal)}") from None
            step.detail = f"{place(media.url)} led the upgrade to the relay"
        road = MediaRoad(wire)
        with self.checkup.step("echo") as step:
            step.ms, step.detail = await _echo(road)
        await self._reach_model(road)
        await road.end()
        self.session = ""

    async def _reach_model(self, media: MediaRoad) -> None:
        self.checkup.wait("the relay opens the model")
        failure: Trouble | None = None
        with self.checkup.step("mint") as step:
            step.ms = None
            try:
                await media.live()
            except Trouble as trouble:
                if not trouble.code.startswith(MODELS):
                    raise
                failure = trouble
            step.detail = "inferred: without a credential there is no way to the model"
        with self.checkup.step("model") as step:
            if failure is not None:
                raise failure
            step.ms = media.live_ms
            step.detail = "`live` came: the model took the setup (with the credential's time)"

    async def _open(self, how: Knock, url: str, kind: Kind, *credentials: Any) -> ClientConnection:
        wire = await how(url, kind, *credentials)
        self._wires.push_async_callback(wire.close)
        return wire

    async def _give_up(self, control: ClientConnection) -> None:
        """End the session that got stuck: it would count as open for minutes."""
        if self.session:
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await control.send(encode(End(self.session)))
                    await control.recv()


class MediaRoad:
    """The media connection before and at `live`."""

    def __init__(self, wire: ClientConnection) -> None:
        self.live_ms = 0
        self._wire = wire
        self._session = ClientSession()
        self._said_hello_at = 0.0
        self._is_live = False
        self._failure: Trouble | None = None  #: what the relay said before it closed

    async def ping(self) -> float:
        """Return the ms until the relay's answer. Raises Trouble: `silent`, or the relay's refusal."""
        if not self._said_hello_at:
            self._said_hello_at = time.perf_counter()
            await self._send(self._session.hello())
        sent_at = time.perf_counter()
        await self._send(encode(Ping(0)))
        await self._until(lambda item: isinstance(item, Pong), PONG_S, Trouble("silent", "no answer came"))
        return (time.perf_counter() - sent_at) * 1000

    async def live(self) -> None:
        """Wait for `live`: the model is there. Raises Trouble: `no_live`, or what the relay says of it."""
        if not self._is_live:
            late = Trouble("no_live", f"nothing came within {LIVE_TIMEOUT_S:.0f} s")
            await self._until(lambda item: isinstance(item, Live), LIVE_TIMEOUT_S, late)

    async def end(self) -> None:
        """Send `end`, and wait up to CLOSE_S for `ended`."""
        with suppress(Trouble):
            await self._send(encode(EndCall("checked")))
            await self._until(lambda item: isinstance(item, Ended), CLOSE_S, Trouble("silent", ""))

    async def _send(self, data: str) -> None:
        with suppress(ConnectionClosed):  # what it was closed for is still to be read
            await self._wire.send(data)

    async def _until(self, is_it: Callable[[object], bool], within_s: float, late: Trouble) -> None:
        try:
            async with asyncio.timeout(within_s):
                while True:
                    items: Sequence[object] = self._session.receive(await self._wire.recv())
                    for item in items:
                        self._note(item)
                    if any(map(is_it, items)):
                        return
        except TimeoutError:
            raise late from None
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            seen = f"closed with {code}" if code else "cut off"
            raise self._failure or Trouble("connection_lost", f"the media connection was {seen}") from None

    def _note(self, item: object) -> None:
        if isinstance(item, Live):
            self._is_live = True
            self.live_ms = round((time.perf_counter() - self._said_hello_at) * 1000)
        elif isinstance(item, Error) and item.fatal:
            self._failure = Trouble(item.code, f"{item.code}: {item.message}")


async def _echo(media: MediaRoad) -> tuple[int | None, str]:
    """Median of some round trips in ms, and their range. Raises Trouble.

    Bad news of the model may overtake the last of them. That the news came shows that the road is open, and
    the next steps tell it.
    """
    trips: list[float] = []
    try:
        while len(trips) < PINGS:
            trips.append(await media.ping())
    except Trouble as trouble:
        if not (trouble.code in ("mint_failed", "key_refused") or trouble.code.startswith(MODELS)):
            raise
    if not trips:
        return None, "the relay's word came through"
    return round(
        statistics.median(trips)
    ), f"round trip, {len(trips)} times {min(trips):.1f} to {max(trips):.1f} ms"


async def _reply(wire: ClientConnection, within_s: float, late: str) -> Starting | Ready:
    """The next reply about a session. Raises Trouble: `late`, `connection_lost`, or the server's code."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                reply = _decode(await wire.recv())
                if isinstance(reply, ControlError):
                    raise Trouble(reply.code, f"{reply.code}: {reply.message}")
                if isinstance(reply, Starting | Ready):
                    return reply
    except TimeoutError:
        raise Trouble(late, "no answer came in time") from None
    except ConnectionClosed:
        raise Trouble("connection_lost", "the control connection was closed") from None


def _decode(data: str | bytes) -> ControlReply | None:
    try:
        return control_replies.decode(data)  # type: ignore[no-any-return]
    except RemoteProtocolError:  # of a newer server, or of something between
        return None


def _describe(ready: Ready) -> str:
    """Return a description of the ticket and the route. Raises Trouble: `no_route`, `clock`."""
    parts, is_vm = urlsplit(ready.media.url), bool(ready.media.protocols)
    leads = is_vm or parts.path.startswith("/r/")
    if parts.scheme not in ("ws", "wss") or not parts.hostname or not leads:
        raise Trouble("no_route", f"the media URL leads to {parts.scheme}://{parts.netloc}")
    if parts.scheme == "ws" and not is_loopback(ready.media.url):
        raise Trouble("no_route", f"the media URL is not encrypted: ws://{parts.netloc}")
    left_s = ready.media.expires_at / 1000 - time.time()
    if left_s <= 0:
        raise Trouble("clock", f"expired {-left_s:.0f} s ago by this machine's clock")
    where = "a MicroVM's own address" if is_vm else f"slot {parts.path.split('/')[2]}"
    return f"single use, {left_s:.0f} s left; {where}"


def _clients_do(refusal: Refused) -> str:
    """Return what a refused upgrade makes every client do, in the words of the report."""
    wanted = "relay" if is_relay_failure(refusal.status, 0) else "ticket"
    return f"clients ask for another {wanted}"


def _proxy_code(refusal: Refused) -> str:
    """Code of who refused the upgrade to a MicroVM: the relay in it, or the proxy before it."""
    if refusal.status == UNAUTHORIZED:
        return "ticket_refused"
    return "no_vm" if refusal.status in UNREACHED else "vm_refused"


def _edge_code(refusal: Refused) -> str:
    """Code of who refused the upgrade: the edge function, the relay, or something else behind the edge."""
    if refusal.status == UNAUTHORIZED:
        return "ticket_refused"
    if refusal.status in UNREACHED:
        return "no_relay"
    if refusal.status == FORBIDDEN:
        if refusal.said == "origin_refused":
            return "not_by_edge"
        # The gateway, which is the origin that the edge function replaces, answers {"message": "Forbidden"}.
        return "not_switched" if refusal.said else "route_refused"
    return "not_switched"
