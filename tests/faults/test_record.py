"""The page of figures holds what commands printed, and has a block for each of them."""

from __future__ import annotations

import datetime
import re

import pytest

from bench.record import COMMANDS, PAGE, block, put

DAY = datetime.date(2026, 1, 2)


def test_a_block_is_replaced_and_nothing_else() -> None:
    page = "a\n<!-- day -->\nold\n<!-- /day -->\nb\n<!-- soak -->\nkept\n<!-- /soak -->\n"
    assert put(page, "day", "new\\1") == page.replace("old", "new\\1")


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(LookupError):
        put("nothing here", "day", "new")


def test_a_block_tells_its_command_and_its_day() -> None:
    told = block("day", "figures\n\n", DAY)
    assert told == f"`{COMMANDS['day']}`, 2026-01-02:\n\n```\nfigures\n```"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_figure_of_the_page_was_printed_by_its_command(name: str) -> None:
    page = PAGE.read_text()
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", page, re.DOTALL)
    assert found and found[1].startswith(f"`{COMMANDS[name]}`, 20")
    assert found[1].endswith("\n```") or "\n| " in found[1], "as it was printed, or a table"


def test_every_figure_is_made_by_a_target() -> None:
    makefile = (PAGE.parents[1] / "Makefile").read_text()
    assert all(re.search(rf"bench\.record[^\n]*\b{name}\b", makefile) for name in COMMANDS)
