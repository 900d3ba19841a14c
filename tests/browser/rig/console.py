"""The console page as a person uses it, in any browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from simulator.ledger import Ledger
from tests.browser.rig.model import ModelEnd
from tests.browser.rig.page import Page

_STATE = "document.querySelector('.words-state')?.innerText"
_ROWS = """[...document.querySelectorAll('.rows > .said')].map((row) => ({
  role: row.dataset.role,
  heard: row.querySelector('.heard')?.textContent ?? '',
  unheard: row.querySelector('.unheard')?.textContent ?? '',
  isTyped: row.querySelector('.said-how') !== null,
  isCut: row.dataset.cut === 'true',
}))"""
_IS_CUT = "document.querySelector('.said[data-cut=true] .unheard') !== null"
_IS_BACK = "document.querySelector('.healing[data-state=back]') !== null"
_HEARD_SO_FAR = "document.querySelector('.said[data-role=agent][data-playing=true] .heard')?.textContent"


@dataclass(frozen=True, slots=True)
class Console:
    """The page, once it has been opened."""

    page: Page

    async def becomes(self, word: str, within_s: float = 20.0) -> None:
        """Wait until the page names this state of the call. Raises AssertionError with the one it names."""
        try:
            await self.page.comes(f"{_STATE} === {word!r}", within_s)
        except AssertionError:
            raise AssertionError(f"the page says {await self.page.run(_STATE)!r}, not {word!r}") from None

    async def rows(self) -> list[dict[str, Any]]:
        """The conversation as it stands there."""
        said: list[dict[str, Any]] = await self.page.run(_ROWS)
        return said

    async def type(self, text: str) -> None:
        await self.page.write("Type instead", text)
        await self.page.press("Send")

    async def plays(self) -> None:
        """Wait until some words of an answer have come out of the loudspeaker."""
        await self.page.comes(_HEARD_SO_FAR)

    async def is_cut(self) -> None:
        """Wait until an answer is shown as interrupted."""
        await self.page.comes(_IS_CUT)

    async def is_back(self) -> str:
        """Wait until the page says that a broken line is mended, and return what it says of that."""
        await self.page.comes(_IS_BACK)
        told: str = await self.page.run("document.querySelector('.healing').innerText")
        return told


@dataclass(frozen=True, slots=True)
class Call:
    """A call from the console: what the page shows of it, and what its model hears."""

    console: Console
    model: ModelEnd


@asynccontextmanager
async def calling(page: Page, url: str, ledger: Ledger) -> AsyncIterator[Call]:
    """A call that somebody starts and ends by hand."""
    console = Console(page)
    await page.open(url)
    await page.press("Start talking")
    await console.becomes("Listening")
    yield Call(console, ModelEnd.of_latest(ledger))
    await page.press("End call")
    await console.becomes("Call ended")
