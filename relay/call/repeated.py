"""Whether what came twice in a transcript was said twice: the length of the sound knows.

Pure. Until that is known, a sentence or word that comes again at once is taken for sent again
(docs/decisions/0023-words-find-their-turn.md).
"""

from __future__ import annotations

from math import log

from relay.call.part import Part
from relay.call.pieces import Spacing, is_ended, letters
from relay.call.wording import Wording
from relay.words import Words

OFF = 0.2  #: by which the logarithm of a turn's length usually differs from that of its words
SLACK_S = 0.25  #: and a little besides
MOST = 12.0  #: of the odds against a length
SENTENCE = 15  #: letters of what may have been said twice
CLEAR = 3.0  #: logarithm of odds at which it was said twice


def is_said_twice(part: Part, pace: float, spacing: Spacing) -> bool:
    """The sound of `part` is as long as all that came for it, and not as what is new.

    `pace`: letters a second.
    """
    is_whole = part.is_over and bool(part.pieces) and is_ended(part.pieces[-1].text)
    if not is_whole or part.wording.grew or not part.sound_s:
        return False
    wording = Wording(Words(), spacing.copy())
    for piece in part.pieces:
        wording.take(piece.text)
    everything = sum(letters(piece.text) for piece in part.pieces)
    if everything - wording.said < SENTENCE:
        return False  # a word may be sent again while others are still to come
    sound = (part.sound_s + SLACK_S) * pace
    once, twice = (_against(size + SLACK_S * pace, sound) for size in (wording.said, everything))
    return once - twice > CLEAR


def _against(size: float, sound: float) -> float:
    return min(MOST, (log(size / sound) / OFF) ** 2 / 2)
