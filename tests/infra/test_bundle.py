"""Which files of ours a bundle takes along. What `sam build` makes of them is in tests/aws."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.deploy import bundle
from infra.deploy.bundle import BUNDLES, ROOT, modules
from infra.deploy.embed import TEMPLATE

MODULES = {
    "relay/__init__.py": "",
    "relay/__main__.py": "import relay.call.run",
    "relay/turn.py": "",
    "relay/call/__init__.py": "",
    "relay/call/pace.py": "",
}


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("from relay.turn import Turn", "relay/turn.py"),
        ("from relay import turn", "relay/turn.py"),
        ("from ..turn import Turn", "relay/turn.py"),
        ("from .. import turn", "relay/turn.py"),
        ("from .pace import Pace", "relay/call/pace.py"),
        ("from . import pace", "relay/call/pace.py"),
    ],
)
@pytest.mark.parametrize("where", ["relay/call/run.py", "relay/call/run/__init__.py"])
def test_a_bundle_takes_what_a_module_imports_however_the_import_is_written(
    said: str, taken: str, where: str, tmp_path: Path
) -> None:
    if where.endswith("__init__.py"):
        said = said.replace("from .", "from ..")  # a package's own level is one more
    for name, text in {**MODULES, where: said}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert Path(taken) in modules(("relay.__main__",), tmp_path)


def clients(tree: ast.AST) -> set[str]:
    """Services for which a client is made: `client("ssm")`, of boto3 or of a module of ours."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    named = [(node.func, node.args[0]) for node in calls]
    return {
        str(first.value)
        for function, first in named
        if isinstance(first, ast.Constant)
        and getattr(function, "attr", getattr(function, "id", "")).lstrip("_") == "client"
    }


AWS = Path("functions/core/runtime/aws.py")


def asked_through(tree: ast.AST) -> set[str]:
    """Services whose client comes from a function of `AWS`: `aws.gateway(…)`."""
    makers = {
        node.name: clients(node)
        for node in ast.parse((ROOT / AWS).read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    used = [node for node in used if isinstance(node.value, ast.Name) and node.value.id == "aws"]
    return set().union(*(makers.get(node.attr, set()) for node in used))


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_has_the_model_of_each_service_that_its_code_asks_and_no_other(name: str) -> None:
    """botocore without a service's model refuses to make its client: `start` failed for want of Lambda's."""
    asked: set[str] = set()
    for file in modules(BUNDLES[name].entry):
        if file.suffix == ".py" and file != AWS:
            tree = ast.parse((ROOT / file).read_text())
            asked |= clients(tree) | asked_through(tree)
    assert asked == set(BUNDLES[name].services)


OLD = """
import runpy, sys
sys.version_info = (3, 9, 18, "final", 0)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_a_build_by_an_old_python_says_which_one_is_needed_and_how_to_name_it() -> None:
    """The first python3 of AWS CloudShell and of macOS is 3.9, and `sam build` takes it."""
    file = Path(bundle.__file__)
    ast.parse(file.read_text(), feature_version=(3, 9))  # or it would end in a syntax error, unsaid
    told = subprocess.run([sys.executable, "-c", OLD, file], capture_output=True, text=True, check=False)
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr == (
        "bundle: this is Python 3.9, and 3.11 or newer is needed; name another: PYTHON=python3.13 sam build\n"
    )


def place(tmp_path: Path, settings: str) -> Path:
    """As much of a bundle as reads its settings."""
    built = tmp_path / "built"
    for file in modules(("functions.core.runtime.settings",)):
        (built / file).parent.mkdir(parents=True, exist_ok=True)
        (built / file).write_bytes((ROOT / file).read_bytes())
    assert (built / bundle.SETTINGS).is_file(), "deployment.yaml goes with them"
    (built / "yaml").symlink_to(Path(yaml.__file__).parent)
    (built / bundle.SETTINGS).write_text(settings)
    return built


@pytest.mark.parametrize(
    ("settings", "config", "said"),
    [
        ("MinutesPerDay: many\n", "", "MinutesPerDay is 'many', and takes a whole number"),
        ("MinutesPerDay: 0\n", "", "MinutesPerDay is 0, and takes 1 or more"),
        ("TokenLock: half\n", "", "TokenLock is 'half', and takes full, masked"),
        ("MinutePerDay: 5\n", "", "deployment.yaml: MinutePerDay is no setting"),
        ("- a\n", "", "deployment.yaml does not hold `Name: value` lines"),
        (
            "",
            'parameter_overrides = "MinutesPerDay=60 LogRetentionDays=1"',
            "MinutesPerDay in samconfig.toml has no effect any more: set it in deployment.yaml",
        ),
    ],
)
def test_a_build_refuses_a_setting_that_functions_could_not_use_or_not_find(
    settings: str, config: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "samconfig.toml").write_text(config)
    with pytest.raises(SystemExit) as refused:
        bundle.check_settings(place(tmp_path, settings), TEMPLATE, tmp_path / "samconfig.toml")
    assert refused.value.code == f"bundle: {said}"


@pytest.mark.parametrize("settings", ["", "#MinutesPerDay: 5\n", "MinutesPerDay: 5\nWarmRelays: 1\n"])
def test_a_build_takes_good_settings_and_the_samconfig_of_this_checkout(
    settings: str, tmp_path: Path
) -> None:
    bundle.check_settings(place(tmp_path, settings), TEMPLATE, ROOT / "samconfig.toml")
