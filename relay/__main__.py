"""`python -m relay`: one relay task, configured by its environment."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

import uvloop
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from relay.aws.wiring import connect, find_address, origin_check, prepare
from relay.config import RelayConfig
from relay.logs import name_session
from relay.model.gemini import open_leg, tls_context
from relay.ports import LedgerUnavailable
from relay.task.hooks import hooks_served
from relay.task.legs_ahead import LegsAhead, SessionLegs
from relay.task.microvm import HOOKS_PORT, Life
from relay.task.service import Relay

logger = logging.getLogger("relay")


def main() -> int:
    try:
        is_machine = os.environ.get("RELAY_HOME") == "microvm"
        config = None if is_machine else RelayConfig.from_env(os.environ)
    except ValueError as error:
        print(f"relay: {error}", file=sys.stderr)
        return 2
    _log_json(os.environ.get("LOG_LEVEL", "INFO"))
    uvloop.run(_run_in_machine(os.environ) if config is None else _run(config))
    return 0


async def _run(config: RelayConfig, life: Life | None = None) -> None:
    program = Program(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, program.relay.leave)
    async with asyncio.TaskGroup() as tasks:
        waking = tasks.create_task(program.wake_with(life)) if life else None
        await program.relay.run(program.announce)
        if waking:
            waking.cancel()


async def _run_in_machine(env: Mapping[str, str]) -> None:
    """In a MicroVM: everything that can be done before the snapshot, then who we are, then as anywhere."""
    prepare()
    tls_context()
    life = Life()
    port = int(env.get("HOOKS_PORT", HOOKS_PORT))
    async with hooks_served(env.get("HOOKS_HOST", "0.0.0.0"), port, life.hooks()):  # the platform's
        config = RelayConfig.from_env({**env, **await life.identity})
        try:
            await _run(config, life)
        finally:
            life.over.set()


class Program:
    """One relay, and everything of AWS that it needs."""

    def __init__(self, config: RelayConfig) -> None:
        self._config = config
        self._cloud = connect(config)
        tls_context()  # now, while no call waits for the loop
        functions = self._cloud.functions
        open = partial(open_leg, config.gemini_url)
        self._ahead = ahead = LegsAhead(
            self._cloud.task, self._cloud.ledger, functions, lambda credential: open(credential, None)
        )

        def legs_for(session: str, epoch: int) -> SessionLegs:
            return SessionLegs(functions, open, ahead, session, epoch)

        self.relay = Relay(
            config, self._cloud.ledger, self._cloud.task, legs_for, origin_check(config), functions.make_room
        )

    async def announce(self, port: int) -> None:
        """Register as ready, and have those told who wait. Leaves when that cannot be.

        Their legs are opened beside it, of those who waited before, and of those who came meanwhile.
        """
        facts = {"relay": self._config.relay}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ahead.fill())
            try:
                await self._cloud.task.ready(await find_address(self._config, port))
            except LedgerUnavailable:
                logger.error("not registered, leaving", extra=facts)
                self.relay.leave()
            else:
                logger.info("relay ready", extra=facts)
                tasks.create_task(self._ahead.fill())
                tasks.create_task(self._cloud.functions.announce())

    async def wake_with(self, life: Life) -> NoReturn:
        """Be ready again after each suspension of the machine."""
        life.relay = self.relay
        async with asyncio.TaskGroup() as tasks:
            announcing: asyncio.Task[None] | None = None
            while True:
                await life.resumed.wait()
                life.resumed.clear()
                if announcing is not None:
                    announcing.cancel()  # what it has opened died with the suspension
                self._cloud.forget_connections()
                self.relay.wake()
                announcing = tasks.create_task(self.announce(self.relay.port))


def _log_json(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LambdaPowertoolsFormatter())
    handler.addFilter(name_session)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("websockets", "botocore", "urllib3"):  # they log headers and peers' bytes
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def exit_now(status: int) -> NoReturn:
    """End the process without waiting for its threads: one that waits for a credential waits half a minute.

    All that must be written has been by now, or has had its time.
    """
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    exit_now(main())
