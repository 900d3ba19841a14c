"""One Lambda execution environment: the real runtime client in a process, and the Runtime API it calls.

Source: the Runtime API, 2018-06-01 (next, response, error, init/error); awslambdaric 4.2.
"""

import asyncio
import json
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiohttp import web

from infra.local.cold_starts import cpu_s, slowed
from infra.local.endpoint import local_only
from infra.local.invocation import Outcome, Status
from infra.local.process import Child, OnLine
from infra.local.template import Function

INIT_S = 10.0  #: Lambda's limit for the time before a worker asks for its first event
PAYLOAD_BYTES = 6 * 1024 * 1024  #: of a synchronous request or response


@dataclass(frozen=True, slots=True)
class Site:
    """Where and with what a worker runs. `environment` already holds everything but the reserved names."""

    function: Function
    environment: Mapping[str, str]
    root: Path
    region: str
    account: str
    on_line: OnLine
    share: float | None = None  #: part of a processor that the handler has; None: all that there is


class WorkerError(Exception):
    """The worker ended or never came up; `status` and `payload` say it in Lambda's words."""

    def __init__(self, status: Status, payload: bytes) -> None:
        super().__init__(status)
        self.status: Status = status
        self.payload = payload


class Worker:
    """Runs one event at a time. After an Outcome with a status but ok or error it is no longer alive."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._next: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._result: asyncio.Future[tuple[Status, bytes]] | None = None
        self._asked = asyncio.get_running_loop().create_future()
        self._runner: web.AppRunner | None = None
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def cpu_s(self) -> float:
        """CPU time that its process has used."""
        assert self._child
        return cpu_s(self._child.process.pid)

    async def start(self) -> Self:
        """Returns when the worker asks for its first event. Raises WorkerError when it does not."""
        port = await self._serve()
        environment = {**self.site.environment, **self._reserved(port)}
        command = ("python", "-m", "awslambdaric", self.site.function.handler)
        self._child = await Child.start(command, environment, cwd=self.site.root, on_line=self.site.on_line)
        self._watch = asyncio.get_running_loop().create_task(self._notice_exit(self._child))
        try:
            async with asyncio.timeout(INIT_S):
                await asyncio.shield(self._asked)
        except TimeoutError:
            raise WorkerError("init", error("Sandbox.Timedout", "init took too long")) from None
        return self

    @property
    def is_alive(self) -> bool:
        """Whether it can take another event."""
        return self._child is not None and self._child.is_alive

    async def run(self, request_id: str, event: bytes) -> Outcome:
        """Hands `event` to the handler. On a timeout the process is killed, as Lambda does."""
        assert self._child
        self._result = asyncio.get_running_loop().create_future()
        limit_s = self.site.function.timeout_s
        try:
            async with AsyncExitStack() as held, asyncio.timeout(limit_s):
                if self.site.share is not None:
                    await held.enter_async_context(slowed(self._child, self.site.share))
                self._next.put_nowait((request_id, event))
                status, payload = await self._result
        except TimeoutError:
            self.kill()
            message = f"RequestId: {request_id} Error: Task timed out after {limit_s:.2f} seconds"
            return Outcome(request_id, error("Sandbox.Timedout", message), "timeout")
        except WorkerError as ended:
            message = f"RequestId: {request_id} {ended.payload.decode()}"
            return Outcome(request_id, error("Runtime.ExitError", message), ended.status)
        return Outcome(request_id, payload, status)

    def kill(self) -> None:
        """Ends the process at once; `stop` must still follow."""
        if self._child:
            self._child.signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Ends the process and its Runtime API. Lambda's own shutdown is a SIGKILL as well."""
        if self._child:
            await self._child.stop(grace_s=0)
        if self._watch:
            await asyncio.wait([self._watch])
        if self._runner:
            await self._runner.cleanup()
        if self._asked.done() and not self._asked.cancelled():
            self._asked.exception()  # it was reported, or nobody waits any more
        self._asked.cancel()

    async def _notice_exit(self, child: Child) -> None:
        status = await child.wait()
        ended = WorkerError("exit", f"Error: Runtime exited with error: exit status {status}".encode())
        if not self._asked.done():
            init = error("Runtime.ExitError", ended.payload.decode())
            self._asked.set_exception(WorkerError("init", init))
        if self._result and not self._result.done():
            self._result.set_exception(ended)

    def _reserved(self, port: int) -> dict[str, str]:
        """The variables that Lambda defines and a template may not."""
        function = self.site.function
        return {
            "_HANDLER": function.handler,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": str(self.site.root),
        }

    async def _serve(self) -> int:
        app = web.Application(client_max_size=PAYLOAD_BYTES + 1024, middlewares=[local_only()])
        base = "/2018-06-01/runtime"
        app.router.add_get(f"{base}/invocation/next", self._on_next)
        app.router.add_post(f"{base}/invocation/{{id}}/response", self._on_response)
        app.router.add_post(f"{base}/invocation/{{id}}/error", self._on_error)
        app.router.add_post(f"{base}/init/error", self._on_init_error)
        # A killed worker leaves its `next` hanging: it must not be waited for.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _on_next(self, _: web.Request) -> web.Response:
        if not self._asked.done():
            self._asked.set_result(None)
        request_id, event = await self._next.get()
        deadline_ms = int((time.time() + self.site.function.timeout_s) * 1000)
        site = self.site
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": (
                f"arn:aws:lambda:{site.region}:{site.account}:function:{site.function.name}"
            ),
        }
        return web.Response(body=event, headers=headers, content_type="application/json")

    async def _on_response(self, request: web.Request) -> web.Response:
        self._settle("ok", await request.read())
        return _accepted()

    async def _on_error(self, request: web.Request) -> web.Response:
        self._settle("error", await request.read())
        return _accepted()

    async def _on_init_error(self, request: web.Request) -> web.Response:
        if not self._asked.done():
            self._asked.set_exception(WorkerError("init", await request.read()))
        return _accepted()

    def _settle(self, status: Status, payload: bytes) -> None:
        if self._result and not self._result.done():
            self._result.set_result((status, payload))


def error(kind: str, message: str) -> bytes:
    """An error payload in the shape that Lambda gives to the caller."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _accepted() -> web.Response:
    return web.json_response({"status": "OK"}, status=202)
