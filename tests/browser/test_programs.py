"""A program that is not there is missed in words that say what to do. Needs no browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.programs import Missing, find_chromium, find_firefox, find_sound, find_webkit


@pytest.mark.parametrize(
    ("find", "variable"),
    [(find_chromium, "CHROMIUM"), (find_firefox, "FIREFOX"), (find_webkit, "WEBKIT_DRIVER")],
)
def test_a_path_that_leads_nowhere_is_named(
    find: Callable[[], object], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/nowhere/at/all")
    with pytest.raises(Missing, match="/nowhere/at/all, which does not exist"):
        find()


@pytest.mark.parametrize("find", [find_chromium, find_firefox, find_webkit, find_sound])
def test_where_nothing_can_be_installed_it_is_said_what_to_install(
    find: Callable[[], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("CHROMIUM", "FIREFOX", "WEBKIT_DRIVER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"^no [a-z0-9-]+ here; install one"):
        find()
