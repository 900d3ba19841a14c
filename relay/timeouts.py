"""How long a call waits for what its peers owe it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long what is waited for, in seconds."""

    #: for a sign of life of a model that was asked, the voice of what it says, or more of what has stopped
    answer_s: float = 10.0
    patience_s: float = 35.0  #: for the answer of one that shows life: some think for half a minute
    stall_s: float = 20.0  #: for more of an answer, or its end, after what came of it has played
    turn_s: float = 600.0  #: the longest turn of the agent's
    mic_s: float = 10.0  #: for audio of a microphone that is said to be open
    model_pong_s: float = 60.0  #: for a sign of life on the model's socket; its pongs come 8 to 30 s late
    client_pong_s: float = 20.0  #: for a client's pong
