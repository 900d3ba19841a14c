"""Runs a command that dies with the process that asked for it: `tether.py PARENT_PID COMMAND...`.

Run by path, before anything is imported. The kernel sends SIGKILL when the parent ends, however it
ends (Linux; elsewhere the parent must stop its children itself, which it does whenever it can).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Replaces this process by `command`, tied to `parent`."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except AttributeError:
        pass
    if os.getppid() != parent:  # it ended before the tie was made
        raise SystemExit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
