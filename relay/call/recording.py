"""What of a call is written down, and when its client may count on that."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from protocol.media import Tokens
from records.sessions import Session
from relay.call.account import Account
from relay.call.turn_writer import TurnWriter
from relay.model.meter import Meter
from relay.ports import Ledger
from relay.turn import Turn


class Recording:
    """Of one call. A turn that is over is announced when it is written, in order."""

    def __init__(
        self,
        ledger: Ledger,
        record: Session,
        epoch: int,
        troubles: Counter[str],
        announce: Callable[[Turn], None],
        meter: Meter,
    ) -> None:
        """`meter`: of what its model costs."""
        self.is_written = False  #: the record has all of the call, the end too
        self._writer = TurnWriter(ledger, record, epoch, troubles)
        self._announce = announce
        self._unannounced: deque[Turn] = deque()  #: finished, and not written yet
        self._question = 0, ""  #: what is not answered, and its turn, as noted last
        self.account = Account(self._writer, meter)

    @property
    def has_unannounced(self) -> bool:
        return bool(self._unannounced)

    @property
    def unwritten_from(self) -> float | None:
        """When the first turn began that is over and not written; None when all are."""
        return self._unannounced[0].started_at if self._unannounced else None

    @property
    def unwritten(self) -> int:
        """Writes that wait for the store."""
        return self._writer.waiting

    def note(self, turn: Turn) -> None:
        """A turn is over."""
        self._unannounced.append(turn)
        self._writer.note(turn, self._turn_written)

    def amend(self, turn: Turn) -> None:
        """A part of a turn that was noted has come late."""
        self._writer.amend(turn)

    def note_handle(self, handle: str) -> None:
        self._writer.note_handle(handle)

    def note_model(self, model: str) -> None:
        self._writer.note_model(model)

    def note_question(self, turn: int, words: str, frames: tuple[int, int]) -> None:
        """What was said in `turn`, in these frames, and is not answered; no words: it need not be."""
        if (turn, words) != self._question and (words or turn == self._question[0]):
            self._question = turn, words
            self._writer.note_question(turn, words, frames)

    def note_tokens(self, after_turn: int, tokens: Tokens) -> None:
        """What was billed after the last turn, `after_turn`, was written."""
        self._writer.note_tokens(after_turn, tokens)

    async def run(self) -> None:
        """Write what is noted, until cancelled. Raises Superseded."""
        await self._writer.run()

    async def flush(self) -> None:
        """Write all that is noted, however often it takes. Raises Superseded."""
        await self._writer.flush()

    async def finish(self, reason: str | None) -> None:
        """The rest, and why the session ended; None when it goes on elsewhere. Raises Superseded."""
        await self._writer.flush()
        if reason is not None:
            await self._writer.finish(reason)
        self.is_written = True

    async def give_up(self, now: float) -> None:
        """Another relay owns the session: nothing more may be written but what was paid for."""
        self.is_written = True
        await self.account.tell(now)

    def _turn_written(self, turn: Turn) -> None:
        """The client may count on turns up to this one, whatever becomes of this relay."""
        while self._unannounced and self._unannounced[0].number <= turn.number:
            self._announce(self._unannounced.popleft())
