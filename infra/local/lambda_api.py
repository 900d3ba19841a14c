"""Invoke, for functions and relays that call a function by name; and the layers, of which there is none."""

import json
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from infra.local.endpoint import AwsError
from infra.local.functions import Functions, UnknownFunction
from infra.local.worker import PAYLOAD_BYTES


def lambda_app(functions: Functions, guard: Middleware) -> web.Application:
    """Invoke, with its three invocation types; a relay's code is on this machine, and in no layer."""
    app = web.Application(middlewares=[guard], client_max_size=PAYLOAD_BYTES)

    async def invoke(request: web.Request) -> web.Response:
        name = request.match_info["name"].removesuffix(":$LATEST").rsplit(":", 1)[-1]
        event = await _event(request)
        try:
            match request.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
                case "Event":
                    functions.invoke_later(name, event)
                    return web.Response(status=202)
                case "DryRun":
                    return web.Response(status=204)
                case _:
                    return await _answer(functions, name, event)
        except UnknownFunction:
            raise AwsError(404, "ResourceNotFoundException", f"Function not found: {name}") from None

    async def no_versions(_: web.Request) -> web.Response:
        return web.json_response({"LayerVersions": []})

    app.router.add_post("/2015-03-31/functions/{name}/invocations", invoke)
    app.router.add_get("/2018-10-31/layers/{name}/versions", no_versions)
    return app


async def _event(request: web.Request) -> Any:
    try:
        return json.loads(await request.read() or b"{}")
    except web.HTTPRequestEntityTooLarge:
        raise AwsError(413, "RequestTooLargeException", "Request is over 6 MB") from None
    except (ValueError, RecursionError):
        raise AwsError(400, "InvalidRequestContentException", "Could not parse request body") from None


async def _answer(functions: Functions, name: str, event: Any) -> web.Response:
    outcome = await functions.invoke(name, event)
    if outcome.status == "throttled":
        raise AwsError(429, "TooManyRequestsException", "Rate Exceeded.")
    headers = {"x-amzn-RequestId": outcome.request_id, "X-Amz-Executed-Version": "$LATEST"}
    if outcome.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    return web.Response(body=outcome.payload, headers=headers, content_type="application/json")
