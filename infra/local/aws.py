"""The region's other APIs, by moto, in a process of their own: `python -m infra.local.aws --port 0`.

moto's DynamoDB reads, computes and writes without a lock, so that two threads can both burn a ticket
(measured: lost ADDs, over-granted leases, double spends). `serialise_dynamodb` makes a call atomic,
which is what DynamoDB promises for an item and for a transaction.
"""

import argparse
import asyncio
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.local.endpoint import is_signed
from infra.local.process import Child, OnLine, machine_environment
from infra.local.shortcuts import take_shortcuts
from simulator.server.loopback import is_foreign

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ROOT = Path(__file__).resolve().parents[2]
_KEY = "LOCAL_ACCESS_KEY"  #: variable that tells the server whose calls to answer
START_S = 60.0  #: moto imports much; on a busy machine that takes a while


def serialise_dynamodb() -> None:
    """Lets one DynamoDB call run at a time. Idempotent."""
    from moto.dynamodb.responses import DynamoHandler

    unguarded = DynamoHandler.call_action
    if getattr(unguarded, "is_serialised", False):
        return
    lock = threading.RLock()

    def call_action(handler: Any) -> Any:
        with lock:
            return unguarded(handler)

    call_action.is_serialised = True  # type: ignore[attr-defined]
    setattr(DynamoHandler, "call_action", call_action)  # noqa: B010  # a method, to mypy


def signed_calls(app: "WSGIApplication", access_key: str) -> "WSGIApplication":
    """`app` behind the guard of the other APIs: moto itself gives every web page all that it has."""

    def guard(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def header(name: str) -> str | None:
            value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            return None if value is None else str(value)

        is_page = is_foreign(header, pages=False)
        if not is_page and is_signed(environ.get("HTTP_AUTHORIZATION", ""), access_key):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Connection", "close")])
        return [b"only signed calls of this machine\n"]

    return guard


@asynccontextmanager
async def aws_apis(region: str, access_key: str, on_line: OnLine) -> AsyncIterator[str]:
    """The URL of a moto server that ends with the body. Raises TimeoutError when it does not start.

    It answers calls that are signed with `access_key`, and no others.
    """
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def listen(line: str) -> None:
        if line.startswith('{"url"') and not ready.done():
            ready.set_result(json.loads(line)["url"])
        on_line(line)

    command = ("python", "-m", "infra.local.aws", "--port", "0")
    environment = {**machine_environment(_ROOT), "AWS_DEFAULT_REGION": region, _KEY: access_key}
    child = await Child.start(command, environment, cwd=_ROOT, on_line=listen)
    try:
        async with asyncio.timeout(START_S):
            url = await ready
        yield url
    finally:
        await child.stop(grace_s=0)


def main() -> None:
    """Serves until killed. Prints its URL as one line of JSON."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    serialise_dynamodb()
    take_shortcuts()
    app = signed_calls(DomainDispatcherApplication(create_backend_app), os.environ[_KEY])
    server = make_server("127.0.0.1", port, app, threaded=True)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
