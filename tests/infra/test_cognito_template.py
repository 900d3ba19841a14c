"""The quick start for colleagues: what its template makes. Signing in is tests/aws/test_cognito.py's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra/deploy/cognito.yaml"
GUIDE = (ROOT / "docs/admission.md").read_text()


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return dict(yaml_parse(TEMPLATE.read_text()))


def test_it_is_lint_clean() -> None:
    lint = [Path(sys.executable).with_name("cfn-lint"), "--non-zero-exit-code", "warning", TEMPLATE]
    result = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_nobody_signs_up_by_himself_and_the_page_keeps_no_secret(made: dict[str, Any]) -> None:
    pool, client = (made["Resources"][name]["Properties"] for name in ("Users", "Page"))
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert client["GenerateSecret"] is False and client["AllowedOAuthFlows"] == ["code"]
    assert client["CallbackURLs"] == [{"Fn::Sub": "${PageUrl}/"}], "as the page names itself"


def test_what_it_prints_is_what_deployment_yaml_takes_and_the_guide_names(made: dict[str, Any]) -> None:
    section = GUIDE.partition("## Colleagues sign in")[2].partition("\n## ")[0]
    given = set(re.findall(r"(\w+)=(?:https|our)", section))
    assert given == set(made["Parameters"])
    assert all(f"`{name}`" in section for name in made["Outputs"])
    settings = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    assert {"OidcIssuer", "OidcAudience"} <= settings.keys() & made["Outputs"].keys()


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [("https://d1.cloudfront.net", True), ("https://d1.cloudfront.net/", False), ("http://a.example", False)],
)
def test_a_page_address_that_no_callback_could_be_is_refused(
    url: str, is_taken: bool, made: dict[str, Any]
) -> None:
    pattern = made["Parameters"]["PageUrl"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, url)) == is_taken
