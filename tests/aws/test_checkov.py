"""Checkov finds nothing on template and image without a reason in infra/deploy/checkov.yaml."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.deploy.embed import TEMPLATE
from infra.local.template import decide, transform
from tests.aws.conftest import ROOT

CHECKOV = ROOT / ".local/checkov/bin/checkov"
#: Not `microvm` alone: Checkov 3.3.30 ends with a TypeError when it writes its report of that form.
FORMS = {
    "edge": {},
    "microvms": {"RelayHomes": "both", "MicrovmCode": "s3://bucket/relay.zip"},
    "alb": {"MediaIngress": "alb"},
    "domain": {
        "MediaDomain": "voice.example.com",
        "MediaCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/x",
        "AlarmEmail": "ops@example.com",
        "RelayImageUri": "relay:1",
    },
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """(check, resource type or Dockerfile) of all that fails."""
    if not CHECKOV.exists():
        pytest.skip("make aws-check installs Checkov")
    place = tmp_path_factory.mktemp("checkov")
    made = transform(TEMPLATE)
    for name, parameters in FORMS.items():
        (place / f"{name}.json").write_text(json.dumps(decide(made, parameters)))
    shutil.copyfile(ROOT / "infra/relay/Dockerfile", place / "Dockerfile")
    what = ["--framework", "cloudformation", "dockerfile", "--skip-download", "--compact", "-o", "json"]
    ran = subprocess.run([CHECKOV, *what, "-d", place], capture_output=True, text=True, check=False)
    reports: list[dict[str, Any]] = json.loads(ran.stdout)
    assert {report["check_type"] for report in reports} == {"cloudformation", "dockerfile"}
    assert all(report["summary"]["passed"] > 20 for report in reports), "nothing was looked at"
    assert not any(report["summary"]["parsing_errors"] for report in reports)
    failed = [each for report in reports for each in report["results"]["failed_checks"]]
    return [(each["check_id"], each["resource"].rpartition(".")[0] or "Dockerfile") for each in failed]


def test_every_failure_has_a_written_reason(failures: list[tuple[str, str]]) -> None:
    reasons: dict[str, dict[str, str]] = yaml.safe_load((ROOT / "infra/deploy/checkov.yaml").read_text())
    unexplained = {(check, on) for check, on in failures if reasons.get(check, {}).get("where") != on}
    assert unexplained == set()
    assert reasons.keys() - {check for check, _ in failures} == set(), "reasons for what does not fail"
    assert all(len(reason["why"]) > 40 for reason in reasons.values())


def test_a_new_failure_would_be_seen(failures: list[tuple[str, str]], tmp_path: Path) -> None:
    """A planted one: a container that runs as root."""
    text = (ROOT / "infra/relay/Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text("\n".join(x for x in text.splitlines() if not x.startswith("USER")))
    what = ["--framework", "dockerfile", "--skip-download", "--compact", "-d", tmp_path]
    ran = subprocess.run([CHECKOV, *what], capture_output=True, text=True, check=False)
    assert "CKV_DOCKER_3" in ran.stdout
