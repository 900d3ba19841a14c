"""One faulted stack for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from infra.faults.faulted_stack import FaultedStack, FaultedStackOptions
from infra.faults.soak import PARAMETERS
from tests import dialect
from tests.witness import WITNESS


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def faulted() -> AsyncIterator[FaultedStack]:
    async with FaultedStack(FaultedStackOptions(parameters=dialect.parameters(**PARAMETERS))) as built:
        WITNESS.keeps(built.stack.secrets.jwt, "the JWT secret")
        WITNESS.keeps(built.stack.secrets.route, "the route key")
        yield built
    WITNESS.logs(line.text for line in built.stack.logs.lines)
