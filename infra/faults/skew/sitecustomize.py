"""Python imports this before a program: the wall clock of the process then follows a number in a file."""

import mmap
import os
import struct
import time

_true = time.time
with open(os.environ["CLOCK_FILE"], "rb") as _file:
    _shown = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)


def _jumping() -> float:
    return _true() + float(struct.unpack("d", _shown[:8])[0])


time.time = _jumping
