"""moto's DynamoDB, with calls made atomic under threads."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from infra.local.aws import serialise_dynamodb
from infra.local.region import Region
from infra.local.template import read_template

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
THREADS = 12


def together(work: Callable[[], Any]) -> list[Any]:
    """Runs `work` in all threads at the same moment and returns what each gave."""
    barrier = threading.Barrier(THREADS)

    def start() -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        return [each.result() for each in [pool.submit(start) for _ in range(THREADS)]]


def key(name: str) -> dict[str, Any]:
    return {"PK": {"S": name}, "SK": {"S": "x"}}


def races(dynamodb: Any, table: str) -> tuple[int, int, int]:
    """Lost ADDs, leases granted beyond the capacity, and tickets burnt twice, over a few rounds."""

    def update(name: str, expression: str, condition: str = "") -> int:
        """1 when it was written, 0 when the condition did not hold."""
        request = {"UpdateExpression": expression, "ExpressionAttributeValues": {":one": {"N": "1"}}}
        if condition:
            request["ConditionExpression"] = condition
        try:
            dynamodb.update_item(TableName=table, Key=key(name), **request)
        except ClientError as error:  # `dynamodb.exceptions` is made at its first use, by each thread anew
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return 0
        return 1

    over_leased = burnt_twice = added = 0
    for round in range(4):
        lease, ticket = f"lease{round}", f"ticket{round}"
        dynamodb.put_item(TableName=table, Item={**key(lease), "used": {"N": "0"}, "cap": {"N": "5"}})
        over_leased += sum(together(partial(update, lease, "ADD used :one", "used < cap"))) - 5
        dynamodb.put_item(TableName=table, Item=key(ticket))
        unburnt = "attribute_not_exists(used_at)"
        burnt_twice += sum(together(partial(update, ticket, "SET used_at = :one", unburnt))) - 1
    for _ in range(10):
        added += sum(together(partial(update, "count", "ADD n :one")))
    total = dynamodb.get_item(TableName=table, Key=key("count"), ConsistentRead=True)["Item"]["n"]["N"]
    return added - int(total), over_leased, burnt_twice


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns every 10 us: without the lock, a round of `races` fails on each run (5 of 5)."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def test_under_threads_no_add_is_lost_and_no_ticket_is_burnt_twice(
    monkeypatch: pytest.MonkeyPatch, eager_threads: None
) -> None:
    monkeypatch.setattr(DynamoHandler, "call_action", DynamoHandler.call_action)  # put back afterwards
    serialise_dynamodb()
    table = read_template(TEMPLATE, {}, stack="race").table
    with mock_aws():
        dynamodb = Region("us-east-1", "", {}).client(
            "dynamodb", url="https://dynamodb.us-east-1.amazonaws.com"
        )
        dynamodb.create_table(**table.definition)
        assert races(dynamodb, table.name) == (0, 0, 0)
