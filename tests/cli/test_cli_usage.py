"""What is typed wrong is answered by one line, at once."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from cli import main as cli_main
from tests.cli.conftest import Run, page

Vivavoce = Callable[..., Run]
SECRET = "0123456789abcdef0123456789abcdef"
USAGE = 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tolk"], "there is no command 'tolk'; did you mean talk?"),
        (["talk", "--wavv", "x"], "'--wavv' means nothing here; did you mean --wav?"),
        (["talk", "extra"], "'extra' means nothing here"),
        (["talk", "--seconds", "soon"], "argument --seconds: invalid float value: 'soon'"),
        (["talk", "--seconds", "-1"], "--seconds is not a length of time"),
        (["talk", "--seconds", "nan"], "--seconds is not a length of time"),
        (["talk", "--interrupt-at", "1"], "--interrupt-at and --interrupt-wav need each other"),
        (["talk", "--text", "x", "--interrupt-at", "1", "--interrupt-wav", "y"], "needs a spoken beginning"),
        (["survive", "--only", "old_age"], "there is no failure 'old_age'"),
        (["survive", "--evidence", "/nowhere"], "/nowhere is no folder"),
        (["talk", "--wav", "/nowhere/in.wav"], "cannot read /nowhere/in.wav: No such file or directory"),
        (["talk", "--wav", "/"], "cannot read /: Is a directory"),
        (["talk", "--wav", __file__], "it has no RIFF/WAVE header"),
        (["talk", "--text", "x", "--out", "/nowhere/out.wav"], "there is no folder /nowhere"),
        (["talk", "--text", "x", "--out", "/proc/a.wav"], "cannot write /proc/a.wav: No such file"),
        (["talk", "--mic", "--text", "x"], "--mic is in place of --wav and --text"),
        (["talk", "--text", ""], "--text is empty"),
        (["talk", "--text", "x", "--text", " "], "--text is empty"),
        (["talk", "--text", "x", "--out", "/tmp"], "/tmp is a folder"),
        (["talk", "--text", "x", "--url", "example.com"], "'example.com' is not a URL to connect to"),
        (["talk", "--text", "x", "--url", "ftp://example.com"], "is not a URL to connect to"),
        (["talk", "--text", "x", "--url", "ws://host:port/v1"], "is not a URL to connect to"),
        (["talk", "--text", "x", "--url", "wss://example.com/v1"], "there is no token for that server"),
        (["token"], "one of the arguments --local --stack --secret-env --secret is required"),
        (["token", "--local", "--user", "ada"], "--user means nothing with --local"),
        (["token", "--secret", SECRET, "--url", "http://127.0.0.1"], "Give --local with it."),
        (["token", "--secret", "short"], "the secret in --secret holds 5 bytes; 32 are needed"),
        (["token", "--secret", ""], "the secret in --secret is empty or not set"),
        (
            ["token", "--secret-env", "VIVAVOCE_NO_SUCH"],
            "the secret in $VIVAVOCE_NO_SUCH is empty or not set",
        ),
        (["token", "--secret", SECRET, "--minutes", "0"], "--minutes is not between 1 and 1440"),
        (["token", "--secret", SECRET, "--user", ""], "--user is empty"),
        (["dev", "--port", "many"], "argument --port: invalid int value: 'many'"),
        (["dev", "--port", "70000"], "--port is not a port"),
        (["simulate", "--port", "99999"], "argument --port: must be 0 to 65535"),
        (["simulate", "--time-scale", "0"], "argument --time-scale: must be a number above 0"),
        (["soak", "--minutes", "0"], "--minutes is not a length of time"),
        (["soak", "--minutes", "nan"], "--minutes is not a length of time"),
        (["soak", "--sessions", "0"], "--sessions is not between 1 and 50"),
        (["soak", "--sessions", "51"], "--sessions is not between 1 and 50"),
        (["soak", "--seed", "-1"], "--seed is below 0"),
        (["soak", "--seed", "luck"], "argument --seed: invalid int value: 'luck'"),
        (["soak", "--each", "-2"], "--each is below 0"),
        (["soak", "--evidence", "/nowhere"], "/nowhere is no folder"),
        (["soak", "--minute", "1"], "'--minute' means nothing here; did you mean --minutes?"),
    ],
)
def test_one_line_says_what_is_wrong(vivavoce: Vivavoce, arguments: list[str], complaint: str) -> None:
    run = vivavoce(*arguments)
    assert run.code == USAGE and run.out == ""
    assert complaint in run.complaint and len(run.err.splitlines()) == 1


def test_no_command_shows_the_help(vivavoce: Vivavoce) -> None:
    run = vivavoce()
    assert run.code == USAGE and "talk" in run.err and "token" in run.err


@pytest.mark.parametrize("command", ["dev", "talk", "token", "soak"])
def test_every_command_has_help(vivavoce: Vivavoce, command: str) -> None:
    run = vivavoce(command, "--help")
    assert run.code == 0 and run.out.startswith(f"usage: vivavoce {command}") and run.err == ""


def test_the_public_failures_are_listed_with_their_sources(vivavoce: Vivavoce) -> None:
    listed = vivavoce("survive", "--list", "--only", "empty_turn")
    assert listed.code == 0
    assert listed.out.startswith("empty_turn: ") and "https://github.com/googleapis" in listed.out


def test_version_is_printed(vivavoce: Vivavoce) -> None:
    run = vivavoce("--version")
    assert run.code == 0 and run.out.strip() == "0.1.0"


def test_a_server_that_is_not_there_is_one_line(vivavoce: Vivavoce) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        run = vivavoce("talk", "--url", f"ws://127.0.0.1:{port}/v1", "--token", "a.jwt", "--text", "x")
        assert run.code == 1 and "Traceback" not in run.err
        assert run.complaint.startswith("vivavoce talk: connect_failed: The server cannot be reached.")
        assert "vivavoce dev" in run.complaint and "turns" not in run.err
        run = vivavoce("talk", "--url", f"http://127.0.0.1:{port}", "--text", "x")
        assert run.code == 1 and f"nothing answers at http://127.0.0.1:{port}" in run.complaint


def test_the_local_stack_s_token_is_all_that_is_printed(vivavoce: Vivavoce) -> None:
    with page({"url": "ws://127.0.0.1:1/v1", "token": "a.local.token"}) as address:
        run = vivavoce("token", "--local", "--url", address)
    assert (run.code, run.out, run.err) == (0, "a.local.token\n", "")


def test_without_a_local_stack_there_is_no_token(vivavoce: Vivavoce) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        run = vivavoce("token", "--local", "--url", f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert run.code == 1 and run.out == "" and 'Start a local stack with "vivavoce dev"' in run.complaint


def test_a_token_is_what_the_deployment_checks(vivavoce: Vivavoce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", SECRET)
    run = vivavoce(
        "token", "--secret-env", "MY_SECRET", "--user", "ada", "--minutes", 5, "--audience", "voice"
    )
    assert run.code == 0 and run.err == ""
    claims = jwt.decode(run.out.strip(), SECRET, algorithms=["HS256"], audience="voice")
    assert claims["sub"] == "ada" and claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 60


def test_the_secret_may_come_from_stdin(vivavoce: Vivavoce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(SECRET + "\n"))
    run = vivavoce("token", "--secret", "-")
    assert jwt.decode(run.out.strip(), SECRET, algorithms=["HS256"])["sub"] == "developer"


def test_ctrl_c_before_the_command_line_is_read_is_no_traceback_either(tmp_path: Path) -> None:
    (tmp_path / "difflib.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from cli.entry import main; sys.exit(main())", "dev"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-2, "", "")


def test_ctrl_c_is_no_traceback(vivavoce: Vivavoce, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_main, "run", interrupt)
    run = vivavoce("talk")
    assert (run.code, run.err) == (130, "interrupted\n")


def test_a_reader_that_left_is_no_traceback() -> None:
    """As in `vivavoce token … | true`: the pipe is closed before anything is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    run = subprocess.run(
        [sys.executable, "-m", "cli.main", "token", "--secret", SECRET],
        stdout=write_end,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    os.close(write_end)
    assert (run.returncode, run.stderr) == (0, b"")


def test_help_loads_nothing_heavy() -> None:
    """The help must come at once: no event loop, sockets, JWT library or model SDK for it."""
    code = "import json, sys, cli.main; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=Path(__file__).parents[2]
    )
    loaded = set(json.loads(run.stdout))
    assert not loaded & {
        "asyncio",
        "websockets",
        "jwt",
        "aiohttp",
        "msgspec",
        "boto3",
        "google.genai",
        "urllib.request",
    }
