"""The pipeline: one branch of one repository may deploy, and a job may do nothing by itself but that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from tests.infra.test_deployment import listed

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra/deploy/pipeline.yaml"
GUIDE = (ROOT / "docs/pipeline.md").read_text()


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return dict(yaml_parse(TEMPLATE.read_text()))


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    (text,) = re.findall(r"```yaml\n(name: deploy\n.*?)```", GUIDE, re.S)
    return dict(yaml.load(text, yaml.BaseLoader))


def test_the_template_is_lint_clean() -> None:
    lint = [Path(sys.executable).with_name("cfn-lint"), "--non-zero-exit-code", "warning", TEMPLATE]
    result = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_only_jobs_of_the_named_branch_may_take_the_role(made: dict[str, Any]) -> None:
    """A pattern, or a claim that is not compared, would let a fork's pull request in."""
    (trust,) = made["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    (how,) = trust["Condition"]
    assert how == "StringEquals"
    subject = trust["Condition"][how]["token.actions.githubusercontent.com:sub"]
    assert subject == {"Fn::Sub": "repo:${Repository}:ref:refs/heads/${Branch}"}
    for name in ("Repository", "Branch"):
        assert not re.fullmatch(made["Parameters"][name]["AllowedPattern"], "own/*")


def test_a_job_may_only_hand_a_changed_template_over(made: dict[str, Any]) -> None:
    (policy,) = made["Resources"]["DeployRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert not any("*" in action for action in listed(statement["Action"]))
        assert "*" not in listed(statement["Resource"])
    (passed,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "iam:PassRole"]
    assert passed["Resource"] == {"Fn::GetAtt": ["ExecutionRole", "Arn"]}
    (trust,) = made["Resources"]["ExecutionRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "cloudformation.amazonaws.com"}


def test_the_workflow_signs_in_by_oidc_and_asks_nobody(workflow: dict[str, Any]) -> None:
    assert workflow["on"] == {"push": {"branches": ["main"]}}, "never a pull request"
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    steps = workflow["jobs"]["deploy"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert runs[0] == "sam build"
    assert "--no-confirm-changeset" in runs[1] and "--role-arn ${{ vars.EXECUTION_ROLE }}" in runs[1]
    (signs_in,) = [s for s in steps if s.get("uses", "").startswith("aws-actions/configure-aws-credentials")]
    assert signs_in["with"]["role-to-assume"] == "${{ vars.DEPLOY_ROLE }}"
    assert "secrets." not in GUIDE, "there is no key"


def test_the_guide_names_the_template_s_parameters_and_outputs(made: dict[str, Any]) -> None:
    assert {"Repository", "ProviderArn"} <= made["Parameters"].keys()
    assert made["Outputs"].keys() == {"DeployRole", "ExecutionRole"}
    assert "infra/deploy/pipeline.yaml" in GUIDE
