"""What lives in this process, told when it is asked by a signal.

Resident memory says what a process has once needed: an allocator keeps its pages, and steps are no leak. What
is told here is what is in use after a garbage collection.
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


def obey(folder: str) -> None:
    """Now and at every SIGUSR1: write `objects bytes` to a file of this process's number."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    file, draft = Path(folder, str(os.getpid())), Path(folder, f"{os.getpid()}.draft")

    def weigh(*_: object) -> None:
        gc.collect()
        heap = mallinfo2()
        draft.write_text(f"{sys.getallocatedblocks()} {heap.uordblks + heap.hblkhd}")
        draft.replace(file)

    signal.signal(signal.SIGUSR1, weigh)
    weigh()  # who reads this knows that the signal will not kill
