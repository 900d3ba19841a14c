"""Chromium, the built console, and one whole system behind it, for all tests of this folder.

What is missing is installed or built. Where that cannot be, the tests are skipped, and the summary says why.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
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
from tests import dialect
from tests.browser.deployed import deployed
from tests.browser.drive import CONSOLE, INTERRUPTION, QUESTION, driving, recording
from tests.browser.programs import Missing, find_chromium, find_sound, run
from tests.browser.rig.engines import ENGINES
from tests.browser.rig.page import Page
from tests.browser.rig.plain import serving as plain_page
from tests.browser.rig.sound import Machine, sounding
from tests.witness import CANARY, WITNESS
from vivavoce import Conversation, VoiceError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SDK = ROOT / "client" / "sdk"
WARM_S = 100.0  #: at most, until the first call of a system has been held
LEAD_S = 1.2  #: the recording begins at the click, the conversation a moment later
GEMINI_KEY = f"{CANARY}-browser-gemini-key"
QUOTA = {"StartsPerMinute": "100"}  #: one user sits at all these tests
_reasons: list[str] = []
_figures: list[str] = []

Figure = Callable[[str], None]  #: keeps a line for the end of the run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason in _reasons:
        terminalreporter.write_line(f"NOT TESTED IN A BROWSER: {reason}", red=True, bold=True)
    for line in _figures:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """Where Chromium lies, with the drivers and the page ready. Skips, loudly, when one cannot be had."""
    try:
        with alone(HERE):
            found = find_chromium()
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


def install_drivers() -> None:
    if not shutil.which("npm"):
        raise Missing("no npm here; Node 20 or newer drives the browser")
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        run(("npm", "ci", "--no-audit", "--no-fund"), HERE, "npm ci failed in tests/browser")


def build_page() -> None:
    """The SDK and then the console, when a source is newer than what was built of it."""
    if _is_stale(SDK, SDK / "dist" / "index.js"):
        _ci(SDK)
        run(("npm", "run", "build"), SDK, "the SDK does not build")
    if _is_stale(CONSOLE, CONSOLE / "dist" / "index.html", SDK / "dist" / "index.js"):
        _ci(CONSOLE)
        run(("npm", "run", "build"), CONSOLE, "the console does not build")


def _is_stale(package: Path, built: Path, *more: Path) -> bool:
    sources = [path for path in (package / "src").rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in (*sources, package / "package.json", *more))
    return not built.exists() or built.stat().st_mtime < newest


def _ci(package: Path) -> None:
    if not (package / "node_modules").is_dir():
        run(
            ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
            package,
            f"npm ci failed in {package}",
        )


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
            LocalStack(
                StackOptions(
                    gemini_url=model.url, gemini_key=GEMINI_KEY, parameters=dialect.parameters(**QUOTA)
                )
            )
        )
        WITNESS.keeps(stack.secrets.jwt, "the JWT secret")
        WITNESS.keeps(stack.secrets.route, "the route key")
        console = _with_recorder(tmp_path_factory.mktemp("console"))
        app = page_app(stack.urls.control, stack.user(), media_url=stack.urls.media, console=console)
        page = await parts.enter_async_context(Endpoint(app, place))
        await parts.enter_async_context(driving())
        linked = await parts.enter_async_context(deployed(stack.urls, elsewhere))
        await warm(stack)
        yield System(stack, model, linked, page.url)
    WITNESS.logs(line.text for line in stack.logs.lines)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def machine() -> AsyncIterator[Machine]:
    """A sound server with a loudspeaker and a microphone. Skips, loudly, when it cannot be had."""
    try:
        find_sound()
    except Missing as reason:
        missing(reason)
    folder = tempfile.mkdtemp(prefix="sound")
    try:
        async with sounding(Path(folder)) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(request: pytest.FixtureRequest, machine: Machine) -> AsyncIterator[Page]:
    """A browser of the rig; which one a module's parameters say. One at a time, for the tests of a module."""
    engine = ENGINES[request.param]
    try:
        program = await asyncio.to_thread(engine.find)
    except Missing as reason:
        missing(reason)
    async with engine.start(program, machine.environment) as opened:
        yield opened


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def plain(chromium: str) -> AsyncIterator[str]:
    """The address of the page with nothing on it but the client."""
    async with plain_page() as url:
        yield url


@pytest.fixture(scope="session")
def figure() -> Figure:
    """Takes what was measured, to be read at the end of the run."""
    return _figures.append


@pytest.fixture(scope="package")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording for the rig's microphone, which hears it when it is told."""
    return recording(tmp_path_factory.mktemp("said") / "said.wav", QUESTION, 0.5)


@pytest.fixture(scope="package")
def over(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording for the rig's microphone: an interruption after some words of an answer."""
    return recording(tmp_path_factory.mktemp("said") / "over.wav", 2.0, INTERRUPTION, 0.5)


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


async def warm(stack: LocalStack) -> None:
    """Start functions and relay: a recording begins with the microphone, and waits for neither."""
    token = stack.user("early-bird").token()
    WITNESS.keeps(token, "a JWT")
    async with asyncio.timeout(WARM_S):
        while True:
            try:
                async with Conversation(stack.urls.control, token) as call:
                    return await call.end()
            except VoiceError as error:
                if error.code != "connect_timeout":
                    raise
