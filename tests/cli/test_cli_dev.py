"""`vivavoce dev` around a stack that is only pretended: what it starts, says and ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import pytest

import cli.stack.local  # noqa: F401  # before its parts are only pretended
from cli.stack import gemini_key
from gemini import tokens
from infra.local.logs import Line
from infra.local.template import read_template
from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]


class Pretence:
    """Stands for `infra.local.stack` and `simulator`; ends the command by a signal once all is up."""

    def __init__(self, number: signal.Signals) -> None:
        self.steps: list[str] = []
        self.options: dict[str, Any] = {}
        self.failure: OSError | None = None
        self.lines: list[Line] = []  #: what its processes print
        self.watchers: list[Callable[[Line], None]] = []
        self.number = number

    def stack(self, options: dict[str, Any]) -> Any:
        self.options = options
        pretence = self

        class Stack:
            logs = SimpleNamespace(watchers=pretence.watchers)
            urls = SimpleNamespace(
                page="http://127.0.0.1:1", control="ws://127.0.0.1:2/v1", media="ws://127.0.0.1:3"
            )

            async def __aenter__(self) -> Self:
                if pretence.failure:
                    raise pretence.failure
                pretence.steps.append("stack up")
                for line in pretence.lines:
                    for watcher in pretence.watchers:
                        watcher(line)
                asyncio.get_running_loop().call_soon(os.kill, os.getpid(), pretence.number)
                return self

            async def __aexit__(self, *_: object) -> None:
                pretence.steps.append("stack down")

        return Stack()

    @asynccontextmanager
    async def simulate(self) -> AsyncIterator[Any]:
        self.steps.append("simulator up")
        try:
            yield SimpleNamespace(url="http://127.0.0.1:4")
        finally:
            self.steps.append("simulator down")


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def pretence(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pretence:
    pretence = Pretence(request.param)
    stack, simulator = ModuleType("infra.local.stack"), ModuleType("simulator")
    vars(stack).update(LocalStack=pretence.stack, Options=dict)
    vars(simulator).update(serve=pretence.simulate)
    monkeypatch.setitem(sys.modules, "infra.local", ModuleType("infra.local"))
    monkeypatch.setitem(sys.modules, "infra.local.stack", stack)
    monkeypatch.setitem(sys.modules, "simulator", simulator)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    return pretence


def test_it_says_where_everything_is_and_ends_cleanly(
    vivavoce: Callable[..., Run], pretence: Pretence
) -> None:
    run = vivavoce("dev", "--json")
    assert run.code == 0
    assert len(run.out.splitlines()) == 1
    assert json.loads(run.out) == {
        "page": "http://127.0.0.1:1",
        "control": "ws://127.0.0.1:2/v1",
        "media": "ws://127.0.0.1:3",
        "simulator": "http://127.0.0.1:4",
        "pid": os.getpid(),
    }
    assert "vivavoce talk --url http://127.0.0.1:1" in run.err
    assert "http://127.0.0.1:1/dev/session.json" in run.err, "where an app of one's own gets a token"
    assert pretence.steps == ["simulator up", "stack up", "stack down", "simulator down"]
    assert pretence.options == {
        "gemini_url": "http://127.0.0.1:4",
        "gemini_key": "simulator-key",
        "takes_faults": True,
        "parameters": {"GeminiModel": ""},
        "host": "127.0.0.1",
        "port": 8787,
    }


@pytest.mark.parametrize("more", [(), ("--gemini-url", "URL")])
def test_a_model_can_be_named_that_all_agents_talk_with(
    vivavoce: Callable[..., Run], pretence: Pretence, more: tuple[str, ...]
) -> None:
    with google(200, {"name": "auth_tokens/x"}) as url:
        vivavoce(
            "dev",
            "--model",
            "gemini-3.1-flash-live-preview",
            *(url if each == "URL" else each for each in more),
        )
    assert pretence.options["parameters"] == {"GeminiModel": "gemini-3.1-flash-live-preview"}


def test_the_command_to_try_can_be_run_as_it_stands(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "vivavoce"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(command), "dev"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert f"or try    {command} talk --url http://127.0.0.1:1" in vivavoce("dev").err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "or try    vivavoce talk --url http://127.0.0.1:1" in vivavoce("dev").err


def test_quiet_is_quiet(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    run = vivavoce("dev", "--quiet", "--port", 0)
    assert (run.code, run.out, run.err) == (0, "", "") and pretence.options["port"] == 0


def invoked(function: str, route: str, status: str) -> Line:
    fact = {"function": function, "routeKey": route, "status": status, "duration_ms": 9.5}
    return Line("invocations", json.dumps(fact))


LOGGED = [
    Line("vivavoce-local-mint", '{"level":"WARNING","message":"token refused","timestamp":"t","status":403}'),
    Line("relay-1", '{"level":"INFO","message":"call started","session":"s"}'),
    Line("relay-1", "ImportError: no module of that name"),
    Line("relay-1", ""),
    Line("vivavoce-local-sweep", '{"level":"ERROR","message":"failed","exception":"Traceback: why"}'),
    Line(
        "invocations",
        '{"function":"vivavoce-local-session","status":"timeout","routeKey":"start","duration_ms":9.5}',
    ),
    Line(
        "invocations",
        '{"function":"vivavoce-local-session","status":"ok","routeKey":"$connect","duration_ms":9.5}',
    ),
]
WRONG = [
    "mint  WARNING  token refused  status=403",
    "relay-1  ImportError: no module of that name",
    "sweep  ERROR  failed",
    "Traceback: why",
    "session (start)  ERROR  timeout after 10 ms",
]


@pytest.mark.parametrize("flags", [(), ("--quiet",)])
def test_what_goes_wrong_in_any_process_is_on_the_terminal(
    vivavoce: Callable[..., Run], pretence: Pretence, flags: tuple[str, ...]
) -> None:
    pretence.lines = LOGGED
    told = vivavoce("dev", *flags).err.splitlines()
    assert [line for line in told if line in WRONG] == WRONG
    assert not any("call started" in line or "$connect" in line for line in told)


def test_logs_shows_all_that_the_processes_say(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    pretence.lines = LOGGED
    told = vivavoce("dev", "--logs").err.splitlines()
    assert {*WRONG, "relay-1  INFO  call started  session=s", "session ($connect)  INFO  ok after 10 ms"} <= {
        *told
    }


@contextmanager
def google(status: int, answer: object) -> Iterator[str]:
    """Who is asked for a token, and always answers the same. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def refusal(status: int, message: str) -> dict[str, object]:
    return {"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}}


def test_with_a_key_there_is_no_simulator(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "the-key")
    with google(200, {"name": "auth_tokens/x"}) as url:
        monkeypatch.setattr(tokens, "GOOGLE_URL", url)
        run = vivavoce("dev", "--json")
    assert run.json["simulator"] is None and pretence.options["gemini_url"] == ""
    assert pretence.options["gemini_key"] == "the-key" and not pretence.options["takes_faults"]
    assert "this costs money" in run.err and "the-key" not in run.err + run.out


@pytest.mark.parametrize(
    ("key", "said"),
    [("the-key", "with GEMINI_API_KEY."), (None, "with a made-up key: GEMINI_API_KEY is not set")],
)
def test_a_server_of_ones_own_is_the_model_and_its_key_is_said(
    vivavoce: Callable[..., Run],
    pretence: Pretence,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
    said: str,
) -> None:
    if key:
        monkeypatch.setenv("GEMINI_API_KEY", key)
    with google(200, {"name": "auth_tokens/x"}) as url:
        run = vivavoce("dev", "--json", "--gemini-url", f"{url}/")
    assert run.code == 0 and run.json["simulator"] is None, "and no simulator is started"
    assert pretence.steps == ["stack up", "stack down"]
    assert pretence.options["gemini_url"] == url and not pretence.options["takes_faults"]
    assert pretence.options["gemini_key"] == (key or "made-up-key")
    assert f"The model is what answers at {url}, {said}" in run.err and "the-key" not in run.err


@pytest.mark.parametrize(
    ("status", "key", "complaint"),
    [
        (404, None, "makes no tokens as Google does (HTTP 404"),
        (403, None, "refused a made-up key (HTTP 403"),
        (403, "the-key", "refused the key in GEMINI_API_KEY (HTTP 403"),
    ],
)
def test_a_server_that_gives_no_token_is_one_line_and_nothing_starts(
    vivavoce: Callable[..., Run],
    pretence: Pretence,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    key: str | None,
    complaint: str,
) -> None:
    if key:
        monkeypatch.setenv("GEMINI_API_KEY", key)
    with google(status, refusal(status, "")) as url:
        run = vivavoce("dev", "--gemini-url", url)
    assert run.code == 1 and f"{url} {complaint}" in run.complaint
    assert pretence.steps == []


def test_a_server_that_is_not_there_is_one_line(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    run = vivavoce("dev", "--gemini-url", "http://127.0.0.1:1")
    complaint = "http://127.0.0.1:1 cannot be asked for a token (NewConnectionError)."
    assert run.code == 1 and complaint in run.complaint and pretence.steps == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9",
        "ws://127.0.0.1:9",
        "http://",
        "http://127.0.0.1:x",
        "https://h?key=k",
        "https://u:p@h",
    ],
)
def test_what_is_no_base_url_is_one_line(vivavoce: Callable[..., Run], pretence: Pretence, url: str) -> None:
    run = vivavoce("dev", "--gemini-url", url)
    assert run.code == 2 and "--gemini-url is no base URL." in run.complaint and pretence.steps == []


def test_a_key_goes_to_no_other_machine_unencrypted(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    run = vivavoce("dev", "--gemini-url", "http://192.0.2.1:80")
    assert run.code == 2 and "--gemini-url would carry the key unencrypted." in run.complaint
    assert pretence.steps == []


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_is_one_line_and_nothing_starts(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", key)
    run = vivavoce("dev")
    assert run.code == 1 and "GEMINI_API_KEY is set and empty." in run.complaint
    assert pretence.steps == []


@pytest.mark.parametrize("key", ["AIza with a space", "AIza\nsecond line", "AIzaé", "“AIza”"])
def test_a_malformed_key_is_one_line_and_nobody_is_asked(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", key)
    monkeypatch.setattr(tokens, "GOOGLE_URL", "http://127.0.0.1:1")
    run = vivavoce("dev")
    assert run.code == 1 and "GEMINI_API_KEY holds a space, a line break or a character" in run.complaint
    assert "AIza" not in run.err and pretence.steps == []


def test_a_network_that_swallows_all_is_one_line_and_the_stack_starts(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "the-key")
    monkeypatch.setattr(gemini_key, "ANSWER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(tokens, "GOOGLE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        run = vivavoce("dev")
    assert run.code == 0 and "warning: Google has not answered within 0.05 s" in run.err
    assert pretence.steps == ["stack up", "stack down"]


@pytest.mark.parametrize(
    ("status", "message"), [(400, "API key not valid. Please pass a valid API key."), (401, ""), (403, "")]
)
def test_a_refused_key_is_one_line_and_nothing_starts(
    vivavoce: Callable[..., Run],
    pretence: Pretence,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    message: str,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-wrong")
    with google(status, refusal(status, message)) as url:
        monkeypatch.setattr(tokens, "GOOGLE_URL", url)
        run = vivavoce("dev")
    assert run.code == 1 and "Google refused the key in GEMINI_API_KEY" in run.complaint
    assert str(status) in run.complaint and "AIza-wrong" not in run.err
    assert pretence.steps == []


@pytest.mark.parametrize(
    ("status", "message", "complaint"),
    [
        (429, "Your prepayment credits are depleted.", "has no credit left"),
        (400, "User location is not supported for the API use.", "is not served from here"),
    ],
)
def test_an_account_or_a_place_without_the_model_is_one_line_and_nothing_starts(
    vivavoce: Callable[..., Run],
    pretence: Pretence,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    message: str,
    complaint: str,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "the-key")
    with google(status, refusal(status, message)) as url:
        monkeypatch.setattr(tokens, "GOOGLE_URL", url)
        run = vivavoce("dev")
    assert run.code == 1 and f"the project of GEMINI_API_KEY {complaint}, says Google" in run.complaint
    assert pretence.steps == []


def test_a_network_that_is_not_there_is_one_line(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "the-key")
    monkeypatch.setattr(tokens, "GOOGLE_URL", "http://127.0.0.1:1")
    run = vivavoce("dev")
    assert run.code == 1 and "Google cannot be asked for a token (NewConnectionError)." in run.complaint
    assert pretence.steps == []


def test_a_quota_that_is_used_up_is_said_and_the_stack_starts(
    vivavoce: Callable[..., Run], pretence: Pretence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "the-key")
    with google(429, refusal(429, "quota")) as url:
        monkeypatch.setattr(tokens, "GOOGLE_URL", url)
        run = vivavoce("dev")
    assert run.code == 0 and "warning: Google made no token" in run.err
    assert pretence.steps == ["stack up", "stack down"]


def test_the_key_is_tried_where_the_stack_will_use_it() -> None:
    assert read_template(ROOT / "template.yaml", {}, stack="s").parameters["GeminiUrl"] == tokens.GOOGLE_URL


def test_a_taken_port_is_one_line(vivavoce: Callable[..., Run], pretence: Pretence) -> None:
    pretence.failure = OSError(98, "Address already in use")
    run = vivavoce("dev")
    complaint = "cannot start at 127.0.0.1:8787: Address already in use. Is it running already?"
    assert run.code == 1 and complaint in run.complaint
    assert pretence.steps == ["simulator up", "simulator down"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [(99, "Give an address of this machine as --host."), (13, "Give a --port above 1023.")],
)
def test_an_address_that_cannot_be_had_is_one_line(
    vivavoce: Callable[..., Run], pretence: Pretence, number: int, advice: str
) -> None:
    pretence.failure = OSError(
        number, f"{os.strerror(number)} (while attempting to bind on address ('h', 1))"
    )
    run = vivavoce("dev", "--host", "192.0.2.1", "--port", 80)
    assert run.code == 1 and f"at 192.0.2.1:80: {os.strerror(number)}. {advice}" in run.complaint


def test_a_port_for_the_whole_network_comes_with_a_warning(
    vivavoce: Callable[..., Run], pretence: Pretence
) -> None:
    run = vivavoce("dev", "--host", "0.0.0.0")
    assert run.code == 0 and pretence.options["host"] == "0.0.0.0"
    assert "warning: this port is open to the network" in run.err
    assert "warning" not in vivavoce("dev", "--host", "127.0.0.1").err
