"""A tab of a browser, as far as a call needs it: run a script in it, press a button, read what it says."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar

STARTS_S = 60.0  #: a browser, on a busy machine
ANSWERS_S = 20.0  #: a page that does not run a line for so long stands still
LOOKS_S = 0.05  #: between two looks at a page


class Frozen(AssertionError):
    """The page does not run scripts any more."""


class Page(ABC):
    """What every browser of the rig can do. Each speaks its own protocol beneath."""

    engine: ClassVar[str]
    cancels_echo: ClassVar[bool] = True  #: what its loudspeaker plays is taken out of its microphone

    def __str__(self) -> str:
        return self.engine

    @abstractmethod
    async def open(self, url: str) -> None:
        """Load `url`."""

    @abstractmethod
    async def run(self, script: str, *, is_gesture: bool = False) -> Any:
        """The value of an expression, awaited; `is_gesture`: as if a person had clicked. Raises Frozen."""

    async def press(self, name: str) -> None:
        """Press the button with this text or label, once it is there and can be pressed."""
        await self.comes(f"({_PRESS})({name!r})", is_gesture=True)

    async def write(self, label: str, text: str) -> None:
        """Fill the field with this label, as typing would."""
        await self.run(f"({_WRITE})({label!r}, {text!r})")

    async def comes(self, script: str, within_s: float = 20.0, *, is_gesture: bool = False) -> Any:
        """Wait until an expression is true, and return its value. Raises AssertionError when it never is."""
        late = time.monotonic() + within_s
        while not (value := await self.run(script, is_gesture=is_gesture)):
            assert time.monotonic() < late, f"in {within_s:.0f} s it was never true: {script}"
            await asyncio.sleep(LOOKS_S)
        return value


# Also one within an element that draws itself.
_PRESS = """(name) => {
  const named = (each) => each.textContent.includes(name) || each.ariaLabel === name;
  const roots = [document, ...[...document.querySelectorAll('*')].flatMap((each) => each.shadowRoot ?? [])];
  const buttons = roots.flatMap((root) => [...root.querySelectorAll('button')]);
  const button = buttons.find((each) => named(each) && !each.disabled && !each.closest('[hidden]'));
  button?.click();
  return Boolean(button);
}"""

# The page's framework has put a setter of its own on the element, which would take the change for its own.
_WRITE = """(label, text) => {
  const field = document.querySelector(`[aria-label="${label}"]`);
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, text);
  field.dispatchEvent(new Event('input', { bubbles: true }));
}"""
