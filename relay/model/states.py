"""States and legal moves of a call's model side, as a table in the manner of `protocol/states.py`."""

from __future__ import annotations

from enum import Enum


class LegState(Enum):
    """Of the present leg, or of the next one."""

    PARKED = "parked"  #: there is none, and none is wanted
    OPENING = "opening"  #: one is being opened, perhaps after a pause
    OPEN = "open"  #: it is up to date, and carries the call
    OVER = "over"  #: there will be no other


L = LegState

LEG: dict[LegState, dict[str, LegState]] = {
    L.PARKED: {"parked": L.PARKED, "wanted": L.OPENING, "stopped": L.OVER},
    L.OPENING: {
        "parked": L.PARKED,
        "opened": L.OPEN,
        "lost": L.OPENING,
        "failed": L.OVER,
        "stopped": L.OVER,
    },
    L.OPEN: {"parked": L.PARKED, "due": L.OPENING, "lost": L.OPENING, "failed": L.OVER, "stopped": L.OVER},
    L.OVER: {"stopped": L.OVER},
}
