"""The relay's image, built from infra/relay/Dockerfile by buildah: no daemon, no registry of images.

Nothing here can pull the stock Python image, so a Debian made by debootstrap stands for it, with Debian's own
Python. It is kept in .local/image, because it takes a minute; the image itself is built anew each time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".local/image"
BASE = "localhost/base"
PACKAGES = "ca-certificates,python3,python3-venv"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: settings of this machine's pip that a build must have too, where there are any
PIP = ("index-url", "cert", "trusted-host", "proxy", "default-timeout")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("image")


@dataclass(frozen=True, slots=True)
class Image:
    """A built image, unpacked."""

    root: Path  #: its file system
    config: dict[str, Any]  #: as in an image's manifest: User, Env, Cmd, Healthcheck, ...

    def command(self, *words: str) -> list[str]:
        """What runs `words`, by default the image's own command, as ECS would. IMAGE_ENV must be set."""
        container = str(Path(__file__).with_name("container.sh"))
        return ["unshare", "--mount", "sh", container, str(self.root), *(words or self.config["Cmd"])]

    @property
    def environment(self) -> dict[str, str]:
        """For the process that `command` starts."""
        return {"IMAGE_ENV": " ".join(self.config["Env"])}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": os.environ["PATH"]} | self.environment
        return subprocess.run(self.command(*words), env=given, capture_output=True, text=True, check=False)


def missing() -> str:
    """What this machine lacks for a build; empty when nothing."""
    for tool in ("buildah", "debootstrap", "unshare"):
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin"):
            return f"{tool} is missing"
    return "" if os.getuid() == 0 else "root is needed, for a chroot"


def buildah(*words: object) -> str:
    where = ["--root", KEPT / "store", "--runroot", KEPT / "run", "--storage-driver", "vfs"]
    command = ["buildah", *map(str, (*where, *words))]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    return ran.stdout.strip()


def make_base() -> None:
    """The image that stands for the stock Python image, unless it is there."""
    if BASE in buildah("images", "--format", "{{.Name}}").split():
        return
    debian = KEPT / "debian"
    shutil.rmtree(debian, ignore_errors=True)
    made = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(debian)]
    ran = subprocess.run(made, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
    container = buildah("from", "scratch")
    buildah("add", "-q", container, debian, "/")
    buildah("commit", "-q", "--rm", container, BASE)
    shutil.rmtree(debian)


def machine(place: Path) -> list[str]:
    """What a build needs of this machine to reach its package index: mounted, so never in the image."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    pairs = [line.partition("=") for line in told.stdout.splitlines()]
    found = {name.rpartition(".")[2]: value.strip("'") for name, _, value in pairs}
    lines = [f"{name} = {found[name]}" for name in PIP if name in found and name != "cert"]
    lines += [f"cert = {CERTIFICATES}"] * CERTIFICATES.exists()
    (place / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    mounts = [f"{place / 'pip.conf'}:/etc/pip.conf:ro"]
    mounts += [f"{CERTIFICATES}:{CERTIFICATES}:ro"] * CERTIFICATES.exists()
    return [word for mount in mounts for word in ("-v", mount)]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if lack := missing():
        pytest.fail(f"the image cannot be built here: {lack} (make image-check says more)", pytrace=False)
    KEPT.mkdir(parents=True, exist_ok=True)
    make_base()
    # chroot isolation, because a container engine is what there is none of; docker's format for HEALTHCHECK
    how = ["--isolation", "chroot", "--network", "host", "--format", "docker"]
    what = ["--build-arg", f"BASE_IMAGE={BASE}", "-f", "infra/relay/Dockerfile", "-t", "localhost/relay"]
    buildah("bud", *how, *machine(tmp_path_factory.mktemp("machine")), *what, ".")
    container = buildah("from", "--pull-never", "localhost/relay")
    try:
        told = json.loads(buildah("inspect", "--type", "image", "localhost/relay"))
        yield Image(Path(buildah("mount", container)), told["Docker"]["config"])
    finally:
        buildah("rm", container)
        buildah("rmi", "localhost/relay")
        buildah("rmi", "--prune")
