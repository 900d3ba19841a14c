"""Opens model legs, with the newest context that is to be had, and knows when to give up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from gemini.messages import Credential
from gemini.refusals import FALLS_BACK, LASTING
from relay import clock
from relay.model.port import Legs, ModelLeg, UpstreamError
from relay.model.resumption import Handle, Resumption

logger = logging.getLogger("relay.model.opener")

STORE_S = 90.0  #: how long a leg is tried to be opened while only our own store is in the way
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)  #: waits before the tries to open a leg
FIRST_BACKOFF_S = (0.0, 0.5, 1.0, 1.5)  #: likewise when nothing is lost by giving up: who waits is told soon
OVER = {"session_ended", "superseded", "quota_exceeded"}  #: there is no session to open a leg for
VAGUE = {"upstream_invalid", "upstream_model"}  #: of a leg that was set up only the second in a row counts
REFUSALS = {
    "upstream_invalid",
    "upstream_policy",
    "upstream_context_full",
    "upstream_model",
}  #: a handle may be why
CERTAIN = {"upstream_credits", "upstream_region"}  #: no wait of seconds mends it: not tried for long
CERTAIN_TRIES = 2
AWAY = {"upstream_overload", "upstream_unavailable"}
BLANK_TRY = 2  #: is without the handle: some are refused as if the service were away (adk-streaming-guide#11)
YOUNG_S = 5.0  #: a leg that dies or must be changed sooner counts towards giving up; its handle may be bad


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the next leg starts from. A rotation makes it before the old leg is let go."""

    credential: Credential
    handle: Handle | None
    leg: ModelLeg | None = None  #: open already, when the order is to open first


class LegOpener:
    """Of one call, over all its legs."""

    def __init__(
        self, legs: Legs, resumption: Resumption, refused: Callable[[str], None] = lambda code: None
    ) -> None:
        """`refused` is told the code of every refusal, of a leg and of one that is to be opened."""
        self.pinned: Handle | None = None  #: what the next leg starts from: what was sent since is kept
        self._legs, self._resumption = legs, resumption
        self._note_refusal = refused
        self._prepared: Prepared | None = None
        self._minted: Credential | None = None  #: the latest
        self._refused: list[str] = []  #: models that could not be had
        self._is_first = True
        self._young_deaths = 0  #: legs in a row that died soon

    async def prepare(self, *, is_open: bool) -> None:
        """Make the next leg ready while the present one goes on. Raises UpstreamError."""
        self._prepared = None
        prepared = await self._mint()
        self._prepared = await self._connect(prepared) if is_open else prepared

    async def open(self) -> tuple[ModelLeg, Prepared]:
        """A leg with the newest context. Raises UpstreamError after the last try."""
        began_at = clock.now()
        await asyncio.sleep(BACKOFF_S[self._young_deaths])
        waits = FIRST_BACKOFF_S if self._is_first and self._resumption.is_empty else BACKOFF_S
        is_away = False
        for tries in count():
            await asyncio.sleep(waits[min(tries, len(waits) - 1)])
            try:
                made = await self._take(is_blank=is_away and tries == BLANK_TRY)
            except UpstreamError as error:
                self._judge_refusal(error, tries)
                is_away = error.code in AWAY
                is_store = error.code == "store_unavailable" and clock.now() - began_at < STORE_S
                if tries >= len(waits) - 1 and not is_store:
                    raise
            else:
                assert made.leg is not None
                self._is_first = False
                return made.leg, made
        raise AssertionError("counts for ever")

    async def _take(self, *, is_blank: bool) -> Prepared:
        """What was prepared, or a leg that is made now; `is_blank`: without a handle."""
        prepared, self._prepared = self._prepared, None
        return await self._connect(prepared or await self._mint(is_blank=is_blank))

    async def _mint(self, *, is_blank: bool = False) -> Prepared:
        self.pinned = handle = None if is_blank else self._resumption.way_back
        self._minted = await self._legs.mint(handle.text if handle else None, self._refused)
        return Prepared(self._minted, handle)

    async def _connect(self, prepared: Prepared) -> Prepared:
        if prepared.leg is not None:
            return prepared
        handle = prepared.handle.text if prepared.handle else None
        return replace(prepared, leg=await self._legs.open(prepared.credential, handle))

    def _judge_refusal(self, error: UpstreamError, tries: int) -> None:
        """Whether to try again to open one. Raises it when that would not help."""
        self._note_refusal(error.code)
        is_new = self._is_first and self._resumption.is_empty
        if (is_new or tries or self._resumption.way_back is None) and self._falls_back(error.code):
            return
        if error.code in OVER or (error.code in LASTING and is_new):
            raise error
        if error.code in CERTAIN and tries >= CERTAIN_TRIES:
            raise error
        if error.code in REFUSALS:
            if self._resumption.way_back is None:
                raise error
            logger.warning("handle refused", extra={"code": error.code})
            self._resumption.forget()

    def _falls_back(self, code: str) -> bool:
        """Whether another of the agent's models is to be tried. What this one remembers is left behind.

        Within a conversation its model gets a second try: it may be busy for a moment only.
        """
        if code not in FALLS_BACK or self._minted is None or not self._minted.has_other:
            return False
        logger.warning("model fell back", extra={"model": self._minted.model, "code": code})
        self._refused.append(self._minted.model)
        self._minted = None
        self._resumption.forget()
        return True

    def judge_end(self, lived_s: float, *, was_sent_away: bool) -> None:
        """Count a leg that its model sent away as soon as it was open. Raises UpstreamError after the last.

        A `goAway` without time left on every connection must not make a storm of credentials.
        """
        self._count_life(lived_s if was_sent_away else YOUNG_S)
        if self._young_deaths == len(BACKOFF_S):
            raise UpstreamError("upstream_unavailable")

    def judge_loss(self, error: UpstreamError, lived_s: float) -> None:
        """Whether to open another leg after this failure. Raises it when that would not help.

        What a leg of some age is closed for need not meet the next one: whatever the code, the conversation
        goes on by its handle, and by what was heard when there is none.
        """
        self._count_life(lived_s)
        self._note_refusal(error.code)
        if lived_s < YOUNG_S and self._resumption.way_back is None and self._falls_back(error.code):
            return
        deaths = self._young_deaths - (error.code in VAGUE)
        is_refused = error.code in REFUSALS and self._resumption.way_back is None and deaths > 0
        if error.code in OVER or is_refused or self._young_deaths == len(BACKOFF_S):
            raise error
        logger.info("model leg lost", extra={"code": error.code, "lived_s": round(lived_s, 1)})
        if self._young_deaths > 1 or error.code == "upstream_context_full":
            self._resumption.forget()

    def _count_life(self, lived_s: float) -> None:
        self._young_deaths = self._young_deaths + 1 if lived_s < YOUNG_S else 0
