"""The shortcuts through moto change nothing but the time it takes."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.dynamodb.models.dynamo_type import Item

from infra.local.shortcuts import take_shortcuts
from records.table import ConditionFailed, Key, Table, check_step, put_step, update_step
from tests.infra.test_aws import TEMPLATE, read_template


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    take_shortcuts()
    take_shortcuts()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        made = read_template(TEMPLATE, {}, stack="test").table
        client.create_table(**made.definition)
        yield Table(client, made.name)
        client.close()


def contents(table: Table, *names: str) -> list[Any]:
    return [table.get(Key(name, sort)) for name in names for sort in ("META", "OTHER")]


def test_a_transaction_that_fails_changes_nothing_of_what_it_named_or_did_not(table: Table) -> None:
    for name in ("A", "B", "C"):
        table.put(Key(name), {"n": 1, "map": {"x": 1}})
        table.put(Key(name, "OTHER"), {"n": 1})
    before = contents(table, "A", "B", "C", "NEW")
    steps = (
        update_step(Key("A"), "SET #n = :two, #map.#x = :two REMOVE #gone", two=2),
        update_step(Key("A", "OTHER"), "ADD #n :two", two=2),
        put_step(Key("B"), {"n": 2}),
        put_step(Key("NEW"), {"n": 2}),
    )
    with pytest.raises(ConditionFailed) as failed:
        table.transact(*steps, check_step(Key("C"), "#n = :two", two=2))
    assert (failed.value.step, failed.value.item["n"]) == (4, 1)
    assert contents(table, "A", "B", "C", "NEW") == before
    table.transact(*steps, check_step(Key("C"), "#n = :one", one=1))
    assert [item and item["n"] for item in contents(table, "A", "B", "C", "NEW")] == [
        2, 3, 2, 1, 1, 1, 2, None,
    ]  # fmt: skip


def test_a_transaction_does_not_copy_what_it_does_not_name(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        table.put(Key(f"N{number}"), {"n": 1})
    copied: list[str] = []
    deepcopy = Item.__deepcopy__

    def count(item: Any, memo: dict[int, Any]) -> Any:
        copied.append(item.hash_key.value)
        return deepcopy(item, memo)

    monkeypatch.setattr(Item, "__deepcopy__", count)
    table.transact(update_step(Key("N1"), "SET #n = :two", two=2), put_step(Key("N2"), {"n": 2}))
    assert set(copied) <= {"N1", "N2"}


def test_a_query_finds_what_lies_under_its_key_by_pages_and_backwards(table: Table) -> None:
    for name in ("A", "B"):
        for number in range(5):
            table.put(Key(name, f"T#{number}"), {"n": number})
    find = "#PK = :pk AND begins_with(#SK, :t)"
    assert [item["n"] for item in table.query(find, pk="A", t="T#")] == [0, 1, 2, 3, 4]
    newest = table.query(find, pk="A", t="T#", newest_first=True, limit=2)
    assert [item["n"] for item in newest] == [4, 3]
    assert list(table.query(find, pk="NONE", t="T#")) == []


def test_an_index_is_still_searched_as_a_whole(table: Table) -> None:
    for name in ("A", "B"):
        table.put(Key(name), {"GSI1PK": "shared", "GSI1SK": name})
    table.put(Key("C"), {"n": 1})
    found = table.query("#GSI1PK = :shared", index=True, shared="shared")
    assert [item["PK"] for item in found] == ["A", "B"]


def test_values_of_every_kind_come_back_as_they_went(table: Table) -> None:
    item = {"s": "x", "n": 2.5, "b": False, "set": frozenset("ab"), "map": {"deep": {"er": "y"}, "n": 1}}
    table.put(Key("A"), item)
    assert table.get(Key("A")) == {"PK": "A", "SK": "META", **item}


COMMAND_AND_PARAMETER = """
import boto3, sys
from infra.local.shortcuts import take_shortcuts
take_shortcuts()
from moto import mock_aws
with mock_aws():
    ssm = boto3.client("ssm", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    ssm.put_parameter(Name="a", Value="kept", Type="SecureString")
    print(ssm.get_parameter(Name="a", WithDecryption=True)["Parameter"]["Value"])
    print("moto.ec2.models" in sys.modules)
    ssm.send_command(DocumentName="x", Targets=[{"Key": "tag:a", "Values": ["b"]}])
    print("moto.ec2.models" in sys.modules)
"""


def test_parameters_are_kept_without_ec2_which_is_there_when_a_command_looks_for_its_instances() -> None:
    """In a process of its own, for what it is about is what that has imported."""
    program = [sys.executable, "-c", COMMAND_AND_PARAMETER]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["kept", "False", "True"], "")
