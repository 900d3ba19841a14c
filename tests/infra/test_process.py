"""Child processes: what they get, what they say, and that they end, whatever happens to us."""

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path

import pytest

from infra.local.process import Child, machine_environment
from tests.infra.stand_ins import children

FIXTURES = Path(__file__).parent / "fixtures"
ROOT = FIXTURES.parents[2]

PARENT = """
import asyncio, sys
from pathlib import Path
from infra.local.process import Child, machine_environment

async def main(root):
    child = await Child.start(("python", "-m", "sleeper"), machine_environment(root), cwd=root, on_line=print)
    await child.wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def run(code: str, *, environment: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """Exit status and output of a Python program."""
    lines: list[str] = []
    given = machine_environment(FIXTURES) | (environment or {})
    child = await Child.start(("python", "-c", code), given, cwd=FIXTURES, on_line=lines.append)
    status = await child.wait()
    await child.stop(0)
    return status, lines


async def test_output_of_both_kinds_comes_line_by_line() -> None:
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(4)"
    assert await run(code) == (4, ["one", "two"])


async def test_bytes_that_are_no_text_and_endless_lines_do_no_harm() -> None:
    code = "import os; os.write(1, b'\\xff\\n' + b'x' * 3_000_000 + b'\\nend\\n')"
    status, lines = await run(code)
    assert status == 0
    assert (lines[0], lines[-1]) == ("\N{REPLACEMENT CHARACTER}", "end")
    assert max(map(len, lines)) <= 1 << 20


async def test_a_child_gets_nothing_of_our_environment_but_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANARY", "1")
    _, (line,) = await run("import os, json; print(json.dumps(dict(os.environ)))", environment={"A": "1"})
    assert json.loads(line).keys() - {"LC_CTYPE"} == machine_environment(FIXTURES).keys() | {"A"}


async def test_stop_lets_a_child_end_by_itself_and_kills_it_after_the_grace_time() -> None:
    for environment, status in (({}, 0), ({"STUBBORN": "1"}, -signal.SIGKILL)):
        started = asyncio.Event()
        given = machine_environment(FIXTURES) | environment
        command = ("python", "-m", "sleeper")
        child = await Child.start(command, given, cwd=FIXTURES, on_line=lambda _, s=started: s.set())
        await started.wait()
        assert await child.stop(0.2 if environment else 20) == status
        assert not child.is_alive


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the kernel of Linux does it")
async def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-uc", PARENT, str(FIXTURES)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    await parent.stdout.readline()  # the child runs
    (id,) = children(parent.pid)
    watched = os.pidfd_open(id)  # tells of the end of a process that is no child of ours
    parent.kill()
    await parent.wait()
    ready, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    assert ready, "the child outlived its parent"
