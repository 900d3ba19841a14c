"""Chromium, the built console, and one whole system behind it, for all tests of this folder.

What is missing is installed or built. Where that cannot be, the tests are skipped, and the summary says why.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_asyncio

import simulator
from infra.local.endpoint import Endpoint, listen
from infra.local.page import page_app
from infra.local.stack import LocalStack
from infra.local.stack import Options as StackOptions
from tests.browser.deployed import deployed
from tests.browser.drive import CONSOLE, INTERRUPTION, QUESTION, driving, recording
from tests.witness import CANARY, WITNESS
from vivavoce import Conversation

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SDK = ROOT / "client" / "sdk"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LEAD_S = 1.2  #: the recording begins at the click, the conversation a moment later
GEMINI_KEY = f"{CANARY}-browser-gemini-key"
_reasons: list[str] = []


class Missing(Exception):
    """The tests cannot run here; the text is for whoever reads the summary."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason in _reasons:
        terminalreporter.write_line(f"NOT TESTED IN A BROWSER: {reason}", red=True, bold=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """Where Chromium lies, with the drivers and the page ready. Skips, loudly, when one cannot be had."""
    try:
        with alone(HERE):
            found = install("chromium", os.environ.get("CHROMIUM"), BROWSERS)
            install_drivers()
            build_page()
    except Missing as reason:
        missing(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHROMIUM", found)
        yield found


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process of the suite at a time: what is missing in `folder` is put there once."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def missing(reason: Missing) -> NoReturn:
    """Skip, and say so where it is seen."""
    _reasons.append(str(reason))
    pytest.skip(str(reason))


def install(package: str, named: str | None, names: tuple[str, ...]) -> str:
    """Where a program lies: at `named`, or under one of its names, or where Debian's own has been put.

    Raises Missing; also where there is no Debian, or no right to install.
    """
    if named and not Path(named).exists():
        raise Missing(f"{package} is set to {named}, which does not exist")
    found = named or _find(names)
    if not found:
        _install(package)
        found = _find(names)
    if not found:
        raise Missing(f"apt-get installed no {package}")
    return found


def _find(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def _install(package: str) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"no {package} here; install one, or name its path (CHROMIUM, FIREFOX)")
    apt = ("apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=60")
    _run((*apt, "update"), ROOT, "apt-get update failed")
    _run((*apt, "install", "--no-install-recommends", package), ROOT, f"apt-get could not install {package}")


def install_drivers() -> None:
    if not shutil.which("npm"):
        raise Missing("no npm here; Node 20 or newer drives the browser")
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        _run(("npm", "ci", "--no-audit", "--no-fund"), HERE, "npm ci failed in tests/browser")


def build_page() -> None:
    """The SDK and then the console, when a source is newer than what was built of it."""
    if _is_stale(SDK, SDK / "dist" / "index.js"):
        _ci(SDK)
        _run(("npm", "run", "build"), SDK, "the SDK does not build")
    if _is_stale(CONSOLE, CONSOLE / "dist" / "index.html", SDK / "dist" / "index.js"):
        _ci(CONSOLE)
        _run(("npm", "run", "build"), CONSOLE, "the console does not build")


def _is_stale(package: Path, built: Path, *more: Path) -> bool:
    sources = [path for path in (package / "src").rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in (*sources, package / "package.json", *more))
    return not built.exists() or built.stat().st_mtime < newest


def _ci(package: Path) -> None:
    if not (package / "node_modules").is_dir():
        _run(
            ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
            package,
            f"npm ci failed in {package}",
        )


def _run(command: tuple[str, ...], folder: Path, complaint: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"{complaint}: {''.join(last)}")


@dataclass
class System:
    """What a test may look into."""

    stack: LocalStack
    simulator: simulator.Running
    deployed: str  #: the page as the deployment's function serves it
    tapped: str  #: the page with one file more in its folder: the recorder that listens to the loudspeaker

    @property
    def page(self) -> str:
        return self.stack.urls.page


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Everything up, once, with a warm relay. Audio comes twice as fast as it plays: there is time to cut."""
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    scenario = simulator.parse("settings: {pace: 2}")
    async with AsyncExitStack() as parts:
        model = await parts.enter_async_context(simulator.serve(simulator.Config(scenario=scenario)))
        place = listen()
        elsewhere = listen()
        stack = await parts.enter_async_context(
            LocalStack(StackOptions(gemini_url=model.url, gemini_key=GEMINI_KEY))
        )
        WITNESS.keeps(stack.secrets.jwt, "the JWT secret")
        WITNESS.keeps(stack.secrets.route, "the route key")
        console = _with_recorder(tmp_path_factory.mktemp("console"))
        app = page_app(stack.urls.control, stack.user(), media_url=stack.urls.media, console=console)
        page = await parts.enter_async_context(Endpoint(app, place))
        await parts.enter_async_context(driving())
        linked = await parts.enter_async_context(deployed(stack.urls, elsewhere))
        await _warm(stack)
        yield System(stack, model, linked, page.url)
    WITNESS.logs(line.text for line in stack.logs.lines)


@pytest.fixture(scope="package")
def question(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording for the microphone: one for all, as tests with the same microphone share a browser."""
    return recording(tmp_path_factory.mktemp("said") / "question.wav", LEAD_S, QUESTION, 8.0)


@pytest.fixture(scope="package")
def talked_over(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording of a question, and of an interruption of its answer."""
    path = tmp_path_factory.mktemp("said") / "over.wav"
    return recording(path, LEAD_S, QUESTION, 2.6, INTERRUPTION, 8.0)


def _with_recorder(folder: Path) -> Path:
    """A copy of the build. A worklet is a file of the page's own origin, or the policy keeps it out."""
    shutil.copytree(CONSOLE / "dist", folder, dirs_exist_ok=True)
    shutil.copy(HERE / "witness-tap.js", folder)
    return folder


async def _warm(stack: LocalStack) -> None:
    """Start the relay: the recordings begin with the microphone and do not wait."""
    token = stack.user("early-bird").token()
    WITNESS.keeps(token, "a JWT")
    async with asyncio.timeout(40), Conversation(stack.urls.control, token) as call:
        await call.end()
