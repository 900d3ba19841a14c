"""`sam build` without Docker and credentials, and what is in the bundles that it makes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.deploy import bundle, sizes
from infra.deploy.bundle import BUNDLES
from tests.aws.conftest import ROOT, Run

OURS = set(bundle.ROOMS) | {"page"}

#: Imports every module named, from one folder alone, and tells where everything came from.
ISOLATED = """
import importlib, json, sys
place, *names = sys.argv[1:]
sys.path.insert(0, place)
for name in names:
    importlib.import_module(name)
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({name: file for name, file in files.items() if file}))
"""


def test_sam_validates_and_lints_the_template(sam: Run) -> None:
    ran = sam("validate", "--lint", "--region", "us-east-1")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def place_of(name: str, built: Path, function: str = "") -> Path:
    made = BUNDLES[name]
    return built / (function or made.functions[0]) / made.below


def files(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def plain(names: set[str]) -> set[str]:
    """Without what tells machines and compilers apart."""
    without = (re.sub(r"\.(?:cpython-\d+-|abi3)[^./]*(?=\.so$)|\.abi3(?=\.so$)", "", name) for name in names)
    return {re.sub(r"(\.libs/\w+)-[0-9a-f]{8}", r"\1", name) for name in without}


def test_every_function_and_the_relay_are_built(built: Path) -> None:
    expected = {function for each in BUNDLES.values() for function in each.functions}
    assert {path.name for path in built.iterdir() if path.is_dir()} == expected


def test_functions_of_one_bundle_are_the_same(built: Path) -> None:
    for name, each in BUNDLES.items():
        lists = [files(place_of(name, built, function)) for function in each.functions]
        assert all(one == lists[0] for one in lists)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_holds_only_what_it_needs(name: str, built: Path) -> None:
    place, found = place_of(name, built), files(place_of(name, built))
    rooms = {each.name for each in place.iterdir() if each.is_dir()} & (
        OURS | {"tests", "infra", "simulator"}
    )
    needed = {
        "control": {"agents", "functions", "gemini", "protocol", "records"},
        "keys": {"functions", "records"},
        "mint": {"agents", "functions", "gemini", "protocol", "records"},
        "page": {"functions", "page"},
        "relay": {"gemini", "protocol", "records", "relay"},
    }
    assert rooms == needed[name]
    assert not any(file.startswith("google/genai/") for file in found)
    assert any(file.startswith("google/auth/") for file in found) == (name == "mint")
    assert any(file.startswith("awscrt/") for file in found) == (name == "keys")
    handlers = {file for file in found if re.fullmatch(r"functions/[a-z]+\.py", file)} - {
        "functions/__init__.py"
    }
    entries = {f"{entry.replace('.', '/')}.py" for entry in BUNDLES[name].entry if name != "relay"}
    led_to = {"functions/connect.py", "functions/session.py"} if name == "control" else set()  # by control.py
    assert handlers == entries | led_to
    if BUNDLES[name].services:
        models = {each.name for each in (place / "botocore" / "data").iterdir() if each.is_dir()}
        assert models == set(BUNDLES[name].services)


@pytest.mark.parametrize("name", [name for name, each in BUNDLES.items() if each.lock])
def test_binaries_are_for_arm64(name: str, built: Path) -> None:
    binaries = [path for path in place_of(name, built).rglob("*.so*") if path.is_file()]
    assert binaries
    for path in binaries:
        head = path.read_bytes()[:20]
        assert head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == 183, path  # EM_AARCH64
        assert "cpython" not in path.name or "cpython-313-aarch64" in path.name


def test_sources_are_compiled_for_a_zip(built: Path) -> None:
    if bundle.find_python(bundle.PYTHON) is None:
        pytest.skip(f"no Python {bundle.PYTHON} here: bundles are not compiled")
    for name in BUNDLES:
        place = place_of(name, built)
        entry = place / f"{BUNDLES[name].entry[0].replace('.', '/')}.py"
        (compiled,) = (entry.parent / "__pycache__").glob(f"{entry.stem}.cpython-313.pyc")
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01, "hash, unchecked (PEP 552)"
        assert str(ROOT).encode() not in compiled.read_bytes()


def test_a_bundle_fits_what_lambda_takes(built: Path) -> None:
    for name in BUNDLES:
        place = place_of(name, built)
        assert sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) < 250 * 1024 * 1024
        assert sizes.zipped(place) < 50 * 1000 * 1000


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_for_this_machine_has_the_same_files(name: str, built: Path, native: Path) -> None:
    theirs, here = plain(files(place_of(name, built))), plain(files(place_of(name, native)))
    assert theirs ^ here == set()


@pytest.mark.parametrize("name", BUNDLES)
def test_each_entry_imports_from_its_bundle_alone(name: str, native: Path) -> None:
    python = bundle.find_python(bundle.PYTHON)
    if python is None:
        pytest.skip(f"no Python {bundle.PYTHON} here to import with")
    place = place_of(name, native)
    lazily = {"mint": ["google.auth.aws", "google.auth.transport.requests"], "keys": ["awscrt.auth"]}.get(
        name, []
    )
    command = [python, "-I", "-S", "-c", ISOLATED, str(place), *BUNDLES[name].entry, *lazily]
    ran = subprocess.run(command, capture_output=True, text=True, env={"AWS_REGION": "x"}, check=False)
    assert ran.returncode == 0, ran.stderr
    standard = str(Path(json.loads(ran.stdout)["os"]).parent)
    strangers = {
        module: file
        for module, file in json.loads(ran.stdout).items()
        if not file.startswith((str(place), standard)) or "site-packages" in file
    }
    assert strangers == {}


def test_the_table_of_sizes_is_of_this_build(built: Path) -> None:
    """Figures may be off by what another patch release compiles to."""

    def figures(text: str) -> list[float]:
        rows = [line.split("|")[1:6] for line in text.splitlines() if line.startswith("| ") and "MB" in line]
        return [float(each) for row in rows for each in re.findall(r"[\d.]+(?= MB)", "|".join(row))]

    kept, now = figures(sizes.TABLE.read_text()), figures(sizes.table(built))
    assert kept == pytest.approx(now, rel=0.1, abs=0.2), "run make aws-bundles"


@pytest.mark.skipif(sys.platform != "linux", reason="the relay's wheels are for Linux")
def test_the_relays_bundle_is_a_relay(native: Path, tmp_path: Path) -> None:
    """Zipped and unpacked as the bootstrap does, started as the task does: it asks for what it lacks."""
    python = bundle.find_python(bundle.PYTHON)
    if python is None:
        pytest.skip(f"no Python {bundle.PYTHON} here to start it with")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        for name in files(native / "RelayBundle"):
            archive.write(native / "RelayBundle" / name, name)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    environment = {"PYTHONPATH": str(tmp_path / "unpacked" / "python")}
    ran = subprocess.run(
        [python, "-s", "-m", "relay"], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("relay: missing or malformed: TABLE_NAME, RELAY_ID"), ran.stderr
