"""docs/architecture.md is a map of this checkout: what it names is there, and every room has its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.walls import MAY_IMPORT

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
#: a path in backticks: with a slash, or a file at the top
NAMED = sorted(
    {name for name in re.findall(r"`([A-Za-z0-9_./-]+)`", MAP) if "/" in name or name.endswith(".yaml")}
)
ROOMS = sorted({*MAY_IMPORT, "tests", "bench"})
WALKS = {"A `start`": 10, "A frame up": 8, "A frame down": 7}  #: steps at least


def walk(heading: str) -> list[str]:
    """Return the rows of one walk's table."""
    section = MAP.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if re.match(r"\| \d+ \|", line)]


@pytest.mark.parametrize("name", NAMED)
def test_what_the_map_names_exists(name: str) -> None:
    path = ROOT / name
    assert path.is_dir() if name.endswith("/") else path.is_file()


@pytest.mark.parametrize("heading", WALKS)
def test_each_step_of_a_walk_names_its_file(heading: str) -> None:
    steps = walk(heading)
    assert len(steps) >= WALKS[heading]
    assert [step for step in steps if not re.match(r"\| \d+ \| `[^`]+\.\w+`", step)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_on_the_map_and_says_where_to_start(room: str) -> None:
    assert f"`{room}/`" in MAP
    page = (ROOT / room / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\*\*Start reading\*\*|^Start with", page, re.MULTILINE)
    assert "**Tests.**" in page or room == "tests"


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_the_map_says_what_a_room_may_import_as_the_walls_do(room: str) -> None:
    (row,) = re.findall(rf"^\| `{room}/` \| .* \| (.+) \|$", MAP, re.MULTILINE)
    allowed = MAY_IMPORT[room]
    words = "all" if allowed is None else ", ".join(sorted(allowed)) or "nothing of ours"
    assert ", ".join(sorted(row.replace("`", "").split(", "))) == words
