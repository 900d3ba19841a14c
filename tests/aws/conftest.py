"""The slow suite of the deployment: `make aws-check`. Needs the tools that its make target installs."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".local/sam/bin/sam"
MACHINE = f"{'aarch64' if platform.machine() in ('arm64', 'aarch64') else 'x86_64'}-manylinux2014"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("aws")


@pytest.fixture(scope="session")
def sam() -> Run:
    """SAM CLI without Docker on its path, and without anybody's credentials or settings."""
    if not SAM.exists():
        pytest.skip("make aws-check installs the SAM CLI")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SSL_CERT_FILE") if name in os.environ}
    nobody = {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DOCKER_HOST": "unix:///nonexistent",
        "SAM_CLI_TELEMETRY": "0",
    }

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [str(each) for each in arguments]
        env = {**kept, **nobody, **environment}
        return subprocess.run([SAM, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def built(sam: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a real `sam build` makes of this checkout."""
    return _build(sam, tmp_path_factory.mktemp("sam") / "build")


@pytest.fixture(scope="session")
def native(sam: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the same `sam build` makes for this machine."""
    return _build(sam, tmp_path_factory.mktemp("native") / "build", BUNDLE_PLATFORM=MACHINE)


def _build(sam: Run, directory: Path, **environment: str) -> Path:
    ran = sam("build", "--build-dir", directory, **environment)
    assert ran.returncode == 0, ran.stderr
    return directory
