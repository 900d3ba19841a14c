"""How an actor, which runs the real code, reaches the world: each request is a step of the explorer.

An actor is run again from its start with the answers it got so far, and stops at the first request beyond
them. So its state is the list of its answers, and any state can be gone back to.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.core.runtime import entry
from functions.core.runtime.config import (
    LimitsConfig,
    MicrovmConfig,
    RelayConfig,
    SessionConfig,
    SweepConfig,
    TaskConfig,
)
from functions.core.runtime.ports import Launched, LaunchFailed, Ports, SweepPorts, Vm
from functions.core.sessions import notify_waiting
from protocol.codec import encode
from records.relays import Relay
from records.start_failures import Cause
from records.table import Table

REFUSED = Cause("it is refused here", "refused", passes=True)
ROUTE_KEY = "k" * 43

Ask = Callable[[str, dict[str, Any]], Any]  #: kind of a request and what it says, to its answer
Change = Callable[[str, dict[str, Any]], dict[str, Any]]  #: plants a fault in a request to the table


class Pause(BaseException):
    """The first request that has no answer yet. No product code may catch it."""

    def __init__(self, kind: str, payload: dict[str, Any]) -> None:
        super().__init__(kind)
        self.kind, self.payload = kind, payload


class Script:
    """Answers of one run, in their order."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = iter(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, kind: str, payload: dict[str, Any]) -> Any:
        self.asked.append((kind, payload))
        for told in self._answers:
            return told
        raise Pause(kind, payload)


class Door:
    """What an actor is given: the ports of the functions, and a table, over `ask`."""

    def __init__(self, ask: Ask, settings: Settings, plant: Change | None = None) -> None:
        self.ask, self.settings = ask, settings
        self.table = Table(_Client(ask, plant), "t", pause=lambda _: None)

    def now(self) -> int:
        return int(self.ask("now", {}))

    def wait_for(self, connection: str, *types: str) -> dict[str, Any]:
        told: dict[str, Any] = self.ask("wait_for", {"connection": connection, "types": types})
        return told

    def pass_time(self, seconds: int) -> None:
        self.ask("pass_time", {"seconds": seconds})

    def note(self, name: str, value: Any = True) -> None:
        self.ask("note", {"name": name, "value": value})

    def until(self, name: str) -> Any:
        return self.ask("until", {"name": name})

    @property
    def ports(self) -> Ports:
        return Ports(
            table=self.table,
            replies=_Replies(self.ask),  # type: ignore[arg-type]
            launcher=_Launcher(self.ask),
            clock=self.now,
            route_key=lambda: ROUTE_KEY,
            model_refusal=lambda session: "",
            config=self.settings.session,
            admittance=SimpleNamespace(protocols=lambda vm: []),
        )

    @property
    def sweep_ports(self) -> SweepPorts:
        return SweepPorts(
            table=self.table,
            replies=_Replies(self.ask),  # type: ignore[arg-type]
            launcher=_Launcher(self.ask),
            clock=self.now,
            tasks=_Tasks(self.ask),
            config=self.settings.sweep,
            vms=_Vms(self.ask) if "microvm" in self.settings.homes else None,
        )


class Settings:
    """Settings of a deployment in miniature."""

    def __init__(self, **changed: Any) -> None:
        given = {"capacity": 2, "slots": 3, "sessions": 3, "day_minutes": 120, "sleeping": 0, "warm": 0}
        given |= changed
        self.homes = given.get("homes", ("fargate",))
        vm = MicrovmConfig("image", "1", "role", "log", capacity=given["capacity"])
        relay = RelayConfig(
            task=TaskConfig("c", "relay:1", ("s",), "g", "relay:1", given["capacity"]),
            slots=given["slots"],
            homes=self.homes,
            microvm=vm if "microvm" in self.homes else None,
        )
        limits = LimitsConfig(30, 120, given["sessions"], 10, given["day_minutes"])
        self.session = SessionConfig("t", "https://x", "wss://m", "p", "mint", relay, limits)
        self.sweep = _sweep_config(relay, given)

    def without_relays(self) -> Settings:
        """The same, where no relays are kept."""
        kept = copy.copy(self)
        kept.sweep = dataclasses.replace(self.sweep, warm_relays=0, sleeping_relays=0)
        return kept


def _sweep_config(relay: RelayConfig, given: dict[str, Any]) -> SweepConfig:
    return SweepConfig(
        table_name="t",
        connections_url="https://x",
        relay=relay,
        resume_s=120,
        warm_relays=given["warm"],
        sleeping_relays=given["sleeping"],
    )


class _Client:
    """Stands for boto3's client of DynamoDB."""

    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def __init__(self, ask: Ask, plant: Change | None) -> None:
        self._ask, self._plant = ask, plant

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            if self._plant is not None:
                request = self._plant(operation, request)
            told = self._ask("table", {"operation": operation, "request": request})
            if "error" in told:
                raise _error(operation, told)
            return told

        return call


def _error(operation: str, told: dict[str, Any]) -> Exception:
    if told["error"] == "lost":
        return EndpointConnectionError(endpoint_url="table")
    response = {
        "Error": {"Code": told["error"], "Message": told.get("message", "")},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        **({"Item": told["item"]} if "item" in told else {}),
        **({"CancellationReasons": told["reasons"]} if "reasons" in told else {}),
    }
    return ClientError(response, operation)  # type: ignore[arg-type]


class _Replies:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def send(self, connection: str, message: Any) -> bool:
        return bool(self._ask("send", {"connection": connection, "message": encode(message)}))


class _Launcher:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def launch(self, relay: Relay) -> Launched | None:
        told = self._ask("launch", {"relay": relay.id, "home": relay.home, "vm": relay.vm})
        if told == "refused":
            raise LaunchFailed(REFUSED)
        return None if told in ("task", "woken") else Launched(told, f"{told}.example")


class _Tasks:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def running(self) -> dict[str, list[str]]:
        return {relay: [relay] for relay in self._ask("tasks", {})}

    def causes(self) -> dict[str, Cause]:
        return {}

    def stop(self, task: str) -> None:
        self._ask("stop_task", {"relay": task})


class _Vms:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def alive(self) -> list[Vm]:
        return [Vm(*each) for each in self._ask("vms", {})]

    def suspend(self, vm: str) -> bool:
        return bool(self._ask("set_vm", {"vm": vm, "state": "SUSPENDED"}))

    def terminate(self, vm: str) -> None:
        self._ask("set_vm", {"vm": vm, "state": "TERMINATED"})

    def reason(self, vm: str) -> str:
        return ""


class _InLine:
    """Stands for a pool of threads: what is handed in is done at once."""

    def __init__(self, workers: int) -> None:
        pass

    def __enter__(self) -> _InLine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    map = staticmethod(map)


class _Names:
    """In place of random names: the next of this run of this actor, the same in each run."""

    def __init__(self) -> None:
        self.begin("")

    def begin(self, actor: str) -> None:
        self._actor, self._count = actor, 0

    def __call__(self, size: int = 0) -> str:
        self._count += 1
        return f"{self._actor}{self._count}"


NAMES = _Names()


@contextmanager
def deterministic() -> Iterator[None]:
    """Real code, without chance: names are counted, threads are none, logs and metrics go nowhere."""
    level = entry.logger.level
    entry.logger.setLevel("CRITICAL")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(secrets, "token_hex", NAMES)
        changed.setattr(secrets, "token_urlsafe", NAMES)
        changed.setattr(notify_waiting, "ThreadPoolExecutor", _InLine)
        changed.setattr(entry.metrics, "add_metric", lambda *_, **__: None)
        yield
    entry.logger.setLevel(level)


def message_event(connection: str, **message: Any) -> dict[str, Any]:
    """A MESSAGE event of API Gateway, as far as the functions look at it."""
    return {"requestContext": {"connectionId": connection}, "body": json.dumps(message)}
