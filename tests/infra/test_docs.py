"""The guide's tables are about this template."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.commands import doctor
from cli.doctor import steps
from cli.doctor.before import examine as before
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


def test_each_failure_of_a_first_deployment_has_tests_that_there_are() -> None:
    names = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    told = rows((ROOT / "tests/aws/README.md").read_text(), "What first deployments met")
    assert len(told) > 10
    for what, tests in told:
        held = re.findall(r"`(test_\w+)`", tests)
        assert held and set(held) <= names, what


def test_what_only_a_real_account_can_prove_is_told_by_steps_that_there_are() -> None:
    known = {"doctor": set(steps.STEPS), "doctor --before": set(before.STEPS)}
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    whole = {f"doctor {option}" for option in ("--stack", "--google")}  # they have no steps of their own
    options = set(re.findall(r"--[a-z]+", parser.format_usage()))
    assert {"--before", "--stack", "--google"} <= options
    told = rows(GUIDE, "Only a real account")
    assert len(told) > 10
    for what, _, step in told:
        commands = re.findall(r"`(doctor[a-z -]*)`(?:: ((?:\*[a-z ]+\*(?:, )?)+))?", step)
        assert commands, what
        for command, named in commands:
            names = set(re.findall(r"\*([a-z ]+)\*", named))
            assert names <= known.get(command, set()), what
            assert bool(names) != (command in whole), what


def test_each_step_of_a_client_s_way_that_could_surprise_is_in_that_list() -> None:
    named = {
        name for *_, step in rows(GUIDE, "Only a real account") for name in re.findall(r"\*([a-z ]+)\*", step)
    }
    obvious = {"dns", "ticket", "model"}
    assert set(steps.STEPS) - obvious <= named


def test_the_guide_begins_with_one_screen_of_what_to_type_and_what_appears() -> None:
    screen = GUIDE.partition("\n## ")[0]
    assert len(screen.splitlines()) <= 20
    for typed in (
        "put-parameter",
        "doctor --before",
        "sam build",
        "sam deploy",
        "token --stack",
        "doctor --stack",
    ):
        assert typed in screen
    assert f"each of {len(before.STEPS)} things" in screen and f"{len(steps.STEPS)} steps" in screen


def test_every_test_that_is_named_is_there() -> None:
    for name in set(re.findall(r"tests/[\w/]+(?:\.py)?", THREATS + GUIDE)):
        assert (ROOT / name).exists(), name


def test_the_reasons_of_the_skip_list_are_of_resources_in_the_template(made: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in made["Resources"].values()} | {"/Dockerfile"}
    reasons = yaml.safe_load((ROOT / "infra/deploy/checkov.yaml").read_text())
    assert {reason["where"] for reason in reasons.values()} <= kinds
