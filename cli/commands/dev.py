"""Run the whole system on this machine.

From template.yaml: gateway, functions, record, relay. The model is the simulator, or Google's when
GEMINI_API_KEY is set.
"""

from __future__ import annotations

import argparse

from cli.failure import USAGE, Failure

PAGE_PORT = 8787
LOCAL_PAGE = f"http://127.0.0.1:{PAGE_PORT}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Ctrl-C ends it all. With GEMINI_API_KEY set it talks to Google, and that costs money."
    parser.add_argument(
        "--port",
        type=int,
        default=PAGE_PORT,
        help=f"the page's port, 0 for a free one (default: {PAGE_PORT})",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON line with the URLs when all is up"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors (and the JSON line)")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises Failure when something cannot start."""
    if args.port not in range(65_536):
        raise Failure("--port is not a port.", "Give 0 to 65535.", USAGE)
    import asyncio

    from cli.stack.local import serve

    try:
        asyncio.run(serve(args.port, prints_json=args.json, is_quiet=args.quiet))
    except OSError as error:
        advice = "Is it running already? --port 0 finds a free port."
        raise Failure(f"cannot start: {error.strerror or error}.", advice) from None
    return 0
