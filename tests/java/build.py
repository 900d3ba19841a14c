"""Compiles the Java client. Without Java a test is skipped, but not in CI: there it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROTOCOL = HERE.parents[1] / "protocol"
MISSING = "no `javac` and `java` on PATH: install a JDK, 17 or newer (Debian: openjdk-17-jdk-headless)"
STRICT = ("-Xlint:all", "-Werror", "--release", "17", "-encoding", "UTF-8")


def find(environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Return the paths of javac and java. Skips the test without them, or fails it when CI is set."""
    javac, java = (shutil.which(name, path=environment.get("PATH", "")) for name in ("javac", "java"))
    if javac and java:
        return javac, java
    if environment.get("CI"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


def build(classes: Path) -> list[str]:
    """Compile into the folder `classes`; return the command before a class's name. Warnings are errors."""
    javac, java = find()
    sources = sorted(str(source) for source in HERE.glob("*.java"))
    command = [javac, *STRICT, "-d", str(classes), *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return [java, "-Dfile.encoding=UTF-8", "-cp", str(classes)]
