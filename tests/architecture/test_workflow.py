"""CI is .ci/run on a clean checkout and nothing else; the forms and pages that GitHub shows are whole."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.workflow import MACHINE, breaches
from tests.java.build import STRICT

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
CHECK: dict[Any, Any] = yaml.safe_load((GITHUB / "workflows" / "check.yml").read_text(encoding="utf-8"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PAGES = [ROOT / "SECURITY.md", GITHUB / "pull_request_template.md"]

Steps = list[dict[str, Any]]


def test_the_workflow_calls_ci_run_and_nothing_that_could_drift() -> None:
    assert [path.name for path in (GITHUB / "workflows").iterdir()] == ["check.yml"]
    assert list(breaches(CHECK)) == []


def _steps(change: Callable[[Steps], object]) -> Callable[[dict[Any, Any]], object]:
    return lambda workflow: change(workflow["jobs"]["check"]["steps"])


@pytest.mark.parametrize(
    "plant",
    [
        lambda workflow: workflow.update({True: {"pull_request_target": None}}),
        lambda workflow: workflow["permissions"].update(packages="write"),
        lambda workflow: workflow.pop("permissions"),
        lambda workflow: workflow.pop("concurrency"),
        lambda workflow: workflow.update(env={"HOSTILE_MESSAGES": "1"}),
        lambda workflow: workflow["jobs"].update(more=copy.deepcopy(workflow["jobs"]["check"])),
        lambda workflow: workflow["jobs"]["check"].update(permissions={"contents": "write"}),
        lambda workflow: workflow["jobs"]["check"].pop("timeout-minutes"),
        _steps(lambda steps: steps[-1].update(run="make check")),
        _steps(lambda steps: steps[-1].update(env={"CI": ""})),
        _steps(lambda steps: steps[-1].update({"continue-on-error": True})),
        _steps(lambda steps: steps.insert(1, {"run": "pip install pytest"})),
        _steps(lambda steps: steps.insert(0, steps.pop())),
        _steps(lambda steps: steps.append({"uses": "actions/cache@v4"})),
        _steps(lambda steps: steps[0].update(uses="actions/checkout@main")),
        _steps(lambda steps: steps[0].update(uses="somebody/checkout@v6")),
        _steps(lambda steps: steps[0]["with"].update(ref="main")),
        _steps(lambda steps: steps.pop(2)),
    ],
)
def test_the_workflow_falls_on_a_planted_breach(plant: Callable[[dict[Any, Any]], object]) -> None:
    workflow = copy.deepcopy(CHECK)
    plant(workflow)
    assert list(breaches(workflow)) != []


def test_the_machine_has_the_oldest_versions_that_the_project_admits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={MACHINE['actions/setup-python']['python-version']}"
    node = MACHINE["actions/setup-node"]["node-version"]
    assert f"Node {node} or newer is needed" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert STRICT[STRICT.index("--release") + 1] == MACHINE["actions/setup-java"]["java-version"]


def test_ci_run_is_make_check_and_says_that_it_is_ci() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "exec make check" in script and "export CI=true" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_shows(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form.keys() <= {"name", "description", "labels", "body"} and form["name"] and form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown"}
    ids = [field["id"] for field in fields]
    assert fields and sorted(set(ids)) == sorted(ids) and all(re.fullmatch("[a-z_-]+", one) for one in ids)
    labels = [field["attributes"]["label"] for field in fields]
    assert len(set(labels)) == len(labels)
    for field in fields:
        assert isinstance(field["validations"]["required"], bool)
        options = field["attributes"].get("options", [])
        assert bool(options) == (field["type"] == "dropdown") and len(set(options)) == len(options)


def test_a_bug_is_told_with_its_version_a_test_and_the_doctor_and_behaviour_with_its_source() -> None:
    asked = {
        path.stem: {
            field["id"]: field["validations"]["required"]
            for field in yaml.safe_load(path.read_text(encoding="utf-8"))["body"]
            if "id" in field
        }
        for path in FORMS
    }
    assert asked.keys() == {"bug", "behaviour"}
    assert asked["bug"]["version"] and asked["bug"]["test"] and "doctor" in asked["bug"]
    assert asked["behaviour"]["who"] and asked["behaviour"]["source"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_and_no_address_is_made_up(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links
    for link in links:
        target = ROOT / link.lstrip("/") if link.startswith("/") else page.parent / link
        assert target.exists(), link
    assert not re.search(r"\S@\S+\.\S", text) and "http" not in text
