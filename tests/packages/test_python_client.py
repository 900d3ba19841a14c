"""What the Python client's wheel and sdist hold, and that the wheel works where nothing else of ours is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from tests.packages.builds import (
    CLIENT,
    ROOT,
    Built,
    build_client,
    contents,
    environment,
    metadata,
    run,
    unpack,
)

NEEDS = ("msgspec", "websockets")

#: imports every module of the wheel, then prints the top-level names that are no part of Python
IMPORT_ALL = """
import pkgutil, sys, vivavoce
for module in pkgutil.walk_packages(vivavoce.__path__, "vivavoce."):
    __import__(module.name)
print(sorted({name.partition(".")[0] for name, module in sys.modules.items()
              if "site-packages" in (getattr(module, "__file__", None) or "")}))
"""


def _requirements(project: Path) -> dict[str, str]:
    """Name -> versions, of what a pyproject.toml names as dependencies."""
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (re.fullmatch(r"([\w-]+)(?:\[.*\])?(.*)", each) for each in declared["dependencies"])
    return {match[1]: match[2] for match in found if match}


def test_the_wheel_brings_one_top_level_name_and_that_is_ours(built: Built) -> None:
    assert {name.partition("/")[0] for name in contents(built.wheel)} == {"vivavoce"}


def test_every_file_of_the_wheel_is_a_file_of_the_repository_byte_for_byte(built: Built) -> None:
    room = {path.name: path for path in (ROOT / "protocol").glob("*.py")}
    for name, content in contents(built.wheel).items():
        inside = Path(name)
        source = room[inside.name] if inside.parent.name == "_protocol" else CLIENT / inside
        assert content == source.read_bytes(), name


def test_the_wheel_holds_every_module_of_the_client(built: Built) -> None:
    sources = {path.relative_to(CLIENT).as_posix() for path in (CLIENT / "vivavoce").rglob("*.py")}
    assert contents(built.wheel).keys() == sources | {"vivavoce/py.typed"}


def test_the_wheel_needs_what_it_imports_and_nothing_else(built: Built) -> None:
    needed = metadata(built.wheel).get_all("Requires-Dist", [])
    always = [each for each in needed if "extra" not in each]
    extra = [each for each in needed if "extra" in each]
    assert sorted(re.split(r"[^\w-]", each)[0] for each in always) == sorted(NEEDS)
    assert extra == ["sounddevice>=0.5; extra == 'mic'"], "a microphone is for who asks for one"


def test_the_wheel_says_what_a_visitor_of_an_index_asks(built: Built) -> None:
    told = metadata(built.wheel)
    assert (told["Name"], told["Requires-Python"], told["License-Expression"]) == (
        "vivavoce",
        ">=3.11",
        "Apache-2.0",
    )
    assert told.get_all("License-File") == ["LICENSE"]
    assert told.get_payload() == (CLIENT / "README.md").read_text(encoding="utf-8")


def test_the_licence_of_the_client_is_the_repositorys() -> None:
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_readme_has_no_link_that_is_dead_outside_the_repository() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (CLIENT / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not link.startswith(("https:", "#"))] == []


def test_the_sdist_builds_the_same_wheel_away_from_the_repository(built: Built, tmp_path: Path) -> None:
    project = unpack(built.sdist, tmp_path / "unpacked")
    again = build_client(tmp_path / "again", project)
    assert contents(again.wheel) == contents(built.wheel)


def test_an_interpreter_without_the_repository_imports_every_module(built: Built, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", "--no-deps", built.wheel)
    (place,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    for name in NEEDS:
        spec = find_spec(name)
        assert spec and spec.origin
        shutil.copytree(Path(spec.origin).parent, place / name)
    brought = run(python, "-I", "-c", IMPORT_ALL, folder=tmp_path)
    assert brought.strip() == str(sorted([*NEEDS, "vivavoce"]))


def test_what_the_client_may_use_includes_what_the_application_uses() -> None:
    """Otherwise the tests here would be of versions that its users never get."""
    ours, theirs = _requirements(CLIENT), _requirements(ROOT)
    for name, versions in ours.items():
        floor, used = (re.search(r">=([\d.]+)", each) for each in (versions, theirs[name]))
        assert floor and used and "<" not in versions, name
        assert [*map(int, floor[1].split("."))] <= [*map(int, used[1].split("."))], name


def test_the_application_refuses_to_become_a_wheel_and_says_what_is_meant_to_be_installed(
    tmp_path: Path,
) -> None:
    for form in ("wheel", "sdist"):
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", form, "-d", tmp_path],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode != 0
        assert "client/python" in done.stderr
        assert list(tmp_path.iterdir()) == []
