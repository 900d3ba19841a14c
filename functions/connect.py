"""`$connect`: admit a control connection and record its identity.

The only event that carries headers. It must not post: the connection is not open until this has returned.
"""

from __future__ import annotations

import functools
import os
import time
from typing import Any

from functions import session
from functions.core.admission import jwt as admission
from functions.core.admission.jwt import Claims, KeySource
from functions.core.admission.signing_keys import Issuer, SharedSecret
from functions.core.admission.warm_up import WarmUps, invocation
from functions.core.fleet.prepare import prepare
from functions.core.runtime import aws, settings
from functions.core.runtime.config import ConnectConfig
from functions.core.runtime.entry import guarded, logger, make_ready
from functions.core.runtime.secrets_cache import Secret
from records import connections


@functools.cache
def config() -> ConnectConfig:
    return ConnectConfig.from_env(settings.laid_under(os.environ))


@functools.cache
def keys() -> KeySource:
    if config().oidc_issuer:
        return Issuer(config().oidc_issuer)
    return SharedSecret(Secret(aws.client("ssm"), config().jwt_secret_parameter, time.monotonic))


@functools.cache
def warm_ups() -> WarmUps:
    """A relay; `mint`, which it will ask; and the key of the route to it. None of them keeps anybody out."""
    return WarmUps(aws.table(config().table_name), [_prepare_relay, _wake_mint, _fetch_route_key])


def _prepare_relay() -> None:
    prepare(session.ports())


def _wake_mint() -> None:
    invocation(aws.invoker(), session.ports().config.mint_function)()


def _fetch_route_key() -> None:
    """Where tasks are relays: MicroVMs need no route."""
    if session.ports().config.relay.task:
        session.ports().route_key()


make_ready(keys, warm_ups, lambda: aws.table(config().table_name))


@guarded({"statusCode": 500})
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return 200 with our subprotocol if offered; 401 for a forged credential, 403 for a foreign origin."""
    headers, now = admission.headers_of(event), int(time.time())
    try:
        origin = admission.page_of(headers, config().allowed_origins)
        claims = Claims(config().oidc_issuer, config().oidc_audience)
        identity = admission.verify(admission.present(headers), keys(), claims, now)
    except admission.Refused as refused:
        logger.info("connection refused", extra={"status": refused.status})
        return {"statusCode": refused.status}
    connection = event["requestContext"]["connectionId"]
    known = connections.Connection(connection, identity.user, identity.expires_at, origin)
    table = aws.table(config().table_name)
    warm_ups()(now, lambda: connections.put(table, known, now))
    logger.info("connection admitted", extra={"connection": connection})
    return admission.accept(headers)
