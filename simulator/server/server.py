"""One port for everything: the Live WebSocket, `POST auth_tokens`, and the control road."""

import re
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from simulator import replay
from simulator.conversation import world
from simulator.conversation.world import Config, World
from simulator.faults import Fault, RefuseHandshake, RefuseToken, name
from simulator.ledger import Ledger, fingerprint
from simulator.scenario import Scenario
from simulator.server import certificate
from simulator.server.admission import Handshake, check_key, read_bearer, read_handshake
from simulator.server.cases import Cases
from simulator.server.connection import Connection
from simulator.server.control import control
from simulator.server.federation import IMPERSONATE, STS, Federation
from simulator.server.loopback import is_foreign, is_loopback
from simulator.server.playback import Playback
from simulator.wire import refusal
from simulator.wire.refusal import Close, Refusal

#: The JavaScript SDK sends `//ws/…`: its base URL keeps a trailing slash.
_LIVE = re.compile(
    r"/+ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\."
    r"(BidiGenerateContent(?:Constrained)?)"
)
_VERTEX = re.compile(r"/+ws/google\.cloud\.aiplatform\.(v1|v1beta1)\.LlmBidiService/BidiGenerateContent")
_TOKENS = re.compile(r"/+(v1|v1beta|v1alpha)/auth_tokens")
GOING = Close(1001, "")  #: the simulator itself stops
STOP_S = 3.0  #: real seconds for connections to close when the simulator stops


class Running:
    """A running simulator: injects faults into open connections and holds the ledger."""

    def __init__(
        self, world: World, cases: Mapping[str, Scenario] | None = None, *, is_on_loopback: bool = True
    ) -> None:
        self.world = world
        self.cases = Cases(world, cases or {})
        self.is_on_loopback = is_on_loopback  #: then only this machine's own may ask
        self.url = ""  #: http://host:port or https://host:port
        self.certificate: Path | None = None  #: what clients must trust, with TLS
        self.connections: dict[int, Connection] = {}
        self.federation = Federation()
        self.playback: Playback | None = None  #: of a trace, in place of the simulated model
        self._count = 0

    @property
    def ledger(self) -> Ledger:
        return self.world.ledger

    def inject(self, fault: Fault, connection: int | None = None) -> int:
        """Give a fault to one open connection, or to all. Returns how many got it."""
        open_ones = [one for one in self.connections.values() if connection in (None, one.number)]
        for one in open_ones:
            one.triggers.add(fault)
        return len(open_ones)

    def state(self) -> dict[str, Any]:
        """Summary for a status page."""
        return {
            "scenario": self.world.scenario.name,
            "time_scale": self.world.clock.scale,
            "connections": sorted(self.connections),
            "speech": "espeak-ng" if self.world.speaker.uses_espeak else "synthetic",
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Every request of the port."""
        # Not `request.path`: a leading `//` would be read as a host.
        path = request.raw_path.partition("?")[0]
        is_control = path.startswith("/_control/")
        if self.is_on_loopback and is_foreign(request.headers.get, pages=not is_control):
            return _error(403, "PERMISSION_DENIED", "Only for this machine.")
        if is_control:
            return await control(request, self)
        live = _LIVE.fullmatch(path)
        if live and request.method == "GET":
            handshake = read_handshake(live[1], live[2], request.query, request.headers)
            return await self._live(request, handshake)
        vertex = _VERTEX.fullmatch(path)
        if vertex and request.method == "GET":
            if bearer := read_bearer(request.headers):
                return await self._live(request, Handshake(vertex[1], False, "", "", bearer))
            return _error(401, "UNAUTHENTICATED", "Request is missing required authentication credential.")
        if request.method == "POST":
            if _TOKENS.fullmatch(path):
                return await self._mint(request)
            if STS.fullmatch(path):
                return await self.federation.exchange(request)
            if IMPERSONATE.fullmatch(path):
                return await self.federation.impersonate(request)
        return _error(404, "NOT_FOUND", "Requested entity was not found.")

    async def _live(self, request: web.Request, handshake: Handshake) -> web.StreamResponse:
        if self.playback:
            self._count += 1
            return await self.playback.serve(request, self._count)
        case = self.cases.of_token(handshake.token)
        nth = case.count("connection")
        if fault := case.refusal(RefuseHandshake, nth):
            return self._refuse(fault, nth)
        self._count += 1
        if case.name:
            self.ledger.note("case.taken", case=case.name, connection=self._count, nth=nth)
        connection = Connection(self._count, handshake, request, case.world, nth)
        self.connections[connection.number] = connection
        try:
            return await connection.run()
        finally:
            del self.connections[connection.number]

    async def _mint(self, request: web.Request) -> web.Response:
        try:
            check_key(request.query.get("key", "") or request.headers.get("x-goog-api-key", ""), self.world)
        except Refusal as refused:
            is_unregistered = refused.close is refusal.UNREGISTERED
            status = (403, "PERMISSION_DENIED") if is_unregistered else (400, "INVALID_ARGUMENT")
            return _error(*status, refused.close.reason)
        try:
            token = self.world.tokens.mint(msgspec.json.decode(await request.read() or b"{}"))
        except msgspec.DecodeError:
            return _error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        except Refusal as refused:
            return _error(400, "INVALID_ARGUMENT", refused.close.reason)
        case = self.cases.of_setup(token.setup)
        if token_s := self.world.behaviour.token_s:
            await self.world.clock.sleep(token_s)
        nth = case.count("token")
        if fault := case.refusal(RefuseToken, nth):
            return self._refuse(fault, nth)
        self.ledger.note(
            "token.minted",
            token=fingerprint(token.name),
            uses=token.uses_left,
            locked=token.setup is not None,
            mask=token.mask,
        )
        return web.json_response({"name": token.name})

    def _refuse(self, fault: RefuseHandshake | RefuseToken, nth: int) -> web.Response:
        self.ledger.note("fault.struck", fault=name(fault), nth=nth, status=fault.status)
        return _error(fault.status, fault.name, fault.message, fault.reason)


@asynccontextmanager
async def serve(config: Config | None = None) -> AsyncIterator[Running]:
    """Run a simulator inside this event loop; its socket is bound when the block begins.

    Raises OSError when the port is taken, ValueError for a missing file or program of the config.
    """
    config = config or Config()
    async with AsyncExitStack() as stack:
        running = Running(world.make(config), config.cases, is_on_loopback=is_loopback(config.host))
        stack.callback(running.ledger.close)
        if config.replay:
            running.playback = Playback(replay.read(config.replay), running.world)
        context = None
        if config.tls:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="simulator-"))
            context, running.certificate = certificate.make(Path(folder), config.host)
        port = await _listen(running, config, context, stack)
        host = f"[{config.host}]" if ":" in config.host else config.host
        running.url = f"{'https' if config.tls else 'http'}://{host}:{port}"
        running.ledger.note("simulator.started", **running.state())
        yield running


async def _listen(
    running: Running, config: Config, context: ssl.SSLContext | None, stack: AsyncExitStack
) -> int:
    """Bind, and see to the end of it. Returns the port."""
    app = web.Application(client_max_size=16 << 20)
    app.router.add_route("*", "/{any:.*}", running.handle)

    async def stop(_: web.Application) -> None:
        for connection in list(running.connections.values()):
            connection.line.close(GOING)

    app.on_shutdown.append(stop)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, config.host, config.port, ssl_context=context).start()
    return int(runner.addresses[0][1])


def _error(code: int, status: str, message: str, reason: str = "") -> web.Response:
    """An API error as Google words it; `reason` is the name among its details."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    details = {"details": [info | {"domain": "googleapis.com"}]} if reason else {}
    error = {"code": code, "message": message, "status": status, **details}
    return web.json_response({"error": error}, status=code)
