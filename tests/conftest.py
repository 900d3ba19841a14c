"""What every test of the suite shares. Each room's own fixtures lie in its folder."""

from __future__ import annotations

import asyncio

import pytest

# pytest-asyncio asks the policy for "the loop before" and thereby makes one that nobody closes; warnings are
# errors here, so we make that loop, and close it.
_outer_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_outer_loop)


def pytest_sessionfinish(session: pytest.Session) -> None:
    _outer_loop.close()
