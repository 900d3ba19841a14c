"""`$disconnect`: delete the record of a control connection, whose session may outlive it."""

from __future__ import annotations

import functools
import os
from typing import Any

from functions.core.runtime import aws
from functions.core.runtime.config import DisconnectConfig
from functions.core.runtime.entry import guarded, make_ready
from records import connections


@functools.cache
def config() -> DisconnectConfig:
    return DisconnectConfig.from_env(os.environ)


make_ready(lambda: aws.table(config().table_name))


@guarded({"statusCode": 500})
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway delivers this at best; records of connections that it loses expire."""
    connections.forget(aws.table(config().table_name), event["requestContext"]["connectionId"])
    return {"statusCode": 200}
