"""The whole deployment on this machine, from template.yaml, as one `async with`.

    client ─▶ front ─▶ gateway emulator ─▶ functions (awslambdaric processes) ─▶ moto, Lambda, ECS,
                │                                                               @connections
                ├────▶ edge rule ─▶ relay (a process for each RunTask) ───────▶ moto, Lambda, Gemini's URL
                └────▶ page

Everything listens on loopback, but for a front that is told otherwise. Addresses are fixed before anything
starts, by binding every socket first, because each part must be told where the others are.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from infra.local import schedule
from infra.local.aws import aws_apis
from infra.local.background import Background
from infra.local.breaks import add_breaks, drain_relays, kill_relay, model_goes_away, order_rotation
from infra.local.cold_starts import Environments
from infra.local.connections import Limits
from infra.local.ecs import ecs_app
from infra.local.edge import Dead, Edge
from infra.local.endpoint import Endpoint, listen, port_of, signed_only, url_of
from infra.local.evidence import add_evidence
from infra.local.front import Front, door_to, is_host_of_machine
from infra.local.functions import Functions, Pool
from infra.local.gateway import Gateway
from infra.local.gateway import Options as GatewayOptions
from infra.local.intrinsics import ACCOUNT
from infra.local.invocation import Invocation, InvocationLog
from infra.local.lambda_api import lambda_app
from infra.local.logs import Logs
from infra.local.management import management_app
from infra.local.microvm.home import DOOR, Account, MicrovmHome
from infra.local.page import LocalUser, page_app
from infra.local.process import machine_environment
from infra.local.region import Region, furnish, new_access_key
from infra.local.rules import publish, task_stopped
from infra.local.tasks import RelayTask, Tasks
from infra.local.template import Stack, localise, read_template
from infra.local.worker import Site
from records import start_times
from records.routes import read_route
from records.table import Table
from simulator.server.loopback import is_host_of_loopback, is_loopback

ROOT = Path(__file__).resolve().parents[2]
NAME = "vivavoce-local"
REGION = "us-east-1"

START_S = 2.0  #: expected start of a relay's process before one was measured; Fargate's is 30 s
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

#: Parameters that only this machine has: any page of its own may talk, and a reload is no abuse.
FOR_DEVELOPERS = {
    "AllowedOrigins": ",".join(f"{scheme}://{host}:*" for scheme in ("http", "https") for host in LOOPBACK),
    "SessionsPerUser": "20",
    "StartsPerMinute": "120",
}


@dataclass(frozen=True, slots=True)
class Options:
    """How to start. A port of 0 is any free one; `gemini_url` empty means Google's own."""

    template: Path = ROOT / "template.yaml"
    root: Path = ROOT  #: where the code of functions and relay lies
    gemini_url: str = ""
    takes_faults: bool = True  #: `gemini_url` is the simulator's, which can be told to go away
    gemini_key: str = field(
        default_factory=lambda: os.environ.get("GEMINI_API_KEY") or "simulator-key", repr=False
    )
    parameters: Mapping[str, str] = field(default_factory=dict)  #: more template parameters
    function_environment: Mapping[str, str] = field(default_factory=dict)  #: over the template's, for all
    relay_environment: Mapping[str, str] = field(default_factory=dict)  #: over the template's
    port: int = 0  #: of page, control road and media road
    host: str = "127.0.0.1"  #: the address that this port is opened at
    log_directory: Path | None = None  #: None: log lines stay in memory
    workers: int = 6  #: processes of one function at a time
    environments: Environments = field(default_factory=Environments)  #: how functions start and run
    dead_address: Dead = "refuses"  #: how the address of a task that is gone behaves
    task_start_s: float = 0.0  #: an artificial cold start of relay tasks
    microvms: Account = field(default_factory=Account)  #: where relays live in those (`RelayHomes`)
    schedule_speed: float = 1.0  #: the template's schedules come round so many times as often
    limits: Limits = field(default_factory=Limits)
    loses_disconnect: bool = False


@dataclass(frozen=True, slots=True)
class Urls:
    """Where a client or a browser goes."""

    control: str
    media: str
    page: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a deployment keeps in SSM. Never printed, and new at every start but for the Gemini key."""

    gemini_key: str = field(repr=False)
    jwt: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    route: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    origin: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class LocalStack:
    """`async with LocalStack(Options()) as stack:` and the system runs until the body ends."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.logs = Logs(self.options.log_directory)
        self.secrets = Secrets(self.options.gemini_key)
        self._log = InvocationLog(self.logs.sink("invocations"))
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as parts:
            parts.callback(self.logs.close)
            sockets = Sockets.bind(self.options)
            parts.callback(sockets.close)
            self.urls = sockets.urls()
            self.region = await self._start_region(parts, sockets)
            self.template = self._read_template(sockets)
            await self._furnish()
            await self._start_parts(parts, sockets)
            self._parts = parts.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    @property
    def table(self) -> str:
        """The name of the table with the record."""
        return self.template.table.name

    @property
    def invocations(self) -> Sequence[Invocation]:
        """The latest invocations of functions, oldest first."""
        return self._log.entries

    def client(self, service: str) -> Any:
        """A boto3 client in this stack's region. It blocks: use it in a thread or between awaits."""
        url = self.connections_url if service == "apigatewaymanagementapi" else ""
        return self.region.client(service, url=url)

    def user(self, subject: str = "local-user") -> LocalUser:
        """A user whose `token()` this stack's $connect admits."""
        return LocalUser(self.secrets.jwt, subject, self.template.parameters.get("OidcAudience", ""))

    async def _start_region(self, parts: AsyncExitStack, sockets: "Sockets") -> Region:
        key = new_access_key()
        default_url = await parts.enter_async_context(aws_apis(REGION, key, self.logs.sink("aws")))
        endpoints = {
            "lambda": url_of(sockets.lambda_api),
            "ecs": url_of(sockets.ecs),
            "lambda-microvms": url_of(sockets.microvms),
        }
        return Region(REGION, default_url, endpoints, key)

    def _read_template(self, sockets: "Sockets") -> Stack:
        given = {"MediaUrl": self.urls.media, "ServePage": "false", **FOR_DEVELOPERS}
        if self.options.gemini_url:
            given["GeminiUrl"] = self.options.gemini_url
        stack = read_template(
            self.options.template, {**given, **self.options.parameters}, stack=NAME, region=REGION
        )
        self.connections_url = f"{url_of(sockets.management)}/{stack.api.stage}"
        self.urls = Urls(f"{self.urls.control}/{stack.api.stage}", self.urls.media, self.urls.page)
        return localise(stack, {stack.api.url: self.connections_url})

    async def _furnish(self) -> None:
        functions, task = self.template.functions, self.template.task
        kept = {
            functions[f"{NAME}-session"].environment["JWT_SECRET_PARAMETER"]: self.secrets.jwt,
            functions[f"{NAME}-session"].environment["ROUTE_KEY_PARAMETER"]: self.secrets.route,
            functions[f"{NAME}-mint"].environment["GEMINI_KEY_PARAMETER"]: self.secrets.gemini_key,
        }
        if origin := task.environment.get("ORIGIN_SECRET_PARAMETER"):
            kept[origin] = self.secrets.origin
        await asyncio.to_thread(furnish, self.region, self.template.table, kept)
        table, took_s = Table(self.client("dynamodb"), self.table), START_S + self.options.task_start_s
        await asyncio.to_thread(start_times.expect, table, "fargate", round(took_s * 1000))

    async def _start_parts(self, parts: AsyncExitStack, sockets: "Sockets") -> None:
        """In this order, so that on the way down nothing is left that could call what has gone."""
        guard = signed_only(self.region.access_key)
        common = machine_environment(self.options.root) | self.region.environment()
        self.functions = functions = await parts.enter_async_context(self._functions(common))
        await parts.enter_async_context(Endpoint(lambda_app(functions, guard), sockets.lambda_api))
        self.tasks = await parts.enter_async_context(self._tasks(common, functions))
        await parts.enter_async_context(Endpoint(ecs_app(self.tasks, guard), sockets.ecs))
        self.microvms = await parts.enter_async_context(self._microvm_home(common))
        await parts.enter_async_context(Endpoint(self.microvms.api(guard), sockets.microvms))
        options = GatewayOptions(self.options.limits, self.options.loses_disconnect, self.urls.media)
        self.gateway = await parts.enter_async_context(
            Gateway(self.template.api, functions.invoke, sockets.control, options)
        )
        await parts.enter_async_context(Endpoint(management_app(self.gateway, guard), sockets.management))
        read = partial(read_route, self.secrets.route.encode())
        self.edge = Edge(read, self.secrets.origin, self.options.dead_address)
        await parts.enter_async_context(Endpoint(self._page(), sockets.page))
        doors = {
            self.template.api.stage: door_to(port_of(sockets.control)),
            "r": self.edge.attend,
            DOOR: self.microvms.attend,
            "": door_to(port_of(sockets.page), one_request=True),
        }
        is_ours = is_host_of_loopback if is_loopback(self.options.host) else is_host_of_machine
        await parts.enter_async_context(Front(sockets.front, doors, is_ours))
        clocks = await parts.enter_async_context(Background())
        rounds = schedule.keep(
            self.template.schedules, functions.invoke_later, speed=self.options.schedule_speed
        )
        clocks.start(rounds, name="schedules")

    def _tasks(self, common: Mapping[str, str], functions: Functions) -> Tasks:
        task = self.template.task
        return Tasks(
            replace(task, environment={**task.environment, **self.options.relay_environment}),
            common,
            self.options.root,
            self.logs.sink,
            start_delay_s=self._task_start_s,
            on_stopped=partial(self._tell_stopped, functions),
        )

    def _microvm_home(self, common: Mapping[str, str]) -> MicrovmHome:
        return MicrovmHome(
            self.template.snapshot,
            {**common, "RELAY_HOME": "microvm"},
            self.options.relay_environment,
            self.options.root,
            self.template.parameters["MediaUrl"].replace("ws", "http", 1),
            self.logs.sink,
            self.options.microvms,
        )

    def _task_start_s(self) -> float:
        starts = self.options.environments.starts
        return starts.task_s() if starts else self.options.task_start_s

    def _tell_stopped(self, functions: Functions, task: RelayTask) -> None:
        event = task_stopped(task.describe(), account=ACCOUNT, region=REGION)
        publish(self.template.rules, event, functions.invoke_later)

    def _page(self) -> web.Application:
        def table() -> Table:
            return Table(self.client("dynamodb"), self.table)

        breaks = {"relay": kill_relay(table, lambda: self.tasks.all)}
        if self.options.gemini_url and self.options.takes_faults:
            breaks["model"] = model_goes_away(self.options.gemini_url)
        page = page_app(self.urls.control, self.user(), media_url=self.urls.media, breaks=tuple(breaks))
        add_evidence(page, lambda: self.invocations, table)
        orders = {"drain": drain_relays(table), "rotation": order_rotation(table)}  # and no break to show
        add_breaks(page, {**breaks, **orders})
        return page

    def _functions(self, common: Mapping[str, str]) -> Functions:
        pools, how = {}, self.options.environments
        for name, function in self.template.functions.items():
            environment = {**common, **function.environment, **self.options.function_environment}
            sink = self.logs.sink(name)
            share = how.share(function.memory_mb)
            site = Site(function, environment, self.options.root, REGION, ACCOUNT, sink, share)
            pools[name] = Pool(site, self.options.workers, how.starts)
        return Functions(pools, self._log, how.concurrency)


@dataclass(frozen=True, slots=True)
class Sockets:
    """A listening place for each part, bound before any part starts."""

    front: socket.socket
    control: socket.socket
    management: socket.socket
    lambda_api: socket.socket
    ecs: socket.socket
    microvms: socket.socket
    page: socket.socket

    @classmethod
    def bind(cls, options: Options) -> Self:
        """Binds them all, but for the front on loopback. Raises OSError when a wanted port is taken."""
        front = listen(options.port, options.host)
        return cls(front, *(listen() for _ in range(6)))

    def close(self) -> None:
        """Closes those that no part has closed yet."""
        for name in self.__slots__:
            getattr(self, name).close()

    def urls(self) -> Urls:
        """The addresses of what a client or browser on this machine reaches, without the API's stage."""
        here = url_of(self.front).removeprefix("http://")
        return Urls(control=f"ws://{here}", media=f"ws://{here}", page=f"http://{here}")
