"""What of a client's uplink was taken, by its numbers, and what of it the client may forget. Pure.

Microphone frames and messages are numbered apart. A number that is not higher than all before it comes again
after a break, and is dropped.
"""

from __future__ import annotations

from .limits import ACK_EVERY_FRAMES
from .media import Ack, ClientMessage


class Receipts:
    """Of one call. Numbers go on from relay to relay."""

    def __init__(self, message_n: int = 0, seq: int = -1) -> None:
        """The highest numbers of what earlier relays have answered and written down: messages and frames."""
        self.seq = seq  #: highest frame received
        self.message_n = message_n  #: highest message taken
        self.untold: tuple[int, ...] = ()  #: numbers of messages that wait, and that no answer is about
        self.acked = Ack(seq, message_n)  #: all that the client need not keep

    def take_frame(self, seq: int) -> bool:
        """False when it was here before."""
        is_new = seq > self.seq
        self.seq = max(seq, self.seq)
        return is_new

    def take(self, message: ClientMessage) -> bool:
        """False when it was here before. One without a number, of an older client, always counts as new."""
        n = getattr(message, "n", 0)
        is_new = n == 0 or n > self.message_n
        self.message_n = max(n, self.message_n)
        return is_new

    @property
    def told_n(self) -> int:
        """The highest number that an answer of now settles: those behind it wait."""
        n = self.message_n
        while n and n in self.untold:
            n -= 1
        return n

    def give_back(self, message: ClientMessage) -> None:
        """It could not be acted on, and its connection closes: the next one may bring it again."""
        if n := getattr(message, "n", 0):
            self.message_n = n - 1

    def skip_frames(self, seq: int) -> None:
        """Frames up to `seq` are known in another form: they are not to be taken any more."""
        self.seq = max(self.seq, seq)

    def settled_audio(self, seq: int) -> Ack | None:
        """Frames up to `seq` are of no more use. Returns what to tell the client, from time to time."""
        if seq - self.acked.seq < ACK_EVERY_FRAMES:
            return None
        self.acked = Ack(seq, self.acked.message_n)
        return self.acked

    def settled(self, message_n: int) -> Ack | None:
        """Messages up to that one are answered and written down. Returns what to tell the client, if new."""
        if message_n <= self.acked.message_n:
            return None
        self.acked = Ack(self.acked.seq, message_n)
        return self.acked
