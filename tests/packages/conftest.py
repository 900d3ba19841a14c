"""What is published, built once, and a local stack of real processes to try it on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import chromium
from tests.e2e.dev import admission, dev
from tests.packages.builds import SDK, Built, build_client, run
from vivavoce import Conversation

__all__ = ["chromium"]  # a fixture of tests/browser

LEAD_S = 1.2  #: the recording begins at the click, the conversation a moment later


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_client(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`npm pack` from the sources: its prepack builds them."""
    folder = tmp_path_factory.mktemp("packed")
    run("npm", "pack", "--silent", "--pack-destination", folder, folder=SDK)
    (packed,) = folder.glob("*.tgz")
    return packed


@pytest.fixture(scope="session")
def stack() -> Iterator[dict[str, Any]]:
    """What `vivavoce dev` prints."""
    with dev() as urls:
        yield urls


async def warm(stack: dict[str, Any]) -> None:
    """Start a relay: the recording begins with the microphone and does not wait."""
    url, token = admission(stack["page"])
    async with asyncio.timeout(60), Conversation(url, token) as call:
        await call.end()
