"""What a Lambda invocation gives back, the port through which one is made, and the log of them all."""

import json
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Status = Literal["ok", "error", "timeout", "exit", "init", "throttled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one invocation. `payload` is JSON: the handler's result, or the error."""

    request_id: str
    payload: bytes
    status: Status = "ok"
    init_ms: float = 0.0  #: that it waited for an execution environment to start; 0: one was there

    @property
    def failed(self) -> bool:
        """Whether `payload` is an error."""
        return self.status != "ok"


class Invoke(Protocol):
    """Runs `function` on `event`. A function's own failure is an Outcome, never an exception."""

    def __call__(self, function: str, event: Any) -> Coroutine[Any, Any, Outcome]: ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """One line of the invocation log. Bodies, headers and results are left out on purpose."""

    function: str
    request_id: str
    route_key: str | None
    connection_id: str | None
    duration_ms: float
    status: Status
    began_at: float = 0.0  #: wall clock, epoch s
    init_ms: float = 0.0  #: of the duration, for an execution environment to start

    def line(self) -> str:
        """As JSON, with AWS's names where AWS has one."""
        told = {
            "function": self.function,
            "requestId": self.request_id,
            "routeKey": self.route_key,
            "connectionId": self.connection_id,
            "duration_ms": self.duration_ms,
            "init_ms": self.init_ms,
            "status": self.status,
        }
        return json.dumps(told)


class InvocationLog:
    """Keeps the latest invocations and writes each as a line of JSON."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.entries: deque[Invocation] = deque(maxlen=10_000)
        self._write = write

    async def record(self, invoke: Invoke, function: str, event: Any) -> Outcome:
        """Runs `invoke` and notes it."""
        began_at, started = time.time(), time.perf_counter()
        outcome = await invoke(function, event)
        context = event.get("requestContext") if isinstance(event, Mapping) else None
        context = context if isinstance(context, Mapping) else {}
        entry = Invocation(
            function=function,
            request_id=outcome.request_id,
            route_key=context.get("routeKey"),
            connection_id=context.get("connectionId"),
            duration_ms=round((time.perf_counter() - started) * 1000, 2),
            status=outcome.status,
            began_at=began_at,
            init_ms=outcome.init_ms,
        )
        self.entries.append(entry)
        self._write(entry.line())
        return outcome
