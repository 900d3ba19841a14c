"""The recipe of docs/admission.md as it is printed: its tokens open the real `$connect`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from protocol.limits import JWT_ENTRY_BYTES
from tests.security.conftest import SECRET, Gateway

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "docs/admission.md").read_text()
ESBUILD = ROOT / "client/sdk/node_modules/.bin/esbuild"
USER = "user-7 ü"

GO_MAIN = """package main
import ("fmt"; "os"; "recipe/voice")
func main() {
    token, err := voice.Token(os.Args[1], os.Args[2], 300)
    if err != nil { panic(err) }
    fmt.Print(token)
}
"""


def snippet(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", RECIPE, re.DOTALL)
    return str(code)


def run(*command: str | Path, **more: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, **more)  # type: ignore[call-overload]
    return str(done.stdout)


def python(directory: Path) -> str:
    names: dict[str, object] = {}
    exec(compile(snippet("python"), "docs/admission.md", "exec"), names)
    make = names["voice_token"]
    assert callable(make)
    return str(make(USER, SECRET))


def node(directory: Path) -> str:
    if not (ESBUILD.exists() and shutil.which("node")):
        pytest.skip("needs Node and the client's own tools: make setup")
    source, made = directory / "token.ts", directory / "token.mjs"
    call = f"process.stdout.write(voiceToken({USER!r}, {SECRET!r}));"
    source.write_text(snippet("ts") + call)
    run(ESBUILD, str(source), f"--outfile={made}", "--log-level=error")
    return run("node", made)


def go(directory: Path) -> str:
    if not shutil.which("go"):
        pytest.skip("needs Go")
    (directory / "voice").mkdir()
    (directory / "voice/token.go").write_text(snippet("go"))
    (directory / "main.go").write_text(GO_MAIN)
    (directory / "go.mod").write_text("module recipe\n\ngo 1.18\n")
    return run("go", "run", ".", USER, SECRET, cwd=str(directory))


@pytest.mark.parametrize("make", [python, node, go])
def test_a_token_of_the_recipe_is_admitted(make: object, gateway: Gateway, tmp_path: Path) -> None:
    assert callable(make)
    token = make(tmp_path)
    assert len(token) < JWT_ENTRY_BYTES
    assert gateway.connect(token, Origin="https://app.example") == 200
    found = gateway.visitor()
    assert found is not None and found.user == USER


def test_the_recipe_names_the_algorithms_that_are_accepted() -> None:
    from functions.core.admission.signing_keys import Issuer

    told = re.search(r"\(RS256 to RS512, (.*?)\)", RECIPE)
    assert told and {"RS256", "RS384", "RS512", *told[1].split(", ")} == Issuer.algorithms


def test_there_is_one_recipe() -> None:
    """Two had drifted apart: other libraries, and three times the lifetime."""
    signing = re.compile(r"jwt\.encode\(|new SignJWT|NewWithClaims|createHmac|hmac\.New")
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "client").glob("*/README.md")]
    assert [page.name for page in pages if signing.search(page.read_text())] == ["admission.md"]
