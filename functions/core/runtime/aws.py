"""The boto3 clients, one of each per container, made when first needed.

Endpoints come from AWS_ENDPOINT_URL* where a stack sets them; this code knows of one cloud only.
"""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore.config import Config

from records.table import Table

#: The defaults wait a minute; API Gateway gives up on us after 29 s.
OPTIONS = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})


@functools.cache
def client(service: str) -> Any:
    return boto3.client(service, config=OPTIONS)


@functools.cache
def invoker() -> Any:
    """Client of Lambda for an answer that is waited for, and done without when it does not come."""
    once = Config(connect_timeout=2, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("lambda", config=once)


@functools.cache
def gateway(url: str) -> Any:
    """Client of `@connections`, whose endpoint is the API's own. It does not retry: `Replies` does."""
    once = OPTIONS.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    return boto3.client("apigatewaymanagementapi", endpoint_url=url, config=once)


@functools.cache
def table(name: str) -> Table:
    return Table(client("dynamodb"), name)
