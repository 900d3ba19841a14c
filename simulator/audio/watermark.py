"""Frame watermarks: prove that no 20 ms of the user's voice was lost on the way.

A test embeds a number in the lowest bits of a frame's first 64 samples. That is
inaudible and changes no loudness. The simulator logs the numbers it consumed
(`planted` in the ledger), and every resumption handle holds them.
"""

from array import array

from simulator.audio import pcm as audio

MAGIC = 0xA3F1_5C69  #: 32 bits that open a watermark
BITS = 64  #: MAGIC and a 32-bit number, one bit for each sample, highest first

_LOW_BIT = bytes(value & 1 for value in range(256))
_OPENING = bytes(int(bit) for bit in f"{MAGIC:032b}")


def embed(frame: bytes, number: int) -> bytes:
    """`frame` (s16le, at least 64 samples) with `number` (0 to 2**32-1) hidden in it."""
    sound: array[int] = audio.samples(frame)
    if len(sound) < BITS or not 0 <= number < 1 << 32:
        raise ValueError("a watermarked frame has 64 samples or more and a number of 32 bits")
    for index, bit in enumerate(f"{(MAGIC << 32) | number:064b}"):
        sound[index] = (sound[index] & ~1) | int(bit)
    return sound.tobytes()


class Watermarks:
    """Numbers received so far, as ranges in order of arrival, and the repeated ones."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.repeated: list[tuple[int, int]] = []
        self._tail = b""

    def feed(self, pcm: bytes) -> None:
        """Scan 16 kHz audio; numbers are found at any offset and across messages."""
        bits = self._tail + pcm[::2].translate(_LOW_BIT)
        at = bits.find(_OPENING)
        while 0 <= at <= len(bits) - BITS:
            self._note(int(bits[at + 32 : at + BITS].translate(_DIGITS), 2))
            at = bits.find(_OPENING, at + BITS)
        # An opening that is not complete yet starts somewhere in the last 63 samples.
        self._tail = bits[at:] if at >= 0 else bits[-(BITS - 1) :]

    def copied(self) -> "Watermarks":
        twin = Watermarks()
        twin.ranges, twin.repeated, twin._tail = list(self.ranges), list(self.repeated), self._tail
        return twin

    def missing(self) -> list[tuple[int, int]]:
        """Gaps between the lowest and the highest number received, as inclusive ranges."""
        gaps: list[tuple[int, int]] = []
        reached: int | None = None
        for first, last in sorted(self.ranges):
            if reached is not None and first > reached + 1:
                gaps.append((reached + 1, first - 1))
            reached = last if reached is None else max(reached, last)
        return gaps

    def _note(self, number: int) -> None:
        seen = any(first <= number <= last for first, last in self.ranges)
        _extend(self.repeated if seen else self.ranges, number)


_DIGITS = bytes(48 + value if value < 2 else value for value in range(256))


def _extend(ranges: list[tuple[int, int]], number: int) -> None:
    if ranges and ranges[-1][1] + 1 == number:
        ranges[-1] = (ranges[-1][0], number)
    else:
        ranges.append((number, number))
