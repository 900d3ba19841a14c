"""Run the whole system on this machine.

From template.yaml: gateway, functions, record, relay. The model is the simulator, or Google's when
GEMINI_API_KEY is set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any

from cli.access import PAGE_PORT
from cli.failure import Failure


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
    try:
        asyncio.run(_serve(args))
    except OSError as error:
        advice = "Is it running already? --port 0 finds a free port."
        raise Failure(f"cannot start: {error.strerror or error}.", advice) from None
    return 0


async def _serve(args: argparse.Namespace) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if not args.quiet:
        print("starting: gateway, functions, record (a few seconds)", file=sys.stderr, flush=True)
    try:
        async with AsyncExitStack() as parts:
            urls = await _start(parts, args.port)
            _announce(urls, args)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        return  # by the signals above: this is how one stops it, and everything has ended


async def _start(parts: AsyncExitStack, page_port: int) -> dict[str, Any]:
    """Bring everything up in `parts`. Returns where it listens. Raises OSError when a port is taken."""
    from infra.local.stack import LocalStack, Options

    simulator_url = ""
    if not os.environ.get("GEMINI_API_KEY"):
        from simulator import serve

        simulator_url = (await parts.enter_async_context(serve())).url
    options = Options(gemini_url=simulator_url, page_port=page_port)
    stack = await parts.enter_async_context(LocalStack(options))
    return {
        "page": stack.urls.page,
        "control": stack.urls.control,
        "media": stack.urls.media,
        "simulator": simulator_url or None,
        "pid": os.getpid(),
    }


def _announce(urls: dict[str, Any], args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps(urls), flush=True)
    if args.quiet:
        return
    model = f"simulator at {urls['simulator']}" if urls["simulator"] else "Google (this costs money)"
    lines = [
        f"model     {model}",
        f"open      {urls['page']}",
        f"or try    vivavoce talk --url {urls['page']}",
        "Ctrl-C ends it all.",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
