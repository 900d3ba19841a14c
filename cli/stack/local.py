"""The local stack, from first line to last: start, announce, wait, end."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cli.stack.gemini_key import check_key
from cli.stack.gemini_server import GeminiServer
from cli.stack.terminal import watch
from simulator.server.loopback import is_loopback

if TYPE_CHECKING:
    from infra.local.logs import Line


SIMULATOR_KEY = "simulator-key"  #: it admits any


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of all that listens, as `--json` prints them."""

    page: str
    control: str
    media: str
    simulator: str | None  #: None: the model is Google's, or another's
    pid: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stack's one port is opened. Port 0: a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Says:
    """What is printed besides what goes wrong."""

    json: bool  #: the addresses, as a line on stdout
    nothing_else: bool  #: no word of welcome
    logs: bool  #: all that the processes log


async def serve(place: Place, says: Says, server: GeminiServer) -> None:
    """Run until SIGINT or SIGTERM. Raises OSError when a port is taken, Failure for a key that is no use."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    say = _silence if says.nothing_else else _say
    say("starting: gateway, functions, record (a few seconds)…")
    try:
        async with AsyncExitStack() as parts:
            await check_key(server, say)
            addresses = await _start(parts, place, server, watch(_say, shows_all=says.logs))
            if says.json:
                print(json.dumps(asdict(addresses)), flush=True)
            say(_welcome(addresses, server))
            if not is_loopback(place.host):
                say(_OPEN)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        return  # by the signals above: this is how one stops it, and everything has ended


async def _start(
    parts: AsyncExitStack, place: Place, server: GeminiServer, watcher: Callable[[Line], None]
) -> Addresses:
    """Bring everything up in `parts`. `watcher` gets every line that a process prints."""
    from infra.local.stack import LocalStack, Options

    simulator_url = ""
    if server.key is None:
        from simulator import serve as simulate

        simulator_url = (await parts.enter_async_context(simulate())).url
    options = Options(
        gemini_url=server.url or simulator_url,
        gemini_key=server.key or SIMULATOR_KEY,
        takes_faults=bool(simulator_url),
        parameters={"GeminiModel": server.model},
        host=place.host,
        port=place.port,
    )
    stack = LocalStack(options)
    stack.logs.watchers.append(watcher)
    urls = (await parts.enter_async_context(stack)).urls
    return Addresses(urls.page, urls.control, urls.media, simulator_url or None, os.getpid())


_OPEN = """warning: this port is open to the network, not to this machine alone. Whoever reaches it gets a
token and talks at your cost; nothing is encrypted. Browsers give a page of another machine the microphone
by https only: forward the port instead where you can (ssh -L 8787:localhost:8787 HOST)."""


def _welcome(addresses: Addresses, server: GeminiServer) -> str:
    model = (
        f"the simulator at {addresses.simulator}" if addresses.simulator else "Google's (this costs money)"
    )
    if server.url:
        key = "a made-up key: GEMINI_API_KEY is not set" if server.is_key_made_up else "GEMINI_API_KEY"
        model = f"what answers at {server.url}, with {key}"
    return f"""The model is {model}.
Open      {addresses.page}
or try    {_command()} talk --url {addresses.page}
Your app  connects to {addresses.control} with what this prints:
          {_command()} token --local --url {addresses.page}
          A page gets both from {addresses.page}/dev/session.json.
Ctrl-C ends it all."""


def _command() -> str:
    """Command for a second terminal: by its path, unless the shell finds it by its name."""
    is_ours = os.path.basename(sys.argv[0]) == "vivavoce"
    return sys.argv[0] if is_ours and shutil.which("vivavoce") is None else "vivavoce"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _silence(text: str) -> None:
    pass
