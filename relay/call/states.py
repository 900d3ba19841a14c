"""States and legal moves of the agent's turn as its watchdog sees it: a table like `protocol/states.py`."""

from __future__ import annotations

from enum import Enum


class AnswerState(Enum):
    """Of the agent's turn: what of it the leg has brought."""

    NONE = "none"  #: no turn runs
    TEXT = "text"  #: a turn runs of which only text has come: no answer yet
    AUDIO = "audio"  #: a turn runs, and was heard or asked for a tool
    UNHEARD = "unheard"  #: a turn is over and only its text came: proof of a half-frozen leg, told once


A = AnswerState

ANSWER: dict[AnswerState, dict[str, AnswerState]] = {
    A.NONE: {"text": A.TEXT, "audio": A.AUDIO, "interrupted": A.NONE, "leg": A.NONE},
    A.TEXT: {
        "text": A.TEXT,
        "audio": A.AUDIO,
        "interrupted": A.NONE,
        "completed": A.UNHEARD,
        "endless": A.NONE,
        "leg": A.NONE,
    },
    A.AUDIO: {
        "text": A.AUDIO,
        "audio": A.AUDIO,
        "interrupted": A.NONE,
        "completed": A.NONE,
        "endless": A.NONE,
        "leg": A.NONE,
    },
    A.UNHEARD: {
        "text": A.UNHEARD,
        "audio": A.AUDIO,
        "interrupted": A.UNHEARD,
        "told": A.NONE,
        "leg": A.NONE,
    },
}
