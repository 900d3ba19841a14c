"""Which of the microphone's frames were settled: what is known by time is told by number. Pure."""

from __future__ import annotations

from bisect import bisect_left

from relay.model.replay_buffer import LEAD_S
from relay.turn import Turn

STEP_S = 0.04  #: between two that are remembered
KEPT = round(60 / STEP_S)  #: for longer than any client keeps its frames
NOTICED_S = 1.0  #: speech that began before then was noticed, and when it began is known
TAIL_S = 0.1  #: of quiet behind the user's last word belong to it


class MicrophoneFrames:
    """Of one call: when each came. Times are loop time in seconds, and never go back.

    A frame is settled when what was said in it is in a finished turn that is written down, or when nobody
    spoke: no relay will want it. `open_from` is since when something is said that is in no finished turn.
    """

    def __init__(self, settled: int) -> None:
        """`settled` are those up to that number."""
        self._oldest = settled  #: the last one that is not remembered
        self._marks: list[tuple[float, int]] = []

    def note(self, seq: int, at: float) -> None:
        """Frame `seq` came."""
        if not self._marks:
            self._oldest = max(self._oldest, seq - 1)
        if not self._marks or at >= self._marks[-1][0] + STEP_S:
            self._marks.append((at, seq))
        else:
            self._marks[-1] = self._marks[-1][0], seq
        if len(self._marks) > 2 * KEPT:
            self._oldest = self._marks[KEPT - 1][1]
            del self._marks[:KEPT]

    def settled(self, now: float, *open_from: float | None) -> int:
        """The last of those that are."""
        return self._last_before(min([now - NOTICED_S, *_known(open_from)]) - LEAD_S)

    def of_turn(self, turn: Turn, now: float, open_from: float | None) -> int:
        """The last of those that will be when `turn`, which is over, is written down."""
        ended = self._last_before((turn.user_ended_at or turn.started_at) + TAIL_S)
        settled = max(ended, self.settled(now, open_from))
        return settled if open_from is None else min(settled, self._last_before(open_from - LEAD_S))

    def since(self, began_at: float) -> tuple[int, int]:
        """The first and the last of what has been said since then."""
        last = self._marks[-1][1] if self._marks else self._oldest
        return self._last_before(began_at - LEAD_S) + 1, last

    def _last_before(self, at: float) -> int:
        """The last that surely came before then."""
        place = bisect_left(self._marks, (at - STEP_S,))
        return self._marks[place - 1][1] if place else self._oldest


def _known(times: tuple[float | None, ...]) -> list[float]:
    return [at for at in times if at is not None]
