"""`python -m simulator`: a Gemini Live stand-in on this machine."""

import argparse
import asyncio
import contextlib
import json
import math
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from simulator import scenario
from simulator.conversation.world import Config
from simulator.failures import catalogue
from simulator.scenario import Scenario, ScenarioError
from simulator.server.server import Running, serve

SCENARIOS = Path(__file__).parent / "scenarios"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted. Returns 2 for what the user can mend, with one line that says what."""
    chosen = _parser().parse_args(argv)
    try:
        config = _config(chosen)
        asyncio.run(_serve(config, chosen.json))
    except (ScenarioError, ValueError) as error:
        return _complain(str(error))
    except OSError as error:
        # A file's error names the file; the other one is the port's.
        what = error.filename or f"cannot listen on {chosen.host}:{chosen.port}"
        return _complain(f"{what}: {error.strerror or error}")
    except KeyboardInterrupt:
        pass
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse that complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_complain(f'{message}. "{self.prog} --help" lists what there is.'))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="vivavoce simulate", description="Gemini Live, simulated.")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: loopback only)")
    parser.add_argument("--port", type=_port, default=8788, help="0 takes any free one (default: 8788)")
    parser.add_argument(
        "--tls", action="store_true", help="serve https and wss with a certificate of its own"
    )
    parser.add_argument(
        "--scenario", metavar="FILE", help=f"what to say and what to break: YAML, or one of {_shipped()}"
    )
    parser.add_argument(
        "--time-scale", type=_scale, metavar="N", help="N seconds pass in one (default: the scenario's, or 1)"
    )
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="TRACE",
        help="play back what a server once said (doctor --google --trace)",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="append the ledger here (JSON lines)")
    parser.add_argument("--api-key", metavar="KEY", help="the only key to admit (default: any)")
    parser.add_argument("--json", action="store_true", help="say where it listens as one JSON line")
    return parser


def _config(chosen: argparse.Namespace) -> Config:
    if chosen.replay and chosen.scenario:
        raise ScenarioError("--replay plays what was recorded, and no --scenario")
    script = scenario.load(_scenario_path(chosen.scenario)) if chosen.scenario else Scenario()
    if chosen.log and not chosen.log.parent.is_dir():
        raise ScenarioError(f"{chosen.log}: its folder does not exist")
    return Config(
        host=chosen.host,
        port=chosen.port,
        tls=chosen.tls,
        time_scale=chosen.time_scale,
        api_key=chosen.api_key,
        scenario=script,
        cases={name: failure.scenario for name, failure in catalogue.load().items()},
        log=chosen.log,
        replay=chosen.replay,
    )


def _scenario_path(given: str) -> Path:
    """A shipped scenario goes by its name alone."""
    shipped = SCENARIOS / f"{given}.yaml"
    return shipped if given.isidentifier() and shipped.exists() else Path(given)


def _shipped() -> str:
    return ", ".join(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))


async def _serve(config: Config, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on Windows
            loop.add_signal_handler(number, stopped.set)
    async with serve(config) as running:
        print(_json(running) if as_json else greeting(running), flush=True)
        await stopped.wait()


def _json(running: Running) -> str:
    certificate = str(running.certificate) if running.certificate else None
    return json.dumps({"url": running.url, "certificate": certificate, **running.state()})


def greeting(running: Running) -> str:
    """What it says when it is up."""
    does = f"scenario: {running.world.scenario.name}"
    if running.playback:
        does = f"plays back {running.playback.count} recorded connections, one for each client in turn"
    lines = [f"Gemini Live simulator at {running.url} ({does})"]
    if running.certificate:
        lines.append(f"clients must trust {running.certificate}, e.g. SSL_CERT_FILE={running.certificate}")
    lines.append(f"SDKs: set GOOGLE_GEMINI_BASE_URL={running.url} and any API key. Ctrl-C stops it.")
    return "\n".join(lines)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return int(text)


def _scale(text: str) -> float:
    with contextlib.suppress(ValueError):
        scale = float(text)
        if scale > 0 and math.isfinite(scale):
            return scale
    raise argparse.ArgumentTypeError("must be a number above 0")


def _complain(text: str) -> int:
    print(f"vivavoce simulate: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
