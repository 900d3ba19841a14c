"""The generated parts of REFERENCE.md follow the code; what was written by hand stays."""

from __future__ import annotations

from protocol import schema
from protocol.reference import filled, rows

PING = "<!-- fields: Ping -->\n"
HEAD = "| field | type | default | meaning |\n|---|---|---|---|\n"
DEFINITIONS = schema.definitions()


def test_a_table_gets_the_fields_of_the_code_and_keeps_the_meanings() -> None:
    page = f"a\n{PING}{HEAD}| `t` | text | 5 | a clock, or `x` |\n| `gone` | text | | old |\n\nb\n"
    assert filled(page, DEFINITIONS) == f"a\n{PING}{HEAD}| `t` | number |  | a clock, or `x` |\n\nb\n"


def test_a_field_that_is_new_gets_a_row_without_a_meaning() -> None:
    assert filled(f"{PING}\n", DEFINITIONS) == f"{PING}{HEAD}| `t` | number |  |  |\n\n"


def test_a_meaning_may_hold_the_sign_between_cells() -> None:
    page = f"{PING}{HEAD}| `t` | number |  | a \\| b |\n"
    assert filled(page, DEFINITIONS) == page


def test_a_table_of_an_object_that_is_gone_is_left_to_the_reader() -> None:
    page = f"<!-- fields: Gone -->\n{HEAD}| `t` | number |  |  |\n"
    assert filled(page, DEFINITIONS) == page


def test_a_block_is_replaced_up_to_its_end() -> None:
    page = "<!-- errors -->\nstale words\n<!-- end -->\nmine\n<!-- limits -->\n<!-- end -->\n"
    made = filled(page, DEFINITIONS)
    assert "stale words" not in made and "\nmine\n" in made
    assert "| [`going_away`](ERRORS.md#going_away) | 4453 | resume | This relay is shutting down. |\n" in made
    assert (
        "| `HELLO_TIMEOUT_S` | 10 | a media connection that has not said hello by then is closed |\n" in made
    )
    assert filled(made, DEFINITIONS) == made


def test_defaults_and_bounds_are_in_a_readers_words() -> None:
    assert rows(DEFINITIONS["Hello"])[1:] == [
        ("after", "[count, count]", "[0, 0]"),
        ("last_turn", "turn", "0"),
        ("next_seq", "count", "0"),
        ("kept_seq", "integer", "-1"),
    ]
