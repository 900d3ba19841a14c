"""Shortcuts through moto: four habits that cost more than all else on this machine.

Before a transaction moto copies every item of the table, once for each step, to have something to go back to.
What a transaction may change are the items it names, so those are what is kept here.
A query looks at every item of the table; here only at those under its key.
In an answer it looks for each of the ten kinds of attribute value under several spellings, though it holds
the values just as they are to be sent.
Its SSM imports its whole EC2, which reads every kind of instance of every region: a second of a processor at
every start, for the commands that SSM sends to instances. It gets an EC2 that is imported when it is used.
"""

import copy
import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

EC2 = "moto.ec2"


def take_shortcuts() -> None:
    """Idempotent. Calls must not run at the same time: see `infra.local.aws.serialise_dynamodb`."""
    from moto.dynamodb.models import DynamoDBBackend

    if not hasattr(DynamoDBBackend, "takes_shortcuts"):
        setattr(DynamoDBBackend, "takes_shortcuts", True)  # noqa: B010  # to mypy, no attribute of it
        _keep_what_is_touched()
        _look_under_the_key_only()
        _send_values_as_they_are()
        _import_ssm_without_ec2()


def _keep_what_is_touched() -> None:
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.table import Table

    copying = DynamoDBBackend.transact_write_items
    touched: list[dict[str, Any]] = []

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        touched.extend(_keys(transact_items))
        try:
            copying(backend, transact_items)
        finally:
            touched.clear()

    def deepcopy(table: Any, memo: dict[int, Any]) -> Any:
        return _snapshot(table, touched) if touched else _whole(table, memo)

    setattr(DynamoDBBackend, "transact_write_items", transact_write_items)  # noqa: B010  # methods, to mypy
    setattr(Table, "__deepcopy__", deepcopy)  # noqa: B010


def _look_under_the_key_only() -> None:
    from moto.dynamodb.models.table import Table

    looking_everywhere = Table.query
    signature = inspect.signature(looking_everywhere)

    def query(table: Any, hash_key: Any, *args: Any, **named: Any) -> Any:
        where = table
        if not signature.bind(table, hash_key, *args, **named).arguments.get("index_name"):
            where = copy.copy(table)
            where.items = {hash_key: table.items.get(hash_key, {})}
        return looking_everywhere(where, hash_key, *args, **named)

    setattr(Table, "query", query)  # noqa: B010


def _send_values_as_they_are() -> None:
    from moto.core.serialize import JSONSerializer

    searching = JSONSerializer._serialize_type_structure

    def serialize(serializer: Any, serialized: dict[str, Any], value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and isinstance(value, dict) and not value.keys() & {"B", "BS"}:
            serialized[key] = value
        else:
            searching(serializer, serialized, value, shape, key)

    setattr(JSONSerializer, "_serialize_type_structure", serialize)  # noqa: B010


class _Ec2Backends:
    """moto's EC2 by account and region, imported at the first look."""

    def __getitem__(self, account: str) -> Any:
        return importlib.import_module(EC2).ec2_backends[account]


def _import_ssm_without_ec2() -> None:
    if EC2 in sys.modules:
        return
    late = ModuleType(EC2)
    setattr(late, "ec2_backends", _Ec2Backends())  # noqa: B010  # to mypy, no attribute of it
    sys.modules[EC2] = late
    try:
        importlib.import_module("moto.ssm.models")
    finally:
        del sys.modules[EC2]  # who imports it from here on gets it


def _keys(transact_items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of each step the key, or the whole new item, which holds it."""
    for step in transact_items:
        for operation in step.values():
            yield operation.get("Key") or operation.get("Item") or {}


def _snapshot(table: Any, keys: Sequence[dict[str, Any]]) -> Any:
    """The table as it is, for as long as only the items of these keys change."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    kept = copy.copy(table)
    kept.items = table.items.copy()
    for key in keys:
        if table.hash_key_attr not in key:
            continue
        hash_value = DynamoType(key[table.hash_key_attr])
        if hash_value in table.items:
            # An item is changed in place, and so is the map of those that share its hash key.
            kept.items[hash_value] = copy.deepcopy(table.items[hash_value])
    return kept


def _whole(table: Any, memo: dict[int, Any]) -> Any:
    """What copy.deepcopy does when a class has no way of its own."""
    whole = copy.copy(table)
    memo[id(table)] = whole
    vars(whole).update(copy.deepcopy(vars(table), memo))
    return whole
