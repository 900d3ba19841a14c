"""The guide's tables are about this template."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.deploy.embed import TEMPLATE
from infra.local.template import transform

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/deploy.md").read_text()
THREATS = (ROOT / "docs/threat-model.md").read_text()


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return transform(TEMPLATE)


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the table under a heading."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_parameter_is_explained_with_its_default_and_in_the_templates_order(
    made: dict[str, Any],
) -> None:
    told = {name.strip("`"): default.strip("`") for name, default, _ in rows(GUIDE, "Parameters")}
    assert list(told) == list(made["Parameters"])
    for name, parameter in made["Parameters"].items():
        default = str(parameter["Default"]) or "empty"
        assert told[name] in (default, "Google's"), name


def test_every_output_is_explained(made: dict[str, Any]) -> None:
    assert {row[0].strip("`") for row in rows(GUIDE, "Once")} == made["Outputs"].keys()


def test_every_test_that_is_named_is_there() -> None:
    for name in set(re.findall(r"tests/[\w/]+(?:\.py)?", THREATS)):
        assert (ROOT / name).exists(), name


def test_the_reasons_of_the_skip_list_are_of_resources_in_the_template(made: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in made["Resources"].values()} | {"/Dockerfile"}
    reasons = yaml.safe_load((ROOT / "infra/deploy/checkov.yaml").read_text())
    assert {reason["where"] for reason in reasons.values()} <= kinds
