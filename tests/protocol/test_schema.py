"""The JSON Schema says what the codec does, and what lies in the folder is what the code makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from protocol import limits, schema
from protocol.errors import REGISTRY
from tests.protocol.players import CODECS, Case, as_text, cases

SCHEMA = schema.schema()
UNIONS = {
    "control_request": "ControlRequest",
    "control_reply": "ControlReply",
    "client_message": "ClientMessage",
    "server_message": "ServerMessage",
}
VALIDATORS = {
    direction: Draft202012Validator({"$ref": f"#/$defs/{union}", "$defs": SCHEMA["$defs"]})
    for direction, union in UNIONS.items()
}
#: refused by rules that JSON Schema has no words for
BEYOND_SCHEMA = {
    "65 levels of a tool result",
    "65 levels of tool parameters",
    "a tool result of more than 64 KiB",
    "size is counted in bytes of UTF-8",
    "a byte more than 32 KiB on the control road",
    "base64 without padding",
    "base64url in place of base64",
    "base64 with a line break",
    "an image of 700 KiB and a byte",
    "half a surrogate pair",
    "100000 levels in an unknown field",
}
CASES = cases("codec")


def test_nothing_has_drifted() -> None:
    assert schema.drifted() == []


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("direction", CODECS)
def test_each_direction_is_discriminated_by_type(direction: str) -> None:
    union = SCHEMA["$defs"][UNIONS[direction]]
    assert union["discriminator"]["propertyName"] == "type"
    assert set(union["discriminator"]["mapping"]) == set(CODECS[direction].types)
    for kind, ref in union["discriminator"]["mapping"].items():
        message = SCHEMA["$defs"][ref.removeprefix("#/$defs/")]
        assert message["properties"]["type"] == {"enum": [kind]}
        assert "type" in message["required"]
        assert message.get("additionalProperties", True)


@pytest.mark.parametrize("case", [case for case in CASES if "decoded" in case], ids=lambda case: case["name"])
def test_what_is_accepted_is_valid(case: Case) -> None:
    VALIDATORS[case["direction"]].validate(json.loads(as_text(case["text"])))


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["name"])
def test_what_is_refused_is_not_valid(case: Case) -> None:
    if case["name"] in BEYOND_SCHEMA:
        return
    try:
        value = json.loads(as_text(case["text"]), parse_constant=_no_constant)
    except ValueError:
        return  # not JSON: no schema is asked
    assert not VALIDATORS[case["direction"]].is_valid(value)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def test_errors_and_limits_are_complete() -> None:
    assert set(schema.errors()) == set(REGISTRY)
    assert schema.constants()["TEXT_CHARS"] == limits.TEXT_CHARS
    assert set(schema.constants()) == {name for name in dir(limits) if name.isupper()}


def test_it_writes_what_it_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "REFERENCE.md").write_text("a\n<!-- states: turn -->\nold\n<!-- end -->\nb\n")
    assert schema.main(["--check"], tmp_path) == 1
    assert "drifted: schema/v1.json" in capsys.readouterr().err
    assert schema.main([], tmp_path) == 0
    assert schema.main(["--check"], tmp_path) == 0
    assert "silent --> speaking: speech" in (tmp_path / "REFERENCE.md").read_text()
    (tmp_path / "schema" / "errors.json").write_text("{}\n")
    assert schema.main(["--check"], tmp_path) == 1


def test_it_asks_for_arguments_that_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


def test_files_are_sorted_and_end_with_a_line() -> None:
    for path, text in schema.files().items():
        assert text.endswith("\n")
        if path.suffix == ".json":
            assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
