"""One whole system for all tests of this folder: template.yaml's stack and the simulator, on loopback.

Its relays hold two calls each, so that three users already need two of them, and notice a silent model sooner
than in production. Its media road leads over a link that a test may break.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

import simulator
from infra.faults.link import Link
from infra.local.stack import LocalStack
from infra.local.stack import Options as StackOptions
from protocol.control import Config
from records import turns, usage
from records.table import Table
from tests import dialect
from tests.witness import CANARY, WITNESS
from vivavoce import Conversation, Options

GEMINI_KEY = f"{CANARY}-gemini-key"
RELAY_CAPACITY = 2
#: Says no more than it is asked for; by itself the simulator would read out the whole sentence.
OBEDIENT = """
turns: [{when: {contains: "Say only OK"}, say: "OK."}]
"""
SOONER = {"ANSWER_SECONDS": "5", "STALL_SECONDS": "10"}  #: half of what production waits, each


def obedient(settings: str = "settings: {}") -> simulator.Config:
    """A simulator of these settings whose answers to `vivavoce doctor` are short."""
    return simulator.Config(scenario=simulator.parse(settings + OBEDIENT))


@dataclass
class System:
    """What a test may look into."""

    stack: LocalStack
    simulator: simulator.Running
    media: Link | None = None  #: between clients and the edge

    def conversation(
        self, *, agent: str = "assistant", config: Config | None = None, **named: Any
    ) -> Conversation:
        """A client that nobody has connected yet."""
        token = self.stack.user().token()
        WITNESS.keeps(token, "a JWT")
        options = Options(config=config or Config())
        return Conversation(self.stack.urls.control, token, agent=agent, options=options, **named)

    def turns(self, session: str) -> list[turns.Turn]:
        """What the table holds of a session."""
        return turns.list_all(self._table, session)

    def used(self, session: str) -> usage.Usage:
        """What the table says that a session has used."""
        return usage.load(self._table, session)

    @property
    def _table(self) -> Table:
        return Table(self.stack.client("dynamodb"), self.stack.table)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system() -> AsyncIterator[System]:
    """Everything up, once; what it logged is the witness's at the end."""
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    async with (
        Link("client-edge") as media,
        simulator.serve(obedient()) as model,
    ):
        options = StackOptions(
            gemini_url=model.url,
            gemini_key=GEMINI_KEY,
            parameters=dialect.parameters(
                MediaUrl=f"ws://{media.address}", RelayCapacity=str(RELAY_CAPACITY)
            ),
            relay_environment=SOONER,
            workers=2,
        )
        async with LocalStack(options) as stack:
            media.target = stack.urls.media.removeprefix("ws://")
            WITNESS.keeps(stack.secrets.jwt, "the JWT secret")
            WITNESS.keeps(stack.secrets.route, "the route key")
            yield System(stack, model, media)
        WITNESS.logs(line.text for line in stack.logs.lines)
