"""The page as a deployment serves it: by the code of its function, with that function's own headers."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from functions import page
from infra.local.endpoint import Endpoint
from infra.local.stack import Urls
from tests.browser.drive import CONSOLE


@asynccontextmanager
async def deployed(urls: Urls, place: socket.socket) -> AsyncIterator[str]:
    """Its address, on a listening socket whose origin the stack admits."""

    async def answer(request: web.Request) -> web.Response:
        event = {"rawPath": request.path, "requestContext": {"http": {"method": request.method}}}
        told = page.handler(event, None)
        body = base64.b64decode(told["body"])
        return web.Response(status=told["statusCode"], headers=told["headers"], body=body)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "FILES", CONSOLE / "dist")
        patch.setenv("CONTROL_URL", urls.control)
        patch.setenv("MEDIA_URL", urls.media)
        page.files.cache_clear()
        async with Endpoint(app, place) as endpoint:
            yield endpoint.url
    page.files.cache_clear()
