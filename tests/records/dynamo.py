"""The table on moto, with writes as atomic as DynamoDB's own."""

import threading

from moto.dynamodb import responses

from infra.local.shortcuts import take_shortcuts

NOW = 1_800_000_000  #: any moment, epoch s

_lock = threading.RLock()
_call_action = responses.DynamoHandler.call_action


def _locked(self):
    with _lock:
        return _call_action(self)


def make_atomic():
    """moto reads, checks and writes without a lock: under threads it loses updates and grants twice."""
    responses.DynamoHandler.call_action = _locked
    take_shortcuts()


def make_table(client, name):
    attributes = ("PK", "SK", "GSI1PK", "GSI1SK")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in attributes],
        KeySchema=_keys("PK", "SK"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "GSI1",
                "KeySchema": _keys("GSI1PK", "GSI1SK"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _keys(hash_name, range_name):
    return [
        {"AttributeName": hash_name, "KeyType": "HASH"},
        {"AttributeName": range_name, "KeyType": "RANGE"},
    ]
