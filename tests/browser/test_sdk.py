"""The client as it is packed, in Chromium, by its own tests: they want a browser, and are skipped without."""

from __future__ import annotations

import subprocess

import pytest

from tests.browser.conftest import SDK


@pytest.mark.timeout(180)
def test_the_built_client_passes_its_own_tests_in_a_browser(chromium: str) -> None:
    command = ("npx", "vitest", "run", "test/browser.test.ts")
    done = subprocess.run(command, cwd=SDK, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
