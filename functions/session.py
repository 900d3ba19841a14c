"""`start`, `resume`, `end` and `$default` of the control road; also a relay's notice of ready or leaving."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from agents.catalogue import catalogue
from functions.core.fleet import replace_leaving
from functions.core.fleet.homes import launchers
from functions.core.fleet.microvms import MicrovmDoor
from functions.core.runtime import aws, settings
from functions.core.runtime.config import SessionConfig
from functions.core.runtime.entry import guarded, make_ready
from functions.core.runtime.ports import Ports
from functions.core.runtime.secrets_cache import Secret
from functions.core.sessions import dispatch, notify_waiting
from functions.core.sessions.model_check import MintAhead, MintQuestion
from functions.core.sessions.replies import Replies

MARGIN_MS = 8_000  #: of this function's time, to finish work in progress when no more is begun


@functools.cache
def ports() -> Ports:
    config = SessionConfig.from_env(settings.laid_under(os.environ))
    table, microvm = aws.table(config.table_name), config.relay.microvm
    return Ports(
        table=table,
        replies=Replies(aws.gateway(config.connections_url), table, time.sleep),
        launcher=launchers(config.relay),
        route_key=Secret(aws.client("ssm"), config.route_key_parameter, time.monotonic),
        model_refusal=MintQuestion(aws.invoker(), config.mint_function),
        clock=time.time,
        config=config,
        mint_ahead=MintAhead(aws.invoker(), config.mint_function),
        admittance=MicrovmDoor(aws.client("lambda-microvms"), microvm) if microvm else None,
    )


make_ready(ports, catalogue)


@guarded({"statusCode": 500})
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a MESSAGE event of API Gateway, or a relay's: `relay_ready`, or `relay_leaving` and `calls`."""
    if "relay_leaving" in event:
        return asdict(
            replace_leaving.relay_leaving(ports(), str(event["relay_leaving"]), int(event["calls"]))
        )
    if "requestContext" not in event:
        return asdict(notify_waiting.relay_ready(ports(), str(event["relay_ready"]), _clock_of(context)))
    dispatch.handle(ports(), event)
    return {"statusCode": 200}


def _clock_of(context: Any) -> Callable[[], bool]:
    """Predicate: this invocation has time to begin more work."""
    left_ms = getattr(context, "get_remaining_time_in_millis", lambda: 2 * MARGIN_MS)
    return lambda: left_ms() > MARGIN_MS
