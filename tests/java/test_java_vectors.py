"""A client in Java, written from the specification, passes the shared vectors and lets none go unread."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.java.build import PROTOCOL, build, find

#: file and a case that no runner may pass
PLANTED: list[tuple[str, dict[str, Any]]] = [
    ("client_session", {"steps": [{"do": "dance"}]}),
    ("client_session", {"steps": [{"do": "connect"}, {"do": "lost", "mood": "fine"}]}),
    ("client_session", {"steps": [{"do": "connect", "state": "live"}]}),
    ("client_session", {"steps": [{"do": "connect", "counters": {"sighs": 0}}]}),
    ("client_session", {"steps": [{"do": "connect", "sends": {"type": "hello", "next_seq": 1}}]}),
    ("client_session", {"steps": [{"do": "connect"}, {"do": "audio", "hex": "02", "gives": [{}]}]}),
    ("client_session", {"steps": [{"do": "say", "message": {"type": "text"}, "sends": {"n": 2}}]}),
    ("codec", {"direction": "sideways", "text": "{}", "error": "bad_message"}),
    ("codec", {"direction": "server_message", "text": '{"type":"pong"}', "decoded": {}}),
    ("codec", {"direction": "server_message", "text": '{"type":"dance"}', "error": "bad_message"}),
    ("codec", {"direction": "server_message", "text": '{"type":"ack","seq":1}', "error": "bad_message"}),
    ("audio", {"direction": "down", "hex": "0100000100000000", "error": "bad_frame"}),
    ("audio", {"direction": "down", "hex": "0100000100000000", "turn": 1, "seq": 0, "pcm": "", "rate": 1}),
    ("adpcm", {"blocks": [{"pcm": "00000000", "block": "0000000011", "heard": "00000000"}]}),
    ("adpcm", {"blocks": [{"block": "0000000000", "heard": "00000000", "mood": "fine"}]}),
    ("adpcm", {"blocks": [{"block": "0000000000", "error": "bad_frame"}]}),
    ("credentials", {"do": "sing", "kind": "jwt", "secret": "s"}),
    ("credentials", {"do": "offer", "kind": "jwt", "secret": "s", "offer": ["vivavoce"]}),
    ("states", {"table": "weather", "state": "new", "event": "hello", "next": "joining"}),
    ("states", {"table": "client", "state": "new", "event": "hello", "next": None}),
    ("pace", {"rate_per_s": 1, "burst": 1, "steps": [{"at": 0, "amount": 2, "gives": True}]}),
    ("pace", {"rate_per_s": 1, "burst": 1, "steps": [{"at": 0, "amount": 2, "wait_s": 2}]}),
    ("pace", {"rate_per_s": 1, "burst": 1, "steps": [{"at": 0, "amount": 1, "mood": "fine"}]}),
    ("uplink_delay", {"steps": [{"do": "dance", "at": 0}]}),
    ("uplink_delay", {"steps": [{"do": "pong", "at": 1, "sent_at": 0, "server_s": 0, "full": True}]}),
    ("uplink_delay", {"steps": [{"do": "connected", "at": 1, "mood": "fine"}]}),
    ("uplink_form", {"steps": [{"do": "dance", "at": 0}]}),
    ("uplink_form", {"steps": [{"do": "dropped", "at": 0, "narrow": False}]}),
    ("uplink_form", {"steps": [{"do": "dropped", "at": 0, "possible": False, "adpcm": True}]}),
    ("uplink_form", {"steps": [{"do": "look", "at": 0, "mood": "fine"}]}),
    ("reconnect", {"steps": [{"do": "dance"}]}),
    ("reconnect", {"steps": [{"do": "starting", "mood": "fine"}]}),
    ("reconnect", {"steps": [{"do": "start", "at": 0, "gives": {"do": "resume"}}]}),
    ("reconnect", {"steps": [{"do": "start", "at": 0, "gives": {"do": "start", "refresh": True}}]}),
    ("tomorrow", {"do": "anything"}),
]


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return build(tmp_path_factory.mktemp("classes"))


def run(java: list[str], protocol: Path) -> tuple[int, list[str]]:
    """Exit code and lines of the runner on a folder with schema/ and vectors/."""
    command = [*java, "Vectors", str(protocol)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_a_client_written_from_the_specification_passes_the_vectors(java: list[str]) -> None:
    code, lines = run(java, PROTOCOL)
    assert code == 0, lines
    ran = {line.partition(":")[0]: int(line.split()[1]) for line in lines}
    assert ran.keys() == {path.stem for path in (PROTOCOL / "vectors").glob("*.json")}
    assert {name for name, count in ran.items() if count == 0} == {"server_session"}
    scripts = json.loads((PROTOCOL / "vectors" / "client_session.json").read_text(encoding="utf-8"))
    assert ran["client_session"] == len(scripts["cases"])


def test_the_runner_fails_on_every_case_that_is_wrong_or_that_it_does_not_know(
    java: list[str], tmp_path: Path
) -> None:
    shutil.copytree(PROTOCOL / "schema", tmp_path / "schema")
    (tmp_path / "vectors").mkdir()
    files: dict[str, list[dict[str, Any]]] = {}
    for number, (file, case) in enumerate(PLANTED):
        files.setdefault(file, []).append({"name": f"planted {number}", **case})
    for file, cases in files.items():
        (tmp_path / "vectors" / f"{file}.json").write_text(json.dumps({"description": "", "cases": cases}))
    code, lines = run(java, tmp_path)
    failed = {line.split(": ")[1] for line in lines if line.startswith("FAILED")}
    assert code == 1 and failed == {f"planted {number}" for number in range(len(PLANTED))}


def test_without_java_the_tests_are_skipped(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="no `javac`"):
        find({"PATH": str(tmp_path)})


def test_without_java_the_tests_fail_in_ci(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="no `javac`"):
        find({"PATH": str(tmp_path), "CI": "true"})
