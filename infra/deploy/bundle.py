"""Puts together what one deployed thing runs: `python3 infra/deploy/bundle.py control DIRECTORY`.

Ours: the modules that its entry points import, found by following the imports. Foreign: what its lock names,
by hash, as wheels for the target, with botocore's service models cut down to those it calls. Compiled for
the target's Python when that one is here. Needs no Docker and nothing but the standard library and uv.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# `sam build` takes whichever python3 comes first: AWS CloudShell's and macOS's own is 3.9.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "bundle: this is Python %d.%d, and 3.11 or newer is needed; " % sys.version_info[:2]  # noqa: UP031
        + "name another: PYTHON=python3.13 sam build"
    )

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "3.13"  #: of the functions and of the relay's image
TARGET = "aarch64-manylinux2014"  #: Fargate and Lambda on ARM64
PAGE = Path("client/console")  #: where the console page is built, if there is one
SETTINGS = Path("deployment.yaml")
READS_SETTINGS = Path("functions/core/runtime/settings.py")
ROOMS = ("agents", "functions", "gemini", "protocol", "records", "relay")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one or more functions, or the relay, consist of."""

    functions: tuple[str, ...]  #: logical ids that are deployed with it
    entry: tuple[str, ...]  #: modules that are started
    lock: str = ""  #: requirements with hashes
    services: tuple[str, ...] = ()  #: of AWS, by botocore's names
    below: str = ""  #: folder within it; a layer's Python lies in one


BUNDLES = {
    "control": Bundle(
        ("DisconnectFunction", "SessionFunction", "SweepFunction"),
        ("functions.control", "functions.disconnect", "functions.sweep"),
        "functions/requirements/control.lock",
        ("apigatewaymanagementapi", "dynamodb", "ecs", "lambda", "lambda-microvms", "ssm"),
    ),
    "keys": Bundle(
        ("KeysFunction",),
        ("functions.keys",),
        "functions/requirements/keys.lock",
        ("cloudfront-keyvaluestore", "ec2", "ssm"),
    ),
    "mint": Bundle(
        ("MintFunction",), ("functions.mint",), "functions/requirements/mint.lock", ("dynamodb", "ssm")
    ),
    "page": Bundle(("PageFunction",), ("functions.page",)),
    "relay": Bundle(
        ("RelayBundle",),
        ("relay.__main__",),
        "relay/requirements.lock",
        ("dynamodb", "ec2", "elbv2", "lambda", "ssm"),
        "python",
    ),
}


def modules(entry: tuple[str, ...], root: Path = ROOT) -> list[Path]:
    """Files of ours that the modules of `entry` need, with data that lies beside them; from the root."""
    found: set[Path] = set()
    waiting = list(entry)
    while waiting:
        name = waiting.pop()
        for file in _files(name, root):
            if file not in found:
                found.add(file)
                waiting += _imported(root, file)
    if any(file.parts[0] == "agents" for file in found):
        found |= {file.relative_to(root) for file in (root / "agents").glob("*.yaml")}
    if READS_SETTINGS in found and (root / SETTINGS).is_file():
        found.add(SETTINGS)
    return sorted(found)


def _files(module: str, root: Path) -> Iterator[Path]:
    """The module's own file and the packages above it; nothing for a name that is not ours."""
    parts = module.split(".")
    if parts[0] not in ROOMS:
        return
    for depth in range(1, len(parts) + 1):
        place = Path(*parts[:depth])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if (root / file).is_file():
                yield file


def _imported(root: Path, file: Path) -> Iterator[str]:
    """Names of modules that `file` imports; of `from a import b`, both a and a.b."""
    for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = file.parts[: -node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def build(name: str, directory: Path, *, platform: str = TARGET, python: str = PYTHON) -> None:
    """Write the bundle into `directory`, which may be there but must be empty."""
    bundle = BUNDLES[name]
    place = directory / bundle.below
    place.mkdir(parents=True, exist_ok=True)
    if bundle.lock:
        install(ROOT / bundle.lock, place, platform, python)
        _prune(place, bundle.services)
    for file in modules(bundle.entry):
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, place / file)
    if name == "page":
        shutil.copytree(built_page(), place / "page")
    if (place / READS_SETTINGS).is_file():
        check_settings(place, ROOT / "template.yaml", ROOT / "samconfig.toml")
    compile_all(place, python)


ASKED = """
import json, sys
sys.path.insert(0, sys.argv[1])
from functions.core.runtime import settings
try:
    given = settings.read(settings.FILE) if settings.FILE.exists() else {}
    settings.variables(given)
except settings.SettingsError as error:
    sys.exit(str(error))
print(json.dumps([list(given), list(settings.SETTINGS)]))
"""


def check_settings(place: Path, template: Path, sam_config: Path) -> None:
    """Raises SystemExit with a sentence for a setting that functions in `place` could not use or find."""
    command = [sys.executable, "-I", "-B", "-c", ASKED, str(place)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"bundle: {ran.stderr.strip()}")
    given, own = json.loads(ran.stdout)
    declared = template.read_text("utf-8").partition("\nParameters:\n")[2].partition("\nRules:")[0]
    known = {*own, *re.findall(r"^  (\w+):$", declared, re.MULTILINE)}
    if unknown := [name for name in given if name not in known]:
        sys.exit(f"bundle: {SETTINGS}: {', '.join(unknown)} is no setting")
    said = re.sub(r"#.*", "", sam_config.read_text("utf-8") if sam_config.is_file() else "")
    if stray := [name for name in own if re.search(rf"\b{name}\b", said)]:
        names = ", ".join(stray)
        sys.exit(f"bundle: {names} in {sam_config.name} has no effect any more: set it in {SETTINGS}")


def install(lock: Path, place: Path, platform: str, python: str) -> None:
    """Wheels only, by hash, for another machine than this one."""
    target = ["--python-platform", platform, "--python-version", python, "--only-binary", ":all:"]
    beside = Path(sys.executable).with_name("uv")
    uv = os.environ.get("UV") or (str(beside) if beside.is_file() else "uv")
    command = [
        uv,
        "pip",
        "install",
        "-q",
        "--no-config",
        *target,
        "--require-hashes",
        "--no-compile-bytecode",
    ]
    subprocess.run([*command, "--target", place, "-r", lock], check=True)
    shutil.rmtree(place / "bin", ignore_errors=True)
    (place / ".lock").unlink(missing_ok=True)


def _prune(place: Path, services: tuple[str, ...]) -> None:
    """boto3 comes with models of 400 services."""
    for models in (place / "botocore" / "data", place / "boto3" / "data"):
        for each in models.iterdir():
            if each.is_dir() and each.name not in services:
                shutil.rmtree(each)
    shutil.rmtree(place / "boto3" / "examples", ignore_errors=True)


def built_page() -> Path:
    """The console page's files: built here when its sources are, else a page that says where to go."""
    sources = ROOT / PAGE
    if not (sources / "package.json").is_file():
        return ROOT / "infra" / "page"
    if not shutil.which("npm"):
        print("bundle: no npm here, so the console page is left out (infra/page instead)", file=sys.stderr)
        return ROOT / "infra" / "page"
    sdk = ROOT / "client" / "sdk"
    for folder in filter(lambda each: (each / "package.json").is_file(), (sdk, sources)):
        for step in (["ci", "--silent", "--no-audit", "--no-fund"], ["run", "--silent", "build"]):
            subprocess.run(["npm", *step], cwd=folder, check=True, stdout=sys.stderr)
    return sources / "dist"


def compile_all(place: Path, python: str) -> None:
    """Compiled files that are used without a look at the source's date, which a zip does not keep."""
    interpreter = find_python(python)
    if interpreter is None:
        print(f"bundle: no Python {python} here, so nothing is compiled; starts are slower", file=sys.stderr)
        return
    how = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(place)]
    subprocess.run([interpreter, *how, str(place)], check=True, stdout=subprocess.DEVNULL)


def find_python(version: str) -> str | None:
    """An interpreter of that minor version: on the path, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = [sys.executable, shutil.which(f"python{version}")]
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    for each in filter(None, (*named, *sorted(map(str, pyenv.glob(f"{version}*/bin/python"))))):
        told = subprocess.run([each, "-c", asked], capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return each
    return None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=BUNDLES)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--platform", default=TARGET, help="whose wheels, in uv's words; %(default)s")
    given = parser.parse_args()
    build(given.name, given.directory, platform=given.platform)


if __name__ == "__main__":
    main()
