"""docs/architecture.md is a map of this checkout: what it names is there, and every room has its page.

And every link of every page leads to a file and a heading that are there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.walls import MAY_IMPORT, sources

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
#: a path in backticks: with a slash, or a file at the top
NAMED = sorted(
    {name for name in re.findall(r"`([A-Za-z0-9_./-]+)`", MAP) if "/" in name or name.endswith(".yaml")}
)
ROOMS = sorted({*MAY_IMPORT, "tests", "bench"})
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(path for _, path in sources(ROOT, {".md"})),
]
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


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives to the headings of a page: of two alike the second ends in -1."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    names = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    before = [names[:at].count(name) for at, name in enumerate(names)]
    return {f"{name}-{count}" if count else name for name, count in zip(names, before, strict=True)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    dead = []
    for path, heading in re.findall(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)", text):
        target = page.parent / path if path else page
        is_there = target.exists() and (not heading or heading in anchors(target))
        dead += [] if is_there else [f"{path}#{heading}"]
    assert dead == []
