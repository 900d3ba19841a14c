"""How the other side learns that the scripted user's words are over."""

from __future__ import annotations

from typing import Literal

Ending = Literal["silence", "release", "mute", "mark"]
ENDINGS: dict[Ending, str] = {
    "silence": "the microphone stays open",
    "release": "push-to-talk: it is open for the words alone",
    "mute": "it is muted right after the words",
    "mark": "the client marks begin and end (turns: manual)",
}
