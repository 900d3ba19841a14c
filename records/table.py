"""The table: keys, expressions and the errors that a caller can act on.

Expressions name attributes as `#name` and values as `:name`. Every attribute goes through a placeholder, so
that none can collide with DynamoDB's reserved words; the placeholders' table is made from the expression.
"""

from __future__ import annotations

import random
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as NoConnection

from records.attributes import Item, Value, pack, pack_item, unpack_item

ATTEMPTS = 6  #: of a write that conflicts with another transaction on the same item
BACKOFF_S = 0.02  #: first pause between them; doubles, with jitter
BATCH = 100  #: most items of one BatchGetItem
INDEX = "GSI1"
LENGTH_HEADERS = {"content-length", "transfer-encoding"}  #: a response without either may be truncated
READS = ("get_item", "batch_get_item", "query")  #: may always be retried

_NAMES = re.compile(r"#(\w+)")
_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottlingError",
}
_REFUSED = {
    "AccessDeniedException",
    "ItemCollectionSizeLimitExceeded",
    "ItemCollectionSizeLimitExceededException",
    "ResourceNotFoundException",
    "SerializationException",
    "UnrecognizedClientException",  # our role is gone
    "ValidationError",  # of a step, as a reason for which a transaction was cancelled
    "ValidationException",  # also for an item that is too large
}
_CONFLICT = {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}


class StoreError(Exception):
    """Base of this package's errors."""


class Throttled(StoreError):
    """Rate refused by the table, after the client's own retries."""


class Unavailable(StoreError):
    """No response from the table, or writers kept conflicting."""


class Refused(StoreError):
    """Request that a retry cannot help: its form, its size or our permissions are wrong."""


class TruncatedResponse(Unavailable):
    """Response was cut off. A write may have been applied."""


class ConditionFailed(StoreError):
    """Condition did not hold. `step` is its index in a transaction; `item` is the stored item."""

    def __init__(self, step: int = 0, item: Item | None = None) -> None:
        super().__init__(f"condition {step}")
        self.step = step
        self.item = item or {}


class Fenced(StoreError):
    """Writer's epoch is over: another relay owns the session. The writer must abandon it."""


@dataclass(frozen=True, slots=True)
class Key:
    """Primary key of an item."""

    pk: str
    sk: str = "META"

    def attributes(self) -> dict[str, Any]:
        return {"PK": {"S": self.pk}, "SK": {"S": self.sk}}


@dataclass(frozen=True, slots=True)
class Step:
    """One write of a transaction, made by `put_step`, `update_step` or `check_step`."""

    kind: str
    request: dict[str, Any]


def put_step(key: Key, item: Mapping[str, Any], condition: str = "", **values: Value) -> Step:
    """Write a whole item."""
    held = {"PK": key.pk, "SK": key.sk, **item}
    return Step("Put", {"Item": pack_item(held), **_expressions("", condition, values, {})})


def update_step(
    key: Key, update: str, condition: str = "", names: Mapping[str, str] | None = None, **values: Value
) -> Step:
    """Change an item. `names`: attribute names that are data, as a session's id within a map."""
    request = {"Key": key.attributes(), **_expressions(update, condition, values, names or {})}
    return Step("Update", request)


def check_step(key: Key, condition: str, **values: Value) -> Step:
    """Write nothing, but fail the transaction unless the condition holds."""
    return Step("ConditionCheck", {"Key": key.attributes(), **_expressions("", condition, values, {})})


def _expressions(
    update: str, condition: str, values: Mapping[str, Value], names: Mapping[str, str]
) -> dict[str, Any]:
    found = {name: names.get(name, name) for name in _NAMES.findall(f"{update} {condition}")}
    parts = {
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": attribute for name, attribute in found.items()},
        "ExpressionAttributeValues": {f":{name}": pack(value) for name, value in values.items()},
    }
    return {name: part for name, part in parts.items() if part}


class Table:
    """A boto3 DynamoDB client and the name of the table. Thread safe, as the client is."""

    def __init__(self, client: Any, name: str, pause: Callable[[float], None] = time.sleep) -> None:
        client.meta.events.register(
            "before-parse.dynamodb", _reject_truncated_response, unique_id="vivavoce-whole-responses"
        )
        self._client = client
        self.name = name
        self.pause = pause

    def get(self, key: Key) -> Item | None:
        """One item, read consistently."""
        answer = self._call("get_item", Key=key.attributes(), ConsistentRead=True)
        return unpack_item(answer["Item"]) if "Item" in answer else None

    def get_all(self, keys: Iterable[Key]) -> list[Item]:
        """Items that exist, read consistently, in no order."""
        wanted = [key.attributes() for key in keys]
        items: list[Item] = []
        refused = 0  #: consecutive batches with unprocessed keys
        while wanted:
            now, later = wanted[:BATCH], wanted[BATCH:]
            asked = {self.name: {"Keys": now, "ConsistentRead": True}}
            answer = self.request("batch_get_item", RequestItems=asked)
            items += [unpack_item(item) for item in answer["Responses"].get(self.name, [])]
            left = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            refused = refused + 1 if left else 0
            if refused == ATTEMPTS:
                raise Throttled("batch read")
            wanted = [*left, *later]
        return items

    def put(self, key: Key, item: Mapping[str, Any], condition: str = "", **values: Value) -> None:
        """Write a whole item. Raises ConditionFailed."""
        self._write("put_item", put_step(key, item, condition, **values))

    def update(
        self,
        key: Key,
        update: str,
        condition: str = "",
        names: Mapping[str, str] | None = None,
        **values: Value,
    ) -> Item:
        """Change an item and return its new state. Raises ConditionFailed with the stored item."""
        step = update_step(key, update, condition, names, **values)
        answer = self._write("update_item", step, ReturnValues="ALL_NEW")
        return unpack_item(answer.get("Attributes", {}))

    def delete(self, key: Key, condition: str = "", **values: Value) -> None:
        """Remove an item that may or may not be there. Raises ConditionFailed."""
        expressions = _expressions("", condition, values, {})
        self._call("delete_item", Key=key.attributes(), **expressions)

    def query(
        self,
        condition: str,
        *,
        index: bool = False,
        newest_first: bool = False,
        limit: int = 0,
        **values: Value,
    ) -> Iterator[Item]:
        """Items under one key, in the order of their sort keys; consistent unless by the index."""
        request: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in _NAMES.findall(condition)},
            "ExpressionAttributeValues": {f":{name}": pack(value) for name, value in values.items()},
            "ScanIndexForward": not newest_first,
            **({"IndexName": INDEX} if index else {"ConsistentRead": True}),
            **({"Limit": limit} if limit else {}),
        }
        while True:
            answer = self._call("query", **request)
            yield from (unpack_item(item) for item in answer["Items"])
            if limit or "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def transact(self, *steps: Step) -> None:
        """Apply all writes or none. Raises ConditionFailed for the first step that did not hold."""
        items = [
            {
                step.kind: {
                    "TableName": self.name,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    **step.request,
                }
            }
            for step in steps
        ]
        self.request("transact_write_items", TransactItems=items)

    def _write(self, operation: str, step: Step, **options: Any) -> dict[str, Any]:
        if "ConditionExpression" in step.request:
            options["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return self._call(operation, **step.request, **options)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.request(operation, TableName=self.name, **request)

    def request(self, operation: str, **request: Any) -> dict[str, Any]:
        """Send; retry transaction conflicts, and reads whose response was truncated.

        boto3 does not retry either by itself.
        """
        for attempt in range(ATTEMPTS):
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**request)
                return answer
            except TruncatedResponse:
                if operation not in READS:
                    raise
            except ParamValidationError as error:
                raise Refused(operation) from error
            except (HTTPClientError, NoConnection) as error:
                raise Unavailable(operation) from error
            except ClientError as error:
                _raise_for(error)
            self.pause(BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5))
        raise Unavailable(operation)


def _reject_truncated_response(response_dict: dict[str, Any], **_: Any) -> None:
    """Raise TruncatedResponse for an incomplete response: one cut off in its headers would look empty.

    botocore calls this before it parses a response (its event `before-parse`).
    """
    headers, body = response_dict["headers"], response_dict["body"]
    checksum = headers.get("x-amz-crc32")
    is_complete = checksum == str(zlib.crc32(body)) if checksum else bool(headers.keys() & LENGTH_HEADERS)
    if not is_complete:
        raise TruncatedResponse


def _raise_for(error: ClientError) -> None:
    """Map a botocore error to a StoreError. Returns on a transaction conflict, which is retried."""
    response: dict[str, Any] = dict(error.response)
    reasons = response.get("CancellationReasons", [])
    for step, reason in enumerate(reasons):
        if reason.get("Code") == "ConditionalCheckFailed":
            raise ConditionFailed(step, unpack_item(reason.get("Item", {}))) from None
    codes = {response["Error"]["Code"]} | {reason.get("Code", "") for reason in reasons}
    if "ConditionalCheckFailedException" in codes:
        raise ConditionFailed(0, unpack_item(response.get("Item", {}))) from None
    if codes & _REFUSED:
        raise Refused(", ".join(sorted(codes & _REFUSED))) from error
    if codes & _THROTTLED:
        raise Throttled(response["Error"]["Code"]) from error
    if codes & _CONFLICT:
        return
    if response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        raise Unavailable(response["Error"]["Code"]) from error
    raise error
