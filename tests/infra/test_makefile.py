"""What `make` says on a newcomer's machine, with other programs in place of Python's, npm and ours."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: npm where the registry cannot be reached: what it writes by its log level
NPM = """#!/bin/sh
case "$*" in *--silent*) ;; *) echo "npm error code ENOTFOUND" >&2 ;; esac
exit 1
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout's Makefile, with all made but the client, where people keep such things."""
    tmp_path = tmp_path / "my projects" / "viva voce é"
    for name in ("Makefile", "infra/deploy/build.mk"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("requirements.lock", "pyproject.toml", "client/python/pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("client/sdk", "client/console", "tests/sdk"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "package-lock.json").touch()
    program(tmp_path / ".venv/bin/vivavoce", '#!/bin/sh\necho "vivavoce $*"\n')
    program(tmp_path / "bin/npm", NPM)
    program(tmp_path / "bin/node", "#!/bin/sh\nexit 0\n")
    (tmp_path / ".venv/ready").touch()
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", "-C", str(checkout), "--no-print-directory", *arguments],
        env=os.environ | {"PATH": path, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def built(checkout: Path) -> None:
    for name in (
        "client/sdk/dist/index.js",
        "client/console/dist/index.html",
        "tests/sdk/node_modules/ready",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()


@pytest.mark.parametrize("target", ["client/sdk/dist/index.js", "tests/sdk/node_modules/ready"])
def test_npm_s_own_error_is_seen(checkout: Path, target: str) -> None:
    done = make(checkout, target)
    assert done.returncode != 0 and "npm error code ENOTFOUND" in done.stderr


def test_each_step_of_the_setup_is_announced(checkout: Path) -> None:
    builds = "mkdir -p dist node_modules && touch dist/index.js dist/index.html"
    program(checkout / "bin/npm", f"#!/bin/sh\n{builds}\n")
    done = make(checkout, "setup")
    assert done.returncode == 0, done.stderr
    steps = ("its packages…", "the SDK…", "the console's packages…", "the console…")
    assert [step for step in steps if step in done.stdout] == [*steps]


def test_run_hands_its_arguments_on(checkout: Path) -> None:
    built(checkout)
    done = make(checkout, "run", "ARGS=--port 9000 --logs")
    assert done.stdout == "vivavoce dev --port 9000 --logs\n", done.stderr


@pytest.mark.parametrize("python", ["exit 1", "exit 127"])
def test_a_python_that_is_too_old_or_missing_is_one_line(checkout: Path, python: str) -> None:
    (checkout / ".venv/ready").unlink()
    program(checkout / "bin/python3", f"#!/bin/sh\n{python}\n")
    done = make(checkout, "run")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed; set PYTHON=python3.x" in done.stdout


def test_a_node_that_is_too_old_is_one_line(checkout: Path) -> None:
    program(checkout / "bin/node", "#!/bin/sh\nexit 1\n")
    done = make(checkout, "run")
    assert done.returncode != 0 and "Node 20 or newer is needed" in done.stdout


def test_ctrl_c_in_the_setup_is_no_traceback(checkout: Path) -> None:
    """Python's own modules are run so that they end as any other program does."""
    (checkout / ".venv/ready").unlink()
    (checkout / "venv.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = make(checkout, ".venv/ready", f"PYTHON=PYTHONPATH=. {sys.executable}")
    assert done.returncode != 0 and "Traceback" not in done.stderr


def test_clean_leaves_what_was_cloned(checkout: Path) -> None:
    cloned = files(checkout) - {".venv/bin/vivavoce", ".venv/ready"}
    built(checkout)
    assert files(checkout) > cloned
    assert make(checkout, "clean").returncode == 0
    assert files(checkout) == cloned


def files(checkout: Path) -> set[str]:
    return {str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["Makefile", "infra/deploy/build.mk"])
def test_the_modules_and_scripts_that_it_runs_are_there(name: str) -> None:
    text = (ROOT / name).read_text()
    modules = set(re.findall(r"\bpython -m ([\w.]+)|\bfrom ([\w.]+) import", text))
    named = {module or imported for module, imported in modules}
    ours = {each for each in named if (ROOT / each.split(".")[0]).is_dir()}
    assert ours, "it runs something of ours"
    assert {each for each in ours if importlib.util.find_spec(each) is None} == set()
    scripts = set(re.findall(r"(?<=\s)[\w/-]+/[\w-]+\.(?:py|mjs|sh)\b", text))
    assert {each for each in scripts if not (ROOT / each).is_file()} == set()


@pytest.mark.parametrize(
    "name",
    ["relay/requirements", *(f"functions/requirements/{each}" for each in ("control", "keys", "mint"))],
)
def test_a_bundle_locks_all_that_it_asks_for(name: str) -> None:
    asked = re.findall(r"^([\w-]+)", (ROOT / f"{name}.in").read_text(), re.MULTILINE)
    locked = set(re.findall(r"^([\w-]+)(?:\[\w+\])?==", (ROOT / f"{name}.lock").read_text(), re.MULTILINE))
    assert asked and set(asked) <= locked, "make aws-lock"
