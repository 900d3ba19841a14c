"""The clients of AWS, one of each per container, made when first needed.

In Lambda they are ours (`signed.py`), since their start is on the way to a first word; elsewhere boto3's.
Endpoints come from AWS_ENDPOINT_URL* where a stack sets them; this code knows of one cloud only.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from functions.core.runtime.signed import OPERATIONS, Limits, Signed
from records.table import Table

#: The defaults of boto3 wait a minute; API Gateway gives up on us after 29 s.
PATIENT = Limits(connect_s=2, read_s=4, attempts=3)
#: For an answer that is waited for, and done without when it does not come.
ONCE = Limits(connect_s=2, read_s=8, attempts=1)


@functools.cache
def client(service: str) -> Any:
    return _client(service, PATIENT)


@functools.cache
def invoker() -> Any:
    """Client of Lambda for an answer that is waited for, and done without when it does not come."""
    return _client("lambda", ONCE)


@functools.cache
def gateway(url: str) -> Any:
    """Client of `@connections`, whose endpoint is the API's own. It does not retry: `Replies` does."""
    once = Limits(PATIENT.connect_s, PATIENT.read_s, attempts=1)
    return _client("apigatewaymanagementapi", once, url)


@functools.cache
def table(name: str) -> Table:
    return Table(client("dynamodb"), name)


def _client(service: str, limits: Limits, url: str = "") -> Any:
    if service in OPERATIONS and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        return Signed(service, _of_boto3, limits, url)
    return _of_boto3(service, url, limits)


def _of_boto3(service: str, url: str = "", limits: Limits = PATIENT) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=limits.connect_s,
        read_timeout=limits.read_s,
        retries={"mode": "standard", "total_max_attempts": limits.attempts},
    )
    return boto3.client(service, config=config, endpoint_url=url or None)
