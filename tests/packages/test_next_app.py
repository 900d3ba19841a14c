"""The Next.js example with the SDK as `npm pack` makes it: built, served, spoken to. `make packages`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulator.audio import tones
from tests.browser.drive import INTERRUPTION, OVER, QUESTION, WORDS, Sound, drive, recording
from tests.browser.vite import served
from tests.packages.builds import ROOT, run
from tests.packages.conftest import LEAD_S, warm

pytestmark = [pytest.mark.packages, pytest.mark.timeout(900)]

EXAMPLE = ROOT / "client" / "examples" / "next"
QUIET = {"NEXT_TELEMETRY_DISABLED": "1"}

#: a layout that runs on the server, and every entry of the SDK in it
LAYOUT = """
import type { ReactNode } from 'react';
import { VoiceClient } from 'vivavoce';
import { adviceOn } from 'vivavoce/advice';
import { VivavoceCall } from 'vivavoce/element';
import { VoiceProvider } from 'vivavoce/react';
import { FakeServer } from 'vivavoce/testing';

const session = { url: 'wss://control.test', token: 'a.jwt' };
const known = [VoiceClient, adviceOn, VivavoceCall, FakeServer].every((each) => typeof each === 'function');

export default function Layout({ children }: { children: ReactNode }) {
  const said = known ? 'all are here' : 'some are not';
  return <VoiceProvider session={session}><p>{said}</p>{children}</VoiceProvider>;
}
"""
PAGE = "export default () => <p>a page</p>;\n"


@pytest.fixture(scope="module")
def app(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its own with the example's sources and one more page, built."""
    folder = tmp_path_factory.mktemp("next") / "app"
    kept = shutil.ignore_patterns("node_modules", ".next", ".npmrc", "package-lock.json")
    shutil.copytree(EXAMPLE, folder, ignore=kept)
    direct = folder / "app" / "direct"
    direct.mkdir()
    (direct / "layout.tsx").write_text(LAYOUT)
    (direct / "page.tsx").write_text(PAGE)
    manifest = json.loads((EXAMPLE / "package.json").read_text(encoding="utf-8"))
    manifest["dependencies"]["vivavoce"] = f"file:{tarball}"
    (folder / "package.json").write_text(json.dumps(manifest))
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder, within_s=600)
    run("npm", "run", "build", folder=folder, environment=QUIET, within_s=600)
    return folder


async def test_the_next_example_builds_with_the_packed_sdk_and_may_be_talked_over(
    app: Path, stack: dict[str, Any], chromium: str, tmp_path: Path
) -> None:
    wav = recording(tmp_path / "over.wav", LEAD_S, QUESTION, 2.6, INTERRUPTION, 8.0)
    await warm(stack)
    start = ("npx", "next", "start", "--port", "0")
    async with served(*start, folder=app, environment=QUIET | {"VIVAVOCE_PAGE": stack["page"]}) as url:
        seen = await drive("example", url=url, isTalkedOver=True, launch={"wav": wav})
        direct = await drive("text", url=f"{url}/direct")
    question, cut, over, answer = seen["lines"]
    assert (question, over) == (WORDS, OVER)
    assert cut and answer
    sound = Sound.of(seen["sound"])
    assert len(list(tones.find(sound.pcm, sound.rate))) == 2, "both answers were heard"
    assert seen["rules"]["found"] == []
    assert seen["errors"] == []
    assert "all are here" in direct["text"]
    assert direct["errors"] == []
