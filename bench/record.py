"""Runs the commands behind docs/reliability.md and writes what each prints into its marked block there.

python -m bench.record rotations day bargeins
python -m bench.record --from soak.txt soak      # printed before, by the same command
"""

from __future__ import annotations

import argparse
import datetime
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
COMMANDS = {
    "soak": "vivavoce soak --minutes 60 --sessions 12 --seed 2026 --runs 1000 --each 20",
    "weight": "vivavoce soak --minutes 40 --sessions 12 --seed 7 --runs 1000 --no-kills",
    "soaks": "python -m bench.soaks --minutes 10 --evidence .local/soaks",
    "rotations": "python -m bench.rotations --rotations 200",
    "day": "python -m bench.day --hours 24 --seed 1",
    "breaks": "python -m bench.day --hours 16 --seed 1 --breaks",
    "survive": "vivavoce survive --seed 1 --markdown",
    "hearing": "python -m bench.hearing",
    "bargeins": "python -m bench.bargeins --count 500 --seed 1",
    "isolation": "python -m bench.isolation",
}


def block(name: str, printed: str, day: datetime.date) -> str:
    """What stands between the marks of `name`."""
    is_table = printed.startswith("| ")
    text = printed.rstrip() if is_table else f"```\n{printed.rstrip()}\n```"
    return f"`{COMMANDS[name]}`, {day.isoformat()}:\n\n{text}"


def put(page: str, name: str, text: str) -> str:
    """The page with another block. Raises LookupError when it has no such marks."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
    if not marks.search(page):
        raise LookupError(name)
    return marks.sub(lambda found: found[1] + text + found[2], page)


def printed_by(name: str) -> tuple[str, int]:
    """Output and exit code of the command, with the programs of this environment."""
    program, *arguments = shlex.split(COMMANDS[name])
    made = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return made.stdout, made.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="what it printed before")
    parser.add_argument("names", nargs="+", choices=COMMANDS)
    given = parser.parse_args()
    worst = 0
    for name in given.names:
        day = datetime.datetime.now(datetime.UTC).date()
        printed, code = (given.source.read_text(), 0) if given.source else printed_by(name)
        if printed.strip():
            PAGE.write_text(put(PAGE.read_text(), name, block(name, printed, day)))
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
