"""Memory in use in this process, written to a file on a signal.

Resident memory includes pages that an allocator keeps, so a step in it is no leak. The figures here are the
memory in use after a garbage collection.
"""

import ctypes
import gc
import os
import signal
import sys
from pathlib import Path

FIELDS = ["arena", "ordblks", "smblks", "hblks", "hblkhd"]
FIELDS += ["usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]


class _Mallinfo2(ctypes.Structure):
    """Source: mallinfo(3), of glibc 2.33 and newer."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def answer_signals(folder: str) -> None:
    """Now and at every SIGUSR1: write `objects bytes` to a file of this process's number."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    file, draft = Path(folder, str(os.getpid())), Path(folder, f"{os.getpid()}.draft")

    def sample(*_: object) -> None:
        gc.collect()
        heap = mallinfo2()
        draft.write_text(f"{sys.getallocatedblocks()} {heap.uordblks + heap.hblkhd}")
        draft.replace(file)

    signal.signal(signal.SIGUSR1, sample)
    sample()  # its file shows that the handler is in place: before, the signal would kill
