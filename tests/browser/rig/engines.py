"""The browsers that the rig knows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from tests.browser.programs import find_chromium, find_firefox, find_webkit
from tests.browser.rig.chromium import chromium
from tests.browser.rig.firefox import firefox
from tests.browser.rig.page import Page
from tests.browser.rig.webkit import webkit


@dataclass(frozen=True, slots=True)
class Engine:
    """One browser: `find` gives its program or raises Missing, `start` runs it in a machine's environment."""

    find: Callable[[], str]
    start: Callable[[str, dict[str, str]], AbstractAsyncContextManager[Page]]


ENGINES = {
    "chromium": Engine(find_chromium, chromium),
    "firefox": Engine(find_firefox, firefox),
    "webkit": Engine(find_webkit, webkit),
}
