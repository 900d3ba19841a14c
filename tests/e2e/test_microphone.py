"""`vivavoce talk --mic` with a real sound server: a question spoken, its answer at the loudspeaker."""

from __future__ import annotations

import asyncio
import signal
from array import array
from ctypes.util import find_library
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import pytest

from simulator.speech.samples import SHIPPED
from tests.browser.rig.sound import sounding
from tests.e2e.dev import VIVAVOCE, dev

HAS_SOUND = which("pulseaudio") and find_library("portaudio") and any(Path("/usr/lib").rglob("*pcm_pulse.so"))

#: what makes PortAudio's default device the sound server's
ASOUND = "pcm.!default pulse\nctl.!default pulse\n"


@pytest.mark.timeout(240)
@pytest.mark.skipif(
    not HAS_SOUND, reason="apt install pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins"
)
async def test_a_spoken_question_is_answered_aloud_until_ctrl_c() -> None:
    with TemporaryDirectory(dir="/tmp") as short, dev() as urls:
        folder = Path(short)
        (folder / ".asoundrc").write_text(ASOUND)
        async with sounding(folder) as machine:
            talk = await asyncio.create_subprocess_exec(
                *(*VIVAVOCE, "talk", "--mic", "--url", urls["page"]),
                env=machine.environment,
                cwd=Path(__file__).parents[2],
                stderr=asyncio.subprocess.PIPE,
            )
            said: list[str] = []
            async with machine.recorded() as heard:
                await until("-- speak", talk, said)
                await machine.say(str(SHIPPED / "question.wav"))
                await until("agent: ", talk, said)
                talk.send_signal(signal.SIGINT)
                await until("", talk, said)
    assert talk.returncode == 0, said
    assert any(line.startswith("you: ") for line in said), said
    assert max(array("h", bytes(heard))) > 3000, "the answer was heard"
    assert any(line.startswith("heard ") for line in said), "what came of it is told"


async def until(beginning: str, talk: asyncio.subprocess.Process, said: list[str]) -> None:
    """Read on to a line with that beginning, or to the end."""
    assert talk.stderr
    async for line in talk.stderr:
        said.append(line.decode().rstrip())
        if beginning and said[-1].startswith(beginning):
            return
    await talk.wait()
