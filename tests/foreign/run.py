"""Foreign clients, unmodified and in environments of their own, hold a conversation with the simulator.

`make foreign` runs this and prints a table. Each client has its own default model, which speaks its own
dialect. What is judged is what the simulator's ledger has, and the sound that the client says it got.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator import Config, parse, serve
from simulator.faults import CloseNow, GoAway
from simulator.server.server import Running

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLACE = ROOT / ".local" / "foreign"  #: of the environments
SCENARIO = """
settings: {dialect: profile}
turns:
- when: {sample: frage}
  call: {name: get_weather, args: {city: Oslo}}
- when: {tool: get_weather}
  say: "It says {response}."
"""
READY_S = 90.0  #: for a client to start: some import for long
GREETING_S = 4.0  #: for the model to begin by itself
STEP_S = 30.0
SETTLE_S = 1.5  #: for a client to be as it will be


@dataclass(frozen=True)
class Client:
    """A foreign client: where it comes from, and the program that drives it."""

    name: str
    packages: tuple[str, ...]  #: exact; empty: npm's, from package.json here
    drive: str


CLIENTS = (
    Client("google-genai 3.6.1", ("google-genai==3.6.1",), "drive_genai.py"),
    Client("@google/genai 3.3.0", (), "drive_genai.mjs"),
    Client("livekit-plugins-google 1.8.9", ("livekit-plugins-google==1.8.9",), "drive_livekit.py"),
    Client("pipecat-ai 1.14.0", ("pipecat-ai[google]==1.14.0",), "drive_pipecat.py"),
)


def install(client: Client) -> list[str]:
    """Make the client's environment, once. Returns the command that drives it."""
    if not client.packages:
        if not (HERE / "node_modules").exists():
            quiet = ["--loglevel=error", "--no-progress", "--no-audit", "--no-fund"]
            subprocess.run(["npm", "ci", *quiet], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        return ["node", str(HERE / client.drive)]
    place = PLACE / client.drive.removesuffix(".py")
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *client.packages], check=True)
        (place / "ready").touch()
    return [str(python), str(HERE / client.drive)]


@dataclass
class Driven:
    """A client that runs."""

    process: asyncio.subprocess.Process
    facts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sound_s(self) -> float:
        return float(next((fact["sound_s"] for fact in reversed(self.facts) if "sound_s" in fact), 0.0))

    async def speak(self, sample: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"speak {sample}\n".encode())
        await self.process.stdin.drain()

    async def listen(self) -> None:
        """Keep the client's facts. What else it prints is its own affair."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                self.facts.append(json.loads(line))


@asynccontextmanager
async def driven(command: list[str], running: Running) -> AsyncIterator[Driven]:
    """Run a client against the simulator, with its certificate and no proxy."""
    certificate = str(running.certificate)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "FOREIGN_URL": running.url,
        "SSL_CERT_FILE": certificate,
        "NODE_EXTRA_CA_CERTS": certificate,
    }
    log = (PLACE / f"{Path(command[-1]).name}.log").open("w")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
    )
    client = Driven(process)
    listening = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening
        log.close()


class Talk:
    """What is tried with one client, step by step."""

    def __init__(self, client: Driven, running: Running) -> None:
        self._client, self._running = client, running
        self._seen = 0  #: lines of the ledger that belong to an earlier step

    async def ready(self) -> None:
        """A session is open, and whatever the client has the model say first has been said."""
        await self._until("session.opened", READY_S)
        try:
            await self._until("turn.started", GREETING_S)
        except TimeoutError:
            return
        await self._until("turn.ended")

    async def speech(self) -> None:
        """A spoken question is heard, answered, and the answer arrives."""
        before_s = self._client.sound_s
        await self._client.speak("question")
        heard = await self._until("utterance.heard")
        assert heard["sample"] == "question", heard["text"]
        answer = await self._until("answer.begun")
        await self._until("turn.ended")
        await asyncio.sleep(SETTLE_S)
        got_s = self._client.sound_s - before_s
        assert got_s > 0.9 * answer["duration_s"], f"{got_s:.1f} s of {answer['duration_s']:.1f} s arrived"

    async def barge_in(self) -> None:
        """Speech over the answer cuts it, and is answered."""
        await self._client.speak("question")
        await self._until("answer.begun")
        await self._client.speak("interruption")
        cut = await self._until("turn.interrupted")
        assert cut["cause"] == "speech", cut["cause"]
        await self._until("answer.begun")
        await self._until("turn.ended")

    async def tool(self) -> None:
        """A function is called, its result comes and is spoken of."""
        await self._client.speak("frage")
        await self._until("tool.called")
        await self._until("tool.answered")
        answer = await self._until("answer.begun")
        assert "sunny" in answer["text"], answer["text"]
        await self._until("turn.ended")

    async def go_away(self) -> None:
        """The connection is about to end: another one continues the session, and answers."""
        self._running.inject(GoAway(time_left_s=3.0))
        await self._resumed()

    async def drop(self) -> None:
        """The connection ends with an error: another one continues the session, and answers."""
        self._running.inject(CloseNow(code=1011, reason="Internal error encountered."))
        await self._resumed()

    async def _resumed(self) -> None:
        opened = await self._until("session.opened")
        assert opened["resumed"], "a fresh session, which knows nothing"
        await asyncio.sleep(SETTLE_S)
        await self.speech()

    async def _until(self, kind: str, within_s: float = STEP_S) -> dict[str, Any]:
        """The next line of the ledger of that kind."""
        async with asyncio.timeout(within_s):
            while True:
                for line in self._running.ledger.after(self._seen, 1_000):
                    self._seen = line["n"]
                    if line["kind"] == kind:
                        return line
                await asyncio.sleep(0.05)


STEPS = ("speech", "barge_in", "tool", "go_away", "drop")


async def try_out(client: Client, tell: Callable[[str], None]) -> dict[str, str]:
    """The result of each step: `ok`, or what went wrong."""
    command = await asyncio.to_thread(install, client)
    found = dict.fromkeys(("model", *STEPS), "not reached")
    async with (
        serve(Config(tls=True, scenario=parse(SCENARIO))) as running,
        driven(command, running) as partner,
    ):
        talk = Talk(partner, running)
        try:
            await talk.ready()
        except TimeoutError:
            found["model"] = "no session was opened"
            return found
        found["model"] = running.ledger.where("session.opened")[0]["model"]
        for step in STEPS:
            tell(f"{client.name}: {step}")
            found[step] = await result(getattr(talk, step))
    return found


async def result(step: Callable[[], Awaitable[None]]) -> str:
    try:
        await step()
    except TimeoutError:
        return "nothing came"
    except AssertionError as wrong:
        return str(wrong)
    return "ok"


async def main() -> int:
    """0: every client did everything."""
    wanted = sys.argv[1:]
    PLACE.mkdir(parents=True, exist_ok=True)
    is_well = True
    print(f"{'client':30} {'model':46}" + "".join(f"{step:10}" for step in STEPS), flush=True)
    for client in CLIENTS:
        if wanted and not any(word in client.name for word in wanted):
            continue
        found = await try_out(client, lambda text: print(f"  {text}…", file=sys.stderr, flush=True))
        print(
            f"{client.name:30} {found['model']:46}" + "".join(f"{found[step]:10}" for step in STEPS),
            flush=True,
        )
        is_well &= all(found[step] == "ok" for step in STEPS)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
