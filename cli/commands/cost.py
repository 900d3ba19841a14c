"""Monthly cost of a deployment, by service, for a number of hours of conversation."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace

from cli.failure import USAGE, Failure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hours",
        type=float,
        action="append",
        help="session-hours a month (may be repeated; default: 0 to 10,000)",
    )
    parser.add_argument(
        "--ingress", choices=("edge", "alb"), default="edge", help="MediaIngress (default: edge)"
    )
    parser.add_argument("--warm", type=int, default=0, metavar="N", help="WarmRelays (default: 0)")
    parser.add_argument(
        "--home",
        choices=("fargate", "both", "microvm"),
        default="fargate",
        help="RelayHomes (default: fargate)",
    )
    parser.add_argument("--sleeping", type=int, default=0, metavar="N", help="SleepingRelays (default: 0)")
    parser.add_argument(
        "--prepare",
        choices=("nothing", "sleeping", "microvm", "task"),
        default="sleeping",
        help="PrepareRelays (default: sleeping)",
    )
    parser.add_argument(
        "--pages", type=float, default=3.0, metavar="N", help="pages opened for each that calls (default: 3)"
    )
    parser.add_argument(
        "--beside", action="store_true", help="dollars a minute of every home, beside what others are paid"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Raises Failure for hours that are none."""
    from infra.cost.model import Usage, Vms, monthly, read_prices
    from infra.cost.table import BESIDE, HOURS, as_text, beside, rows

    hours = tuple(args.hours or HOURS)
    if not all(math.isfinite(each) and each >= 0 for each in hours):
        raise Failure("--hours is not a number of hours.", code=USAGE)
    for name in ("warm", "sleeping"):
        if getattr(args, name) < 0:
            raise Failure(f"--{name} is not a number of relays.", code=USAGE)
    if not (math.isfinite(args.pages) and args.pages >= 1):
        raise Failure("--pages is not a number of pages, 1 or more.", code=USAGE)
    prices = read_prices()
    vms = Vms(args.home, args.sleeping, args.prepare)
    setup = Usage(0, pages=args.pages, warm_relays=args.warm, vms=vms)
    if args.beside:
        table = beside(prices, args.hours or BESIDE)
        print(json.dumps(table) if args.json else as_text(table))
        return 0
    if args.json:
        bills = {
            f"{each:g}": monthly(replace(setup, session_hours=each), args.ingress, prices) for each in hours
        }
        print(json.dumps({"as_of": str(prices["as_of"]), "ingress": args.ingress, "dollars": bills}))
        return 0
    print(as_text(rows(hours, args.ingress, prices, setup)))
    print(f"\nprices of {prices['as_of']}, {prices['region']}; what is assumed: docs/cost.md")
    return 0
