"""Offset of this process's wall clock, read from a file."""

import mmap
import struct
import time


def follow(path: str) -> None:
    """Add the number in the file, in seconds, to `time.time` from now on."""
    true = time.time
    with open(path, "rb") as file:
        shown = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def jumping() -> float:
        return true() + float(struct.unpack("d", shown[:8])[0])

    time.time = jumping
