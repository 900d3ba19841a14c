"""What this machine must have for `sam build` and `sam deploy`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from cli.doctor.steps import Result, Trouble

SAM, PYTHON = (1, 163), (3, 11)  #: oldest versions
COMPILES = "python3.13"  #: what Lambda runs: the build compiles with it where it is there
TIMEOUT_S = 60.0  #: sam takes seconds to start


@dataclass(frozen=True, slots=True)
class Machine:
    """Programs of this machine, by the PATH of `environment`."""

    environment: Mapping[str, str]

    def python(self, step: Result) -> None:
        """The Python that the build takes: $PYTHON, or the first python3. Raises Trouble."""
        name = self.environment.get("PYTHON") or "python3"
        found = self._version(name, PYTHON, "no_python", "old_python")
        step.detail = f"{name} is {found}"
        if not self._path(COMPILES):
            step.detail += f"; without {COMPILES} beside it, functions and relays start slower"

    def sam(self, step: Result) -> None:
        """The SAM CLI, and make, which runs the recipes. Raises Trouble."""
        if not self._path("make"):
            raise Trouble("no_make", "there is no make")
        found = self._version("sam", SAM, "no_sam", "old_sam")
        step.detail = f"sam is {found}"

    def _path(self, name: str) -> str | None:
        return shutil.which(name, path=self.environment.get("PATH", ""))

    def _version(self, name: str, oldest: tuple[int, int], missing: str, old: str) -> str:
        wanted = ".".join(map(str, oldest))
        path = self._path(name)
        if path is None:
            raise Trouble(missing, f"there is no {name}")
        ran = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            env=dict(self.environment),
        )  # fmt: skip
        found = re.search(r"(\d+)\.(\d+)\S*", ran.stdout + ran.stderr)
        if found is None:
            raise Trouble(old, f"{name} does not tell its version")
        if (int(found[1]), int(found[2])) < oldest:
            raise Trouble(old, f"{name} is {found[0]}, and {wanted} or newer is needed")
        return found[0]
