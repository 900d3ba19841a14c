"""`vivavoce` as a process. Until the command line is read, Ctrl-C ends it without a traceback of imports."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command of this process. Returns its exit code."""
    from cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return main()
