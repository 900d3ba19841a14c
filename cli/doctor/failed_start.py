"""Why the last relay did not start, in the words of what should have carried it: from the stack's table."""

from __future__ import annotations

import time
from typing import get_args

from cli.stack.deployed import Deployment, aws_client

#: what a relay of each home lives in
KINDS = {"fargate": "tasks", "microvm": "MicroVMs"}


def last_failure(deployment: Deployment) -> str:
    """Its home, cause and age; empty where none is known, or the table may not be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    from records import start_failures
    from records.start_times import Home
    from records.table import StoreError, Table

    try:
        table = Table(aws_client("dynamodb", deployment.region), deployment.table)
        found = {home: start_failures.last(table, home) for home in get_args(Home)}
    except (StoreError, BotoCoreError, ClientError):
        return ""
    told = [(failure.at, home, failure) for home, failure in found.items() if failure]
    if not told:
        return ""
    at, home, failure = max(told)
    ago_s, said = max(0, int(time.time()) - at), failure.cause.said or failure.cause.words
    return f"{failure.count} {KINDS[home]} failed in a row, the last {ago_s} s ago: {said}"
