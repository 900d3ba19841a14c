"""The wall clock of this process follows a number in a file."""

import mmap
import struct
import time


def follow(path: str) -> None:
    """From now on `time.time` is off by the number in the file."""
    true = time.time
    with open(path, "rb") as file:
        shown = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def jumping() -> float:
        return true() + float(struct.unpack("d", shown[:8])[0])

    time.time = jumping
