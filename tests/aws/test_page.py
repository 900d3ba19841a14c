"""The console page as it is deployed: the bundle that `sam build` made of it, served by its handler."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.deploy.bundle import PYTHON, find_python
from tests.aws.conftest import ROOT

CONTROL = "wss://abc.execute-api.eu-west-1.amazonaws.com/v1"
CONSOLE = ROOT / "client/console"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
#: The handler with nothing but the bundle: no site packages, no types of this machine's own.
SERVE = """
import json, mimetypes, sys
mimetypes.init([])
sys.path.insert(0, sys.argv[1])
from functions.page import handler
def get(path):
    return handler({"rawPath": path, "requestContext": {"http": {"method": "GET"}}}, None)
print(json.dumps({path: get(path) for path in sys.argv[2:]}))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def page(built: Path) -> dict[str, Answer]:
    """What each file of the bundle's page is answered with, and some other paths."""
    python = find_python(PYTHON)
    if python is None:
        pytest.skip(f"no Python {PYTHON} here to serve it with")
    place = built / "PageFunction"
    found = [f"/{path.relative_to(place / 'page')}" for path in (place / "page").rglob("*") if path.is_file()]
    asked = ["/", "/config.json", "/functions/page.py", "/assets/../../functions/page.py", *found]
    command = [python, "-I", "-S", "-c", SERVE, str(place), *asked]
    environment = {"CONTROL_URL": CONTROL, "MEDIA_URL": ""}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    return {
        path: Answer(told["statusCode"], told["headers"], base64.b64decode(told["body"]))
        for path, told in json.loads(ran.stdout).items()
    }


def test_the_top_is_the_real_console(page: dict[str, Answer]) -> None:
    top = page["/"]
    assert (top.status, top.headers["content-type"]) == (200, TYPES[".html"])
    (title,) = re.findall(r"<title>.*</title>", (CONSOLE / "index.html").read_text())
    assert title in top.body.decode() and '<div id="root">' in top.body.decode()
    assert title not in (ROOT / "infra/page/index.html").read_text(), "what is served without npm"


def test_all_that_the_page_names_is_there(page: dict[str, Answer]) -> None:
    """Its scripts and styles, and what these import."""
    named = re.findall(r'(?:src|href)="\./([^"]+)"', page["/"].body.decode())
    assert any(name.endswith(".js") for name in named) and any(name.endswith(".css") for name in named)
    imported = [
        name
        for path, answer in page.items()
        if path.startswith("/assets/") and path.endswith((".js", ".css"))
        for name in re.findall(r"[\w-]+-[\w-]{8}\.(?:js|css|woff2)\b", answer.body.decode())
    ]
    wanted = {f"/{name}" for name in named} | {f"/assets/{name}" for name in imported}
    assert wanted <= page.keys(), wanted - page.keys()
    assets = {path for path in page if path.startswith("/assets/") and ".." not in path}
    assert assets <= wanted, "and no more"


def test_every_file_has_its_type_and_is_kept_as_long_as_its_name_allows(page: dict[str, Answer]) -> None:
    files = {path: page[path] for path in page if Path(path).suffix in TYPES}
    assert {Path(path).suffix for path in files} == set(TYPES)
    for path, answer in files.items():
        assert (answer.status, answer.headers["content-type"]) == (200, TYPES[Path(path).suffix]), path
        hashed = re.fullmatch(r"/assets/[\w-]+-[\w-]{8}\.\w+", path) is not None
        assert ("immutable" in answer.headers["cache-control"]) == hashed, path
        assert hashed == path.startswith("/assets/"), path


def test_the_scripts_are_those_of_these_sources(page: dict[str, Answer]) -> None:
    scripts = b"".join(answer.body for path, answer in page.items() if path.endswith(".js"))
    assert b"config.json" in scripts and b"createElement" in scripts
    assert b"sourceMappingURL" not in scripts and not [path for path in page if path.endswith(".map")]


def test_it_tells_where_the_control_road_is(page: dict[str, Answer]) -> None:
    told = page["/config.json"]
    assert (told.status, told.headers["content-type"]) == (200, "application/json")
    assert json.loads(told.body) == {"url": CONTROL}


def test_nothing_else_of_the_bundle_is_served(page: dict[str, Answer]) -> None:
    assert [page[path].status for path in page if path.endswith(".py")] == [404, 404]
