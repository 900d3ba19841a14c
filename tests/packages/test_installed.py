"""The Python client, installed as its users install it, talks to the local stack. `make packages`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.speech.samples import SHIPPED
from tests.e2e.dev import admission, spoken_codes
from tests.packages.builds import CLIENT, Built, environment, install, installed, run
from vivavoce.wavefile import read_wav

pytestmark = [pytest.mark.packages, pytest.mark.timeout(300)]

QUESTION = SHIPPED / "question.wav"

#: prints whose `agents` this is, and every file that vivavoce has brought
WHOSE = """
import agents, json, vivavoce
from importlib.metadata import distribution, packages_distributions
brought = {str(file) for file in distribution("vivavoce").files}
print(json.dumps([packages_distributions()["agents"], bool(agents.Agent), sorted(brought)]))
"""


def speaks(python: Path, stack: dict[str, Any], folder: Path) -> None:
    """The README's spoken example, by that interpreter: asserts that the answer was heard as it was sent."""
    url, token = admission(stack["page"])
    examples = (CLIENT / "README.md").read_text(encoding="utf-8").split("```python\n")[1:]
    script, answer = folder / "ask.py", folder / "answer.wav"
    script.write_text(next(each for each in examples if "read_wav" in each).partition("```")[0])
    run(python, "-I", script, url, token, QUESTION, answer, folder=folder, within_s=90)
    heard = read_wav(answer)  # comes back at 16 kHz
    assert [code for code, _ in tones.find(heard, 16_000)] == spoken_codes(stack["simulator"])
    assert similarity(read_wav(QUESTION), heard, 16_000, 16_000) > 0.9


def test_beside_openai_agents_nothing_of_it_changes_and_a_spoken_question_is_answered(
    built: Built, stack: dict[str, Any], tmp_path: Path
) -> None:
    python = environment(tmp_path / "venv", "openai-agents")
    before = installed(python)
    install(python, built.wheel)
    assert {name: installed(python)[name] for name in before} == before
    assert installed(python).keys() - before.keys() == {"msgspec", "vivavoce"}
    owners, has_agent, brought = json.loads(run(python, "-I", "-c", WHOSE, folder=tmp_path))
    assert owners == ["openai-agents"] and has_agent
    assert {re.match(r"vivavoce(?=/|-[\d.]+\.dist-info/)", file) is not None for file in brought} == {True}
    speaks(python, stack, tmp_path)


@pytest.mark.parametrize("form", ["sdist", "checkout"])
def test_pip_builds_it_by_itself_and_a_spoken_question_is_answered(
    form: str, built: Built, stack: dict[str, Any], tmp_path: Path
) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", built.sdist if form == "sdist" else CLIENT, folder=tmp_path)
    speaks(python, stack, tmp_path)


def test_with_the_oldest_dependencies_it_admits_a_spoken_question_is_answered(
    built: Built, stack: dict[str, Any], tmp_path: Path
) -> None:
    python = environment(tmp_path / "venv", "--resolution", "lowest", "--only-binary", ":all:", built.wheel)
    speaks(python, stack, tmp_path)
