"""The relay in a MicroVM: ready before it is anybody, somebody after /run, awake again after /resume."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Protocol

from relay.task.hooks import Hook

HOOKS_PORT = 9000  #: as the image says; a client's token does not reach it

#: what the payload of /run has, and may have; nothing else of the environment can be set by it
IDENTITY = ("RELAY_ID", "RELAY_SLOT", "RELAY_REVISION")
SETTINGS = ("RELAY_CAPACITY", "RESUME_SECONDS")


class Leaver(Protocol):
    """A relay, as far as its machine's life concerns it."""

    def leave(self) -> None: ...

    def sleep(self) -> None: ...


class Life:
    """What the platform told so far. `hooks` are its ears, `identity` is what /run brought."""

    def __init__(self) -> None:
        self.identity: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.relay: Leaver | None = None  #: once there is one
        self.resumed = asyncio.Event()  #: connections from before are dead; who mends them clears this
        self.over = asyncio.Event()  #: the relay has left

    def hooks(self) -> dict[str, Hook]:
        return {
            "ready": _yes,
            "validate": _yes,
            "run": self._run,
            "suspend": self._suspend,
            "resume": self._resume,
            "terminate": self._terminate,
        }

    async def _run(self, body: Mapping[str, Any]) -> bool:
        """Said twice, as after a lost answer, it changes nothing. Raises ValueError."""
        told = json.loads(body.get("runHookPayload") or "")
        identity = {name: str(told[name]) for name in IDENTITY}
        identity |= {name: str(told[name]) for name in SETTINGS if name in told}
        if not self.identity.done():
            self.identity.set_result(identity)
        return self.identity.result() == identity

    async def _suspend(self, _: Mapping[str, Any]) -> bool:
        """Our sweep suspends nobody with calls, the platform may. A refusal would end the machine."""
        if self.relay is not None:
            self.relay.sleep()
        return True

    async def _resume(self, _: Mapping[str, Any]) -> bool:
        """Answers at once: nobody reaches the machine before that."""
        self.resumed.set()
        return True

    async def _terminate(self, _: Mapping[str, Any]) -> bool:
        """Hands calls on, as far as the hook's time limit goes."""
        if self.relay is not None:
            self.relay.leave()
            await self.over.wait()
        return True


async def _yes(_: Mapping[str, Any]) -> bool:
    return True
