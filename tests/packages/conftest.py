"""What is published, built once, and a local stack of real processes to try it on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import chromium
from tests.e2e.dev import dev
from tests.packages.builds import Built, build_client

__all__ = ["chromium"]  # a fixture of tests/browser


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_client(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def stack() -> Iterator[dict[str, Any]]:
    """What `vivavoce dev` prints."""
    with dev() as urls:
        yield urls
