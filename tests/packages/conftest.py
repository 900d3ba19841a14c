"""The Python client as it is published, built once."""

from __future__ import annotations

import pytest

from tests.packages.builds import Built, build_client


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_client(tmp_path_factory.mktemp("built"))
