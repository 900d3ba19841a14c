"""JSON Schema as the subset that Google's `parameters` takes: nothing is refused, nothing narrower."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from gemini.tool_schema import restricted


def one(schema: dict[str, Any], **beside: Any) -> Any:
    """What becomes of one argument's schema."""
    written = restricted({"type": "object", "properties": {"x": schema}, **beside})
    assert written is not None
    types.Schema.model_validate(written)  # the SDK's type forbids unknown fields
    return written["properties"]["x"]


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string", "additionalProperties": False}, {"type": "STRING"}),
        ({"type": "string", "format": "email"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"enum": ["a", "b"]}, {"type": "STRING", "enum": ["a", "b"]}),
        ({"type": "integer", "enum": [1, 2], "minimum": 1}, {"type": "INTEGER", "minimum": 1}),
        ({"type": "number", "exclusiveMinimum": 0, "multipleOf": 2}, {"type": "NUMBER"}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        (
            {"type": "array", "items": {"type": "integer"}, "maxItems": 3, "uniqueItems": True},
            {"type": "ARRAY", "maxItems": 3, "items": {"type": "INTEGER"}},
        ),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, {"type": "NUMBER", "nullable": True}),
        (
            {"oneOf": [{"type": "number"}, {"type": "string"}], "description": "either"},
            {"anyOf": [{"type": "NUMBER"}, {"type": "STRING"}], "description": "either"},
        ),
        ({"type": "STRING", "description": 7, "maxLength": True, "pattern": []}, {"type": "STRING"}),
        ({"type": "whatever", "minimum": "0", "nullable": 1}, {"type": "STRING"}),
        (True, {"type": "STRING"}),
        ({"$ref": "#/$defs/none"}, {"type": "STRING"}),
        (
            {"properties": {"y": {"type": "boolean"}}, "required": ["y", "z"], "additionalProperties": True},
            {"type": "OBJECT", "properties": {"y": {"type": "BOOLEAN"}}, "required": ["y"]},
        ),
    ],
)
def test_what_the_subset_has_no_word_for_is_left_out(schema: Any, written: object) -> None:
    assert one(schema) == written


def test_a_reference_is_written_out() -> None:
    place = {"type": "object", "properties": {"city": {"type": "string"}}}
    written = one({"$ref": "#/$defs/place", "description": "where"}, **{"$defs": {"place": place}})
    city = {"city": {"type": "STRING"}}
    assert written == {"type": "OBJECT", "properties": city, "description": "where"}


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    names = [f"p{number}" for number in range(8)]
    schema = {"type": "object", "properties": {name: {"$ref": "#"} for name in names}}
    written = restricted(schema)
    types.Schema.model_validate(written)
    assert len(json.dumps(written)) < 200_000


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_tool_without_arguments_has_no_schema(schema: dict[str, Any]) -> None:
    assert restricted(schema) is None


WORDS = [
    "type",
    "properties",
    "items",
    "anyOf",
    "required",
    "enum",
    "const",
    "$ref",
    "format",
    "minimum",
    "x",
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["string", "array", "object", "#", "odd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "anyOf", "items", "$ref"]), anything))
def test_whatever_a_client_sends_is_written_or_left_out(schema: dict[str, Any]) -> None:
    written = restricted(schema)
    json.dumps(written)
    types.Schema.model_validate(written or {})
