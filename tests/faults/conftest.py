"""One obstacle course for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from infra.faults.course import Course, Terrain
from infra.faults.soak import PARAMETERS
from tests.witness import WITNESS


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def course() -> AsyncIterator[Course]:
    async with Course(Terrain(parameters=PARAMETERS)) as built:
        WITNESS.keeps(built.stack.secrets.jwt, "the JWT secret")
        WITNESS.keeps(built.stack.secrets.route, "the route key")
        yield built
    WITNESS.logs(line.text for line in built.stack.logs.lines)
