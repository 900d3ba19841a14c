"""How many questions a deployment asks of whoever types it, counted at a terminal.

`sam deploy` as docs/deploy.md has it, and `--guided`, which that page advises against; Enter answers all.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.deploy.embed import TEMPLATE
from infra.local.template import transform
from tests.aws.conftest import ROOT, SAM
from tests.aws.deployed import CREDENTIALS
from tests.aws.emulator import MINISTACK, REGION, serving

PROMPT = re.compile(r"([^\r\n]*\[[^\r\n\[\]]*\]): ?$")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: SAM's own, besides one for each parameter
GUIDED = {"Stack Name", "AWS Region", "Confirm changes before deploy", "Allow SAM CLI IAM role creation"}
GUIDED |= {"Disable rollback", "Save arguments to configuration file", "SAM configuration file"}
GUIDED |= {"SAM configuration environment", "Deploy this changeset?"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    if not MINISTACK.exists() or not SAM.exists():
        pytest.skip("make aws-check installs SAM and MiniStack")
    with serving(AUTH="false") as url:
        yield url


def asked(arguments: list[str], environment: Mapping[str, str], within_s: float = 300.0) -> list[str]:
    """The prompts that `sam ARGUMENTS` shows at a terminal, each answered by Enter."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SAM, *arguments], cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, prompts, deadline = "", [], time.monotonic() + within_s
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 0.3)
            if not ready:
                if found := PROMPT.search(COLOURS.sub("", said)):
                    prompts.append(found[1].strip())
                    said = ""
                    os.write(ours, b"\n")
                continue
            try:
                said += os.read(ours, 65_536).decode(errors="replace")
            except OSError:  # the terminal is gone: the program has ended
                return prompts
        raise TimeoutError(said[-500:])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)


def environment(cloud: str) -> dict[str, str]:
    nobody = {"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
    terminal = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TERM": "xterm", "COLUMNS": "200"}
    own = {"AWS_ENDPOINT_URL": cloud, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}
    return {**terminal, **nobody, **own, **CREDENTIALS}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of samconfig.toml: `--guided` writes into its own."""
    copy = tmp_path / "samconfig.toml"
    copy.write_text((ROOT / "samconfig.toml").read_text())
    return copy


def test_sam_deploy_asks_one_question(cloud: str, native: Path, config: Path) -> None:
    command = ["deploy", "--template-file", str(native / "template.yaml"), "--config-file", str(config)]
    (question,) = asked(command, environment(cloud))
    assert question.startswith("Deploy this changeset?")


def test_guided_asks_for_each_parameter_and_the_guide_says_how_many(
    cloud: str, native: Path, config: Path
) -> None:
    """Why the guide has nobody use it; and the number of parameters, which it also is, is held here."""
    command = ["deploy", "--guided", "--template-file", str(native / "template.yaml")]
    questions = asked([*command, "--config-file", str(config)], environment(cloud))
    names = [re.sub(r"\s*\[.*", "", each).removeprefix("#").strip() for each in questions]
    parameters = {f"Parameter {name}" for name in transform(TEMPLATE)["Parameters"]}
    assert parameters <= set(names), parameters - set(names)
    others = [name for name in names if name not in parameters]
    assert set(others) <= GUIDED, set(others) - GUIDED
    guide = (ROOT / "docs/deploy.md").read_text()
    assert f"would ask {len(questions)} questions" in guide
