"""Builds what people install, and looks into it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client" / "python"
SDK = ROOT / "client" / "sdk"
UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True, slots=True)
class Built:
    """The two forms in which the Python client is published."""

    sdist: Path
    wheel: Path


def run(
    *command: str | Path,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    within_s: float = 300,
) -> str:
    """What a command prints; `environment` comes on top of ours. Raises AssertionError when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=within_s,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


def build_client(folder: Path, project: Path = CLIENT) -> Built:
    """Both forms, into `folder`, by the backend that `project` names and this environment holds."""
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, folder=project)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


def unpack(sdist: Path, folder: Path) -> Path:
    """The one folder that an sdist holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (project,) = folder.iterdir()
    return project


def contents(wheel: Path) -> dict[str, bytes]:
    """File by file what a wheel puts into an environment, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        return {name: archive.read(name) for name in names}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode("utf-8"))


def environment(folder: Path, *wanted: str | Path) -> Path:
    """A new, empty environment with `wanted` installed, named as for pip. Returns its interpreter."""
    run(UV, "venv", "-q", "--no-config", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    install(python, *wanted)
    return python


def install(python: Path, *wanted: str | Path) -> None:
    run(UV, "pip", "install", "-q", "--python", python, *wanted)


def installed(python: Path) -> dict[str, str]:
    """Name -> version of every distribution in an environment."""
    listed = run(UV, "pip", "list", "-q", "--format", "json", "--python", python)
    return {each["name"]: each["version"] for each in json.loads(listed)}
