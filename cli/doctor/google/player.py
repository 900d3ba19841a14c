"""Plays the scenes of a first contact, some at a time, and records what goes over the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from cli.doctor.google.clock import Clock
from cli.doctor.google.connection import Connection
from cli.doctor.google.door import WRONG_TOKEN, Door
from functions.core.minting.gemini_tokens import MintFailed
from gemini.contact.recording import Line, Recording
from gemini.contact.steps import Ask, Close, Look, Open, Ping, Script, Send, Speak, Step, Until
from gemini.messages import Credential
from gemini.wire import first_message

AT_ONCE = 4  #: scenes; more could meet a quota


@dataclass(frozen=True, slots=True)
class Stage:
    """Whom the scenes are played against, and with what."""

    door: Door
    clock: Clock
    samples: Mapping[str, bytes]  #: 16 kHz mono s16le by name
    recording: Recording


async def play_all(
    stage: Stage,
    scripts: Mapping[str, Script],
    tell: Callable[[str], None],
    may_play: Callable[[str], bool] = lambda name: True,
) -> None:
    """Play every scene that it may when its time has come; `tell` gets the name of each that is over."""
    places = asyncio.Semaphore(AT_ONCE)

    async def play(name: str, script: Script) -> None:
        async with places:
            if may_play(name):
                await Scene(name, stage).play(script)
        tell(name)

    async with asyncio.TaskGroup() as scenes:
        for name, script in scripts.items():
            scenes.create_task(play(name, script), name=name)


class Scene:
    """One scene: its connections, and the token that was used last."""

    def __init__(self, name: str, stage: Stage) -> None:
        self._name, self._stage = name, stage
        self._connections: list[Connection] = []
        self._token = ""

    async def play(self, script: Script) -> None:
        """To its end; every connection of it is closed then."""
        result: Any = None
        try:
            while True:
                result = await self._take(script.send(result))
        except StopIteration:
            pass
        finally:
            for connection in self._connections:
                await connection.close()

    async def _take(self, step: Step) -> Any:
        match step:
            case Open():
                await self._open(step)
            case Ask():
                await self._ask(step)
            case Close():
                await self._connections[-1].close()
            case Send(message):
                await self._connections[-1].send(message)
            case Speak(sample):
                await self._connections[-1].speak(self._stage.samples[sample])
            case Until(heard, within_s, listens):
                return await self._connections[-1].until(heard, within_s, listens=listens)
            case Ping(within_s):
                await self._connections[-1].ping(within_s)
            case Look():
                return self._connections[-1].talk
            case _:
                assert_never(step)
        return None

    async def _open(self, step: Open) -> None:
        number = len(self._connections) + 1
        connection = Connection(f"{self._name}.{number}", self._stage.clock, self._stage.recording)
        self._connections.append(connection)
        try:
            self._token = await self._make_token(step)
        except MintFailed as failed:
            connection.refuse(str(failed), failed.code)
            return
        address = self._stage.door.address(self._token, by_header=step.by_header)
        header = {"Authorization": f"Token {self._token}"} if step.by_header else {}
        await connection.open(address, self._first(step), header)

    async def _make_token(self, step: Open) -> str:
        match step.token:
            case "same":
                return self._token
            case "none":
                return ""
            case "wrong":
                return WRONG_TOKEN
        return await (self._stage.door.open_token() if step.setup is None else self._stage.door.mint(step))

    def _first(self, step: Open) -> dict[str, Any]:
        """The first message: the scene's own, or the relay's."""
        if step.first is not None:
            return step.first
        credential = Credential("", self._stage.door.model, 0, step.lock)
        message: dict[str, Any] = json.loads(first_message(credential, step.handle))
        return message

    async def _ask(self, step: Ask) -> None:
        status, answer = await self._stage.door.ask(step)
        told = {
            "method": step.method,
            "key": step.key,
            "request": step.body,
            "code": status,
            "answer": answer,
        }
        line = Line(self._stage.clock.now(), f"{self._name}.1", "asked", told)
        self._stage.recording.add(line)
