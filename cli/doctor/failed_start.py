"""Why the last relay did not start, in the words of what should have carried it: from the stack's table."""

from __future__ import annotations

import time

from cli.stack.deployed import Deployment, aws_client


def last_failure(deployment: Deployment) -> str:
    """Its cause and age; empty where none is known, or the table may not be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    from records import start_failures
    from records.table import StoreError, Table

    try:
        found = start_failures.last(
            Table(aws_client("dynamodb", deployment.region), deployment.table), "fargate"
        )
    except (StoreError, BotoCoreError, ClientError):
        return ""
    if found is None:
        return ""
    ago_s = max(0, int(time.time()) - found.at)
    return f"{found.count} failed in a row, the last {ago_s} s ago: {found.cause.said or found.cause.words}"
