"""The table: what its errors mean, and what it repeats by itself."""

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError
from dynamo import NOW

from records import connections, limits
from records.attributes import pack, pack_item, unpack_item
from records.table import (
    ConditionFailed,
    Key,
    Refused,
    Table,
    Throttled,
    TruncatedResponse,
    Unavailable,
    check_step,
    put_step,
)


class Failing:
    """A client whose writes fail with the given errors, then succeed."""

    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def __init__(self, *errors):
        self.errors = list(errors)

    def update_item(self, **_):
        if self.errors:
            raise self.errors.pop(0)
        return {"Attributes": {"n": {"N": "1"}}}

    transact_write_items = update_item


def refused(code, status=400, reasons=()):
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response | {"CancellationReasons": list(reasons)}, "UpdateItem")


def update(*errors):
    return Table(Failing(*errors), "t", pause=lambda _: None).update(Key("A"), "ADD #n :one", one=1)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("ThrottlingException"), Throttled),
        (refused("ProvisionedThroughputExceededException"), Throttled),
        (refused("TransactionCanceledException", reasons=[{"Code": "ThrottlingError"}]), Throttled),
        (refused("InternalServerError", 500), Unavailable),
        (ConnectTimeoutError(endpoint_url="http://table"), Unavailable),
        (refused("ConditionalCheckFailedException"), ConditionFailed),
        (refused("ValidationException"), Refused),
        (refused("AccessDeniedException"), Refused),
        (refused("ItemCollectionSizeLimitExceededException"), Refused),
        (refused("ResourceNotFoundException"), Refused),
        (refused("TransactionCanceledException", reasons=[{"Code": "ValidationError"}]), Refused),
        (ParamValidationError(report="ours"), Refused),
        (refused("ExpiredTokenException"), ClientError),
    ],
)
def test_each_failure_has_its_type(error, expected):
    with pytest.raises(expected):
        update(error)


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
SUMMED = b"x-amz-crc32: 2745614147\r\nContent-Length: 2\r\n\r\n{}"
LONG = b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("truncated", [SUMMED[:18], SUMMED[:33], LONG[:4], LONG[:2]])
def test_a_response_truncated_in_its_headers_is_rejected(truncated, monkeypatch):
    """It has no length, so that it looks whole; an item that is there must not pass for one that is not."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    served = []
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def answer():
            for text in (SUMMED, LONG, truncated, SUMMED, truncated):
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as request:
                    request.readline()
                    head = http.client.parse_headers(request)
                    request.read(int(head["Content-Length"]))  # to close with some of it unread is a reset
                    connection.sendall(HEAD + text)
                served.append(text)

        answering = pool.submit(answer)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        config = Config(retries={"total_max_attempts": 1})
        client = boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=url, config=config)
        table = Table(client, "t", pause=lambda _: None)
        assert [table.get(Key("A")) for _ in range(3)] == [None] * 3
        with pytest.raises(TruncatedResponse):  # reads are retried, writes are not: one is left for it
            table.put(Key("A"), {})
        answering.result(5)
        assert len(served) == 5
        client.close()


def test_a_collision_with_a_transaction_is_repeated():
    conflict = refused("TransactionConflictException")
    cancelled = refused(
        "TransactionCanceledException", reasons=[{"Code": "None"}, {"Code": "TransactionConflict"}]
    )
    assert update(conflict, cancelled) == {"n": 1}
    with pytest.raises(Unavailable):
        update(*[conflict] * 6)


def test_a_failed_condition_names_its_step_and_what_was_there(table):
    table.put(Key("A"), {"n": 5})
    with pytest.raises(ConditionFailed) as failed:
        table.transact(put_step(Key("B"), {}), check_step(Key("A"), "#n = :four", four=4))
    assert (failed.value.step, failed.value.item["n"]) == (1, 5)
    assert table.get(Key("B")) is None


def test_more_items_than_one_batch_are_read(table):
    for number in range(120):
        table.put(Key(f"A{number}"), {"n": number})
    found = table.get_all(Key(f"A{number}") for number in range(130))
    assert sorted(item["n"] for item in found) == list(range(120))


def test_values_come_back_as_they_went():
    item = {"s": "x", "i": 3, "f": 2.5, "b": True, "set": frozenset({"a", "b"}), "map": {"k": 1, "": {}}}
    assert unpack_item(pack_item(item | {"none": None, "empty": frozenset()})) == item
    with pytest.raises(TypeError):
        pack(object())


def test_no_addition_is_lost(table, race):
    race(lambda _: [table.update(Key("C"), "ADD #n :one", one=1) for _ in range(10)])
    assert table.get(Key("C"))["n"] == 160


def test_a_window_lets_so_many_through(table, race):
    start = NOW - NOW % 60

    def hit(_, now=start + 12):
        return limits.hit(table, "start", "ada", limit=5, window_s=60, now=now)

    assert sorted(race(hit)) == [0] * 5 + [48_000] * 11
    assert hit(0, start + 60) == 0
    assert limits.hit(table, "start", "grace", limit=5, window_s=60, now=start) == 0


def test_a_connection_is_known_until_it_is_forgotten_or_too_old(table):
    known = connections.Connection("c1=", "ada", NOW + 60, "https://app.example")
    connections.put(table, known, NOW)
    assert connections.load(table, "c1=", NOW) == known
    assert connections.load(table, "c1=", NOW + connections.KEEP_S) is None
    connections.forget(table, "c1=")
    assert connections.load(table, "c1=", NOW) is None


def test_more_items_are_read_at_once_than_six_batches_hold(table, client, table_name):
    keys = [Key(f"N#{number}") for number in range(650)]
    for start in range(0, len(keys), 25):
        puts = [{"PutRequest": {"Item": key.attributes()}} for key in keys[start : start + 25]]
        client.batch_write_item(RequestItems={table_name: puts})
    assert len(table.get_all(keys)) == 650


def test_what_is_put_off_for_ever_is_an_error(table, monkeypatch):
    wanted = [Key("C")]
    left = {"Responses": {}, "UnprocessedKeys": {table.name: {"Keys": [wanted[0].attributes()]}}}
    monkeypatch.setattr(table, "request", lambda *_, **__: left)
    with pytest.raises(Throttled):
        table.get_all(wanted)


def test_a_deletion_may_have_a_condition(table):
    table.put(Key("C"), {"n": 1})
    with pytest.raises(ConditionFailed):
        table.delete(Key("C"), "#n = :two", two=2)
    table.delete(Key("C"), "#n = :one", one=1)
    assert table.get(Key("C")) is None
