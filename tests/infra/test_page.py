"""The local page: a session for whoever sits at this machine, and for nobody else."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from yarl import URL

from infra.local.endpoint import Endpoint, listen
from infra.local.page import LocalUser, page_app

CONTROL = "ws://127.0.0.1:1/v1"
USER = LocalUser(secret="s" * 32, audience="aud")


@asynccontextmanager
async def page(
    console: Path = Path("not-built"), media: str = ""
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    app = page_app(CONTROL, USER, media_url=media, console=console)
    async with Endpoint(app, listen()) as endpoint, aiohttp.ClientSession() as http:
        yield endpoint.url, http


async def test_session_json_has_the_control_url_and_a_token_for_an_hour() -> None:
    async with page() as (url, http), http.get(f"{url}/dev/session.json") as answer:
        session = await answer.json()
        headers = answer.headers
    assert session["url"] == CONTROL
    claims: dict[str, Any] = jwt.decode(session["token"], "s" * 32, algorithms=["HS256"], audience="aud")
    assert claims["sub"] == "local-user"
    assert claims["exp"] - claims["iat"] == 3600
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_a_page_that_is_not_built_names_the_control_road_and_says_how_to_build_it() -> None:
    async with page() as (url, http), http.get(url) as answer:
        text = await answer.text()
    assert CONTROL in text
    assert "npm run build" in text


async def test_config_json_says_where_to_call_and_who_signs_in() -> None:
    async with page() as (url, http), http.get(f"{url}/config.json") as answer:
        config = await answer.json()
        assert answer.headers["Cache-Control"] == "no-store"
        async with http.get(f"{url}/{config['session']}") as session:
            assert (await session.json())["url"] == config["url"] == CONTROL


async def test_config_json_has_what_the_pickers_need_and_no_instructions() -> None:
    async with page() as (url, http), http.get(f"{url}/config.json") as answer:
        agents = {agent["name"]: agent for agent in (await answer.json())["agents"]}
    assert agents["assistant"]["voice"] == "Kore"
    assert "voice" in agents["assistant"]["allow"]
    assert agents["kiosk"]["allow"] == []
    assert {key for agent in agents.values() for key in agent} == {
        "name", "voice", "language", "greeting", "allow"
    }  # fmt: skip


@pytest.fixture
def console(tmp_path: Path) -> Path:
    """A build, and a secret beside it."""
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<title>built</title>")
    (built / "assets" / "page-1a2b.js").write_text("export {}")
    (built / "assets" / "page.map").write_text("{}")
    (tmp_path / "secret.js").write_text("secret")
    (built / "way-out.js").symlink_to(tmp_path / "secret.js")
    return built


async def test_the_built_page_is_served_as_soon_as_it_is_there(tmp_path: Path, console: Path) -> None:
    later = tmp_path / "later"
    async with page(later) as (url, http):
        os.rename(console, later)
        async with http.get(url) as answer:
            assert "built" in await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"


async def test_a_file_with_a_hash_in_its_name_is_kept_by_the_browser(console: Path) -> None:
    async with page(console) as (url, http), http.get(f"{url}/assets/page-1a2b.js") as answer:
        assert answer.content_type == "text/javascript"
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_scripts_are_compressed_for_who_takes_that_and_fonts_are_not_again(console: Path) -> None:
    script, font = console / "assets" / "page-1a2b.js", console / "assets" / "text.woff2"
    script.write_text("export const words = [];\n" * 1000)
    font.write_bytes(b"wOF2" + bytes(5000))
    async with page(console) as (url, http):
        for file, packed, plain in ((script, 1000, 25_000), (font, 5004, 5004)):
            for coding, most in (("gzip", packed), ("identity", plain)):
                headers = {"Accept-Encoding": coding}
                async with http.get(f"{url}/assets/{file.name}", headers=headers) as answer:
                    assert int(answer.headers["Content-Length"]) <= most
                    assert await answer.read() == file.read_bytes()


@pytest.mark.parametrize(
    "path",
    ["../secret.js", "%2e%2e/secret.js", "assets/../../secret.js", "way-out.js", "assets/page.map", "no"],
)
async def test_nothing_but_files_of_the_build_is_served(console: Path, path: str) -> None:
    async with page(console) as (url, http), http.get(URL(f"{url}/{path}", encoded=True)) as answer:
        assert answer.status == 404


async def test_the_policy_admits_own_files_and_this_stacks_sockets_only(console: Path) -> None:
    async with page(console, "ws://127.0.0.1:2/r") as (url, http), http.get(url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self' ws://127.0.0.1:1 ws://127.0.0.1:2"
    assert "unsafe" not in policy


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80"])
async def test_loopback_names_are_served(host: str) -> None:
    async with page() as (url, http), http.get(url, headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "192.168.0.7"])
async def test_a_foreign_host_name_is_refused_even_when_it_leads_here(host: str) -> None:
    """DNS rebinding: the page of another site would reach this port under its own name."""
    async with page() as (url, http), http.get(f"{url}/dev/session.json", headers={"Host": host}) as answer:
        assert answer.status in (400, 403)
        assert "token" not in await answer.text()


async def test_a_foreign_host_name_gets_no_file_either(console: Path) -> None:
    host = {"Host": "evil.example"}
    async with page(console) as (url, http), http.get(f"{url}/assets/page-1a2b.js", headers=host) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:3000", "https://[::1]:8443"])
async def test_an_app_of_ones_own_on_this_machine_may_read_the_token(origin: str) -> None:
    headers = {"Origin": origin}
    async with page() as (url, http), http.get(f"{url}/dev/session.json", headers=headers) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in answer.headers["Vary"]
        assert "token" in await answer.json()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null", "["])
async def test_a_page_of_another_site_gets_nothing(origin: str) -> None:
    headers = {"Origin": origin}
    async with page() as (url, http), http.get(f"{url}/dev/session.json", headers=headers) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "token" not in await answer.text()
