"""The Invoke call of the Lambda API, for the functions and relays that call a function by name."""

import json
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from infra.local.endpoint import AwsError
from infra.local.functions import Functions, UnknownFunction
from infra.local.worker import PAYLOAD_BYTES


def lambda_app(functions: Functions, guard: Middleware) -> web.Application:
    """Invoke, with its three invocation types."""
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

    app.router.add_post("/2015-03-31/functions/{name}/invocations", invoke)
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
