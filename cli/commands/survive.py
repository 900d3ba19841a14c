"""Play every public failure of Gemini Live to a user, and tell whether they were answered or told.

On this machine: the local stack, the simulator with each failure that others reported, and users who speak.
Each line says what a user heard, and the longest silence from the end of a question to its answer's end.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.failure import FAILED, USAGE, Failure

if TYPE_CHECKING:
    from infra.faults.survival import Result
    from simulator.failures.catalogue import Failure as PublicFailure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit code 1: a question was neither answered, nor was it told that there is no answer."
    parser.add_argument("--only", action="append", metavar="NAME", help="this failure; may be given again")
    parser.add_argument("--list", action="store_true", help="print the failures and where they were reported")
    parser.add_argument("--seed", type=int, help="of everything random (default: a new one, printed)")
    parser.add_argument(
        "--evidence", type=Path, metavar="FOLDER", help="keep logs and the model's ledger there (words, too)"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/reliability.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")


def run(args: argparse.Namespace) -> int:
    """Play them. Raises Failure when a user was left in silence."""
    from simulator.failures import catalogue

    failures = _chosen(catalogue.load(), args.only)
    if args.list:
        for failure in failures:
            print(f"{failure.name}: {failure.what}\n    " + "\n    ".join(failure.urls))
        return 0
    if args.evidence and not args.evidence.is_dir():
        raise Failure(f"{args.evidence} is no folder.", "Make it first.", USAGE)
    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    print(f"seed {seed}; starting the stack…", file=sys.stderr, flush=True)
    results = _play(failures, seed, args.evidence)
    _report(results, args)
    if lost := [result.failure.name for result in results if not result.is_survived]:
        advice = f"Repeat it with --only {lost[0]} --seed {seed} --evidence FOLDER."
        raise Failure(f"not survived: {', '.join(lost)}.", advice, FAILED)
    return 0


def _chosen(known: dict[str, PublicFailure], only: list[str] | None) -> list[PublicFailure]:
    if unknown := [name for name in only or [] if name not in known]:
        raise Failure(f"there is no failure {unknown[0]!r}.", "--list prints all.", USAGE)
    return [failure for name, failure in known.items() if not only or name in only]


def _play(failures: list[PublicFailure], seed: int, evidence: Path | None) -> list[Result]:
    import asyncio

    from infra.faults.leak_check import silent_logs
    from infra.faults.survival import Survival

    with silent_logs():
        return asyncio.run(Survival(failures, seed, _say, evidence).run())


def _say(result: Result) -> None:
    from infra.faults.survival_table import line

    print(line(result), file=sys.stderr, flush=True)


def _report(results: list[Result], args: argparse.Namespace) -> None:
    from infra.faults import survival_table

    if args.json:
        print(json.dumps([_row(result) for result in results]))
    elif args.markdown:
        print(survival_table.markdown(results))
    else:
        print("\n".join(survival_table.summary(results)))


def _row(result: Result) -> dict[str, object]:
    return {
        "name": result.failure.name,
        "urls": result.failure.urls,
        "end": result.end,
        "codes": result.codes,
        "silence_s": round(result.silence_s, 2),
        "own_s": result.failure.own_s,
        "survived": result.is_survived,
    }
