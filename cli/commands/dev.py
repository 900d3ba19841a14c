"""Run the whole system on this machine.

From template.yaml: gateway, functions, record, relay. The model is the simulator, or Google's when
GEMINI_API_KEY is set, or whatever answers like Google at --gemini-url.
"""

from __future__ import annotations

import argparse
import errno
import os

from cli.failure import USAGE, Failure

PAGE_PORT = 8787
LOOPBACK = "127.0.0.1"
LOCAL_PAGE = f"http://127.0.0.1:{PAGE_PORT}"

_ADVICE = {
    errno.EADDRINUSE: "Is it running already? --port 0 finds a free port.",
    errno.EACCES: "Give a --port above 1023.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Ctrl-C ends it all. With GEMINI_API_KEY set it talks to Google, and that costs money."
    parser.add_argument(
        "--port",
        type=int,
        default=PAGE_PORT,
        help=f"port of page, control road and media road; 0: a free one (default: {PAGE_PORT})",
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        metavar="ADDRESS",
        help=f"open it at this address; 0.0.0.0: to the whole network (default: {LOOPBACK})",
    )
    parser.add_argument(
        "--gemini-url",
        metavar="URL",
        help="a server that answers like Google's, with the key in GEMINI_API_KEY or a made-up one",
    )
    parser.add_argument(
        "--model", default="", metavar="NAME", help="talk to this model, not to the agents' own"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON line with the URLs when all is up"
    )
    parser.add_argument(
        "--logs", action="store_true", help="show all that the processes log, not only what goes wrong"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but what goes wrong")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises Failure when something cannot start."""
    if args.port not in range(65_536):
        raise Failure("--port is not a port.", "Give 0 to 65535.", USAGE)
    import asyncio

    from cli.stack.gemini_server import find_server
    from cli.stack.local import Place, Says, serve

    server = find_server(args.gemini_url, os.environ, args.model)
    says = Says(json=args.json, nothing_else=args.quiet, logs=args.logs)
    try:
        asyncio.run(serve(Place(args.host, args.port), says, server))
    except OSError as error:
        what = (error.strerror or str(error)).partition(" (while")[0]
        advice = _ADVICE.get(error.errno or 0, "Give an address of this machine as --host.")
        raise Failure(f"cannot start at {args.host}:{args.port}: {what}.", advice) from None
    return 0
