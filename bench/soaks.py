"""The soak in the dialect of each kind of model, one after the other, and a table of what it found.

python -m bench.soaks --minutes 10 --seed 12 --evidence soaks
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemini.profiles import MODELS, of

ROOT = Path(__file__).resolve().parents[1]
ZERO = {  # column and figure of a tally: none may be above 0
    "questions lost": "unasked",
    "turns lost": "lost",
    "doubled": "doubled",
    "reordered": "reordered",
    "stuck": "stuck",
}
_COLUMNS = ("runs", "went on", "turns", "connections made again", "relays killed", *ZERO, "leaks", "verdict")


def soak(model: str, given: argparse.Namespace) -> None:
    """Soak with one model. What it found is in `given.evidence` then, with the reports of bad runs."""
    folder = given.evidence / of(model).family
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("vivavoce")), "soak", "--json", "--model", model]
    command += ["--minutes", f"{given.minutes:g}", "--sessions", str(given.sessions)]
    command += ["--seed", str(given.seed), "--evidence", str(folder)]
    with (folder / "tally.json").open("wb") as tally:
        subprocess.run(command, stdout=tally, cwd=ROOT, check=False)


def found(folder: Path, model: str) -> dict[str, Any]:
    """The tally of one model's soak; empty when there is none, or it did not come to its end."""
    path = folder / of(model).family / "tally.json"
    held = path.read_text() if path.exists() else ""
    return dict(json.loads(held)) if held.strip() else {}


def verdict(tally: dict[str, Any]) -> str:
    """`ok`, or all that must not be."""
    return "; ".join(tally["failures"]) or "ok" if tally else "no result"


def table(tallies: dict[str, dict[str, Any]]) -> str:
    """One row for each model, as Markdown."""
    lines = [("model", *_COLUMNS), ("---",) * (len(_COLUMNS) + 1)]
    lines += [(f"`{model}`", *_cells(tally)) for model, tally in tallies.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(tally: dict[str, Any]) -> Sequence[str]:
    if not tally:
        return (*("" for _ in _COLUMNS[:-1]), verdict(tally))
    told = (tally["runs"], tally["outcomes"].get("went on", 0), tally["finished"], tally["resumed"])
    killed = tally["incidents"].get("relay killed", 0)
    zero = (tally[name] for name in ZERO.values())
    return (*map(str, (*told, killed, *zero, len(tally["leaks"]))), verdict(tally))


def main() -> int:
    """Exit code 1: a must-be-zero is not zero in one of them, or one has no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each soak (default: 10)")
    parser.add_argument("--sessions", type=int, default=6, help="conversations at a time (default: 6)")
    parser.add_argument("--seed", type=int, default=12, help="of everything random (default: 12)")
    parser.add_argument("--evidence", type=Path, required=True, metavar="FOLDER", help="what was found")
    parser.add_argument("--read", action="store_true", help="run nothing: tell what FOLDER has")
    parser.add_argument("models", nargs="*", help="these only (default: one of each family)")
    given = parser.parse_args()
    models = given.models or MODELS
    for number, model in enumerate([] if given.read else models, 1):
        print(f"{number} of {len(models)}: {model}", file=sys.stderr, flush=True)
        soak(model, given)
    tallies = {model: found(given.evidence, model) for model in models}
    print(table(tallies))
    return int(any(verdict(tally) != "ok" for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
