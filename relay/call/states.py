"""States and legal moves of the agent's turn as its leg brings it: tables like `protocol/states.py`."""

from __future__ import annotations

from enum import Enum


class AnswerState(Enum):
    """Of the agent's turn: what of it the leg has brought."""

    NONE = "none"  #: no turn runs
    TEXT = "text"  #: a turn runs of which only text has come: no answer yet
    AUDIO = "audio"  #: a turn runs, and was heard or asked for a tool
    UNHEARD = "unheard"  #: a turn is over and only its text came, or sound that nobody can hear: told once


A = AnswerState

ANSWER: dict[AnswerState, dict[str, AnswerState]] = {
    A.NONE: {"text": A.TEXT, "audio": A.AUDIO, "interrupted": A.NONE, "leg": A.NONE},
    A.TEXT: {
        "text": A.TEXT,
        "audio": A.AUDIO,
        "interrupted": A.NONE,
        "completed": A.UNHEARD,
        "inaudible": A.UNHEARD,
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


class ReplyState(Enum):
    """Of what the agent says next: whether it belongs to the answer that runs."""

    NONE = "none"  #: no answer runs: it begins one
    RUNNING = "running"
    GENERATED = "generated"  #: all of its sound has come, so it was said; its end has not
    PAUSED = "paused"  #: its turn is complete, and the model goes on by itself
    CUT = "cut"  #: it was interrupted, and the model has not ended it: what comes is dropped


R = ReplyState

_RUNS = {
    "speech": R.RUNNING,
    "generated": R.GENERATED,
    "paused": R.PAUSED,
    "completed": R.NONE,
    "interrupted": R.CUT,
    "unwanted": R.CUT,
    "left": R.NONE,
}

#: `unwanted`: it broke off, is asked for again on another leg, and was stopped by the user meanwhile;
#: `left`: the leg is gone, or the user was answered anew before the model ended this answer
REPLY: dict[ReplyState, dict[str, ReplyState]] = {
    R.NONE: dict.fromkeys(_RUNS, R.NONE) | {"speech": R.RUNNING, "unwanted": R.CUT},
    R.RUNNING: _RUNS,
    R.GENERATED: _RUNS,
    R.PAUSED: _RUNS | {"generated": R.PAUSED},
    R.CUT: dict.fromkeys(_RUNS, R.CUT) | {"paused": R.NONE, "completed": R.NONE, "left": R.NONE},
}
