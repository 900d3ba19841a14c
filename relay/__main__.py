"""`python -m relay`: one relay task, configured by its environment."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import uvloop
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from gemini.messages import Credential
from relay.aws.lambdas import Functions, MintRefused
from relay.aws.wiring import connect, find_address, origin_check
from relay.config import RelayConfig
from relay.logs import name_session
from relay.model.gemini import open_leg, tls_context
from relay.model.port import ModelLeg, UpstreamError
from relay.ports import LedgerUnavailable
from relay.task.service import Relay

logger = logging.getLogger("relay")


def main() -> int:
    try:
        config = RelayConfig.from_env(os.environ)
    except ValueError as error:
        print(f"relay: {error}", file=sys.stderr)
        return 2
    _log_json(config.log_level)
    uvloop.run(_run(config))
    return 0


async def _run(config: RelayConfig) -> None:
    ledger, task, functions = connect(config)
    tls_context()  # now, while no call waits for the loop

    def legs_for(session: str, epoch: int) -> SessionLegs:
        return SessionLegs(config.gemini_url, functions, session, epoch)

    async def announce(port: int) -> None:
        try:
            await task.ready(await find_address(config, port))
        except LedgerUnavailable:
            logger.error("not registered, leaving", extra={"relay": config.relay})
            relay.leave()
        else:
            logger.info("relay ready", extra={"relay": config.relay})
            await functions.announce()

    relay = Relay(config, ledger, task, legs_for, origin_check(config), functions.make_room)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, relay.leave)
    await relay.run(announce)


@dataclass(frozen=True, slots=True)
class SessionLegs:
    """Model legs of one session: a fresh single-use credential for each."""

    url: str
    functions: Functions
    session: str
    epoch: int

    async def mint(self, handle: str | None, refused: Sequence[str] = ()) -> Credential:
        try:
            return await self.functions.mint(self.session, self.epoch, handle, refused)
        except MintRefused as refused:
            raise UpstreamError(refused.code) from None

    async def open(self, credential: Credential, handle: str | None) -> ModelLeg:
        return await open_leg(self.url, credential, handle)


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
