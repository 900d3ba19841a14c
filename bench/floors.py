"""How soon somebody could speak if nothing of ours took any time: sums of published times of AWS and Google.

python -m bench.floors --draws 100000 --seed 1

Draws from cold_starts.yaml, times.yaml (infra/local) and model_times.yaml, as bench/first_word.py does. A
goal below such a sum cannot be met by work on this repository. Takes a few seconds.
"""

from __future__ import annotations

import argparse
import random

import yaml

from bench.first_word import MODEL_TIMES
from bench.waits import quantile_of
from infra.local.cold_starts import ColdStarts
from infra.local.microvm.times import Change, Times, quantile_s

SESSION_HELLOS = 0.18 / 0.046  #: CPU time of `session`'s start in those of an empty function (decision 0037)
ROWS: tuple[tuple[str, Change, bool], ...] = (
    ("MicroVM's launch, model's setup, first audio", "launch", False),
    ("the same after the start of one function", "launch", True),
    ("wake, model's setup, first audio", "wake", False),
    ("the same after the start of one function", "wake", True),
)


def sums_s(change: Change, starts_function: bool, draws: int, chance: random.Random) -> list[float]:
    """Seconds from the click to the first audio, in a row."""
    model = yaml.safe_load(MODEL_TIMES.read_text("utf-8"))
    vms, functions = Times(1.0, chance), ColdStarts(1.0, chance)
    return [
        vms.draw_s(change)
        + sum(quantile_s(model[name]["quantiles"], chance.random()) for name in ("setup_s", "first_audio_s"))
        + (functions.function_s(SESSION_HELLOS) if starts_function else 0.0)
        for _ in range(draws)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=100_000, help="of each row; %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="%(default)s")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    print("| in a row | p50 | p95 |\n|---|---|---|")
    for title, change, starts_function in ROWS:
        drawn = sums_s(change, starts_function, given.draws, chance)
        print(f"| {title} | {quantile_of(drawn, 0.5):.2f} s | {quantile_of(drawn, 0.95):.1f} s |")


if __name__ == "__main__":
    main()
