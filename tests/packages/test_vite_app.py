"""The SDK as `npm pack` makes it, in fresh Vite apps: built, served, spoken to. `make packages`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulator.audio import tones
from tests.browser.drive import QUESTION, Sound, drive, recording
from tests.browser.vite import served
from tests.e2e.dev import spoken_codes
from tests.packages.builds import ROOT, run
from tests.packages.conftest import LEAD_S, warm

pytestmark = [pytest.mark.packages, pytest.mark.timeout(400)]

EXAMPLE = ROOT / "client" / "examples" / "react"
VANILLA = Path(__file__).parent / "vanilla"
WORDS = "Could you tell me when the next train leaves?"

#: where the local stack is, and nothing about the SDK
CONFIG = """
const page = JSON.stringify(process.env.VIVAVOCE_PAGE);
export default { define: { 'import.meta.env.VIVAVOCE_PAGE': page } };
"""


def fresh_app(kind: str, tarball: Path, folder: Path) -> Path:
    """A project of its own, with the sources of the React example or of a page without a framework."""
    sources = EXAMPLE if kind == "react" else VANILLA
    shutil.copytree(sources / "src", folder / "src")
    shutil.copy(sources / "index.html", folder)
    shutil.copy(EXAMPLE / "src" / "session.ts", folder / "src")
    shutil.copy(EXAMPLE / "tsconfig.json", folder)
    (folder / "vite.config.mjs").write_text(CONFIG)
    manifest = json.loads((EXAMPLE / "package.json").read_text(encoding="utf-8"))
    wanted = manifest["dependencies"] | manifest["devDependencies"] | {"vivavoce": f"file:{tarball}"}
    if kind == "vanilla":
        wanted = {name: version for name, version in wanted.items() if "react" not in name}
    project = {"name": "fresh", "private": True, "type": "module", "dependencies": wanted}
    (folder / "package.json").write_text(json.dumps(project))
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return folder


@pytest.mark.parametrize("kind", ["vanilla", "react"])
async def test_a_fresh_vite_app_with_the_packed_sdk_builds_and_talks(
    kind: str, tarball: Path, stack: dict[str, Any], chromium: str, tmp_path: Path
) -> None:
    app = fresh_app(kind, tarball, tmp_path / "app")
    assert not (app / "node_modules" / "vivavoce").is_symlink()
    run("npx", "tsc", "--noEmit", folder=app)
    environment = {"VIVAVOCE_PAGE": stack["page"]}
    run("npx", "vite", "build", folder=app, environment=environment)
    wav = recording(tmp_path / "question.wav", LEAD_S, QUESTION, 8.0)
    await warm(stack)
    preview = ("npx", "vite", "preview", "--port", "0")
    async with served(*preview, folder=app, environment=environment) as url:
        seen = await drive("example", url=url, launch={"wav": wav})
    said, answer = seen["lines"]
    assert said == WORDS and "train" in answer
    sound = Sound.of(seen["sound"])
    assert [code for code, _ in tones.find(sound.pcm, sound.rate)] == spoken_codes(stack["simulator"])
    assert seen["errors"] == []
