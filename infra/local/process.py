"""Child processes of the local stack: their own process group, their output line by line, a sure end."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_TETHER = str(Path(__file__).with_name("tether.py"))
_LINE_BYTES = 1 << 20  #: a longer line of output is cut

#: What a child may keep of our own environment: how to find programs, certificates and a proxy.
_KEPT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy")

OnLine = Callable[[str], None]


def machine_environment(root: Path) -> dict[str, str]:
    """The least that a Python program needs on this machine; `root` is where its modules lie."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    local = {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1,localhost"}
    return kept | local | {"LANG": "C.UTF-8", "TZ": "UTC"}


class Child:
    """A running process. Make one with `Child.start`; somebody must then await `stop`."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: OnLine) -> None:
        self.process = process
        self._reader = asyncio.get_running_loop().create_task(self._read(on_line), name="output")

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], *, cwd: Path, on_line: OnLine
    ) -> Self:
        """Starts `command` with `environment` and nothing else of ours. `python` means this Python."""
        program, *arguments = command
        if program == "python":
            program = sys.executable
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            _TETHER,
            str(os.getpid()),
            program,
            *arguments,
            env=dict(environment),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
        return cls(process, on_line)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet, as far as is known."""
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the whole group; nothing happens when it has ended."""
        if self.is_alive:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    async def wait(self) -> int:
        """The exit status, negative for a signal, once all output was read."""
        status = await self.process.wait()
        # A grandchild could hold the pipe open: what was written so far is there at once.
        await asyncio.wait([self._reader], timeout=1.0)
        return status

    async def stop(self, grace_s: float) -> int:
        """SIGTERM, then after `grace_s` SIGKILL. Safe to call for a process that has ended."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self.process.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
        status = await self.wait()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        return status

    async def _read(self, on_line: OnLine) -> None:
        assert self.process.stdout
        while True:
            try:
                line = await self.process.stdout.readline()
            except ValueError:
                continue  # over _LINE_BYTES: asyncio has dropped what it held
            if not line:
                return
            on_line(line.decode(errors="replace").rstrip("\n"))
