"""Try the whole system on this machine under random faults.

Conversations through the real local stack, with faulty links, killed relays and jumping clocks. Every turn
whose end a client got must be stored, once and in order.
"""

from __future__ import annotations

import argparse
import json
import math
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.failure import FAILED, USAGE, Failure

if TYPE_CHECKING:
    from infra.faults.tally import Tally

MINUTES = 5.0
SESSIONS = 6
MOST_SESSIONS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit code 1: something was lost, doubled, reordered, stuck or leaked, or a client was refused."
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default: {MINUTES:g})")
    parser.add_argument(
        "--sessions", type=int, default=SESSIONS, help=f"conversations at a time (default: {SESSIONS})"
    )
    parser.add_argument("--seed", type=int, help="of everything random (default: a new one, printed)")
    parser.add_argument("--runs", type=int, default=0, help="end after so many (default: no limit)")
    parser.add_argument(
        "--each",
        type=int,
        default=0,
        help="fail unless every fault acted so often on each link",
    )
    parser.add_argument(
        "--model", default="", metavar="NAME", help="talk to this model, not to the agents' own"
    )
    parser.add_argument(
        "--homes", choices=("fargate", "microvm", "both"), default="fargate", help="of the relays"
    )
    parser.add_argument(
        "--suspension",
        choices=("resets", "hangs", "holds"),
        default="resets",
        help="what is seen of a MicroVM suspended under a call (default: its connections reset)",
    )
    parser.add_argument("--no-kills", action="store_true", help="kill no process: judges relay memory")
    parser.add_argument(
        "--evidence", type=Path, metavar="FOLDER", help="keep there what is known of bad runs (words, too)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")


def run(args: argparse.Namespace) -> int:
    """Soak, then report. Raises Failure when a must-be-zero is not."""
    _check(args)
    import asyncio
    import logging

    from infra.faults.soak import Soak, Terms

    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # broken lines are the point

    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    print(f"seed {seed}; starting the stack…", file=sys.stderr, flush=True)
    terms = Terms(
        args.minutes,
        args.sessions,
        seed,
        args.runs,
        kills=not args.no_kills,
        evidence=args.evidence,
        model=args.model,
        homes=args.homes,
        suspension=args.suspension,
    )
    soak = Soak(terms, _say)
    tally = asyncio.run(soak.run())
    print(json.dumps(tally.as_json(args.each)) if args.json else tally.table())
    for finding in tally.findings:
        print(finding, file=sys.stderr)
    if failures := tally.failures(args.each):
        raise Failure("; ".join(failures) + ".", f"Repeat it with --seed {seed}.", FAILED)
    return 0


def _check(args: argparse.Namespace) -> None:
    if not (math.isfinite(args.minutes) and args.minutes > 0):
        raise Failure("--minutes is not a length of time.", code=USAGE)
    if not 1 <= args.sessions <= MOST_SESSIONS:
        raise Failure(f"--sessions is not between 1 and {MOST_SESSIONS}.", code=USAGE)
    if args.evidence and not args.evidence.is_dir():
        raise Failure(f"{args.evidence} is no folder.", "Make it first.", USAGE)
    for name in ("runs", "each", "seed"):
        if (value := getattr(args, name)) is not None and value < 0:
            raise Failure(f"--{name} is below 0.", code=USAGE)


def _say(tally: Tally) -> None:
    print(f"  {tally.progress()}", file=sys.stderr, flush=True)
