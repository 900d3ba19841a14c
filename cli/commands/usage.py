"""What was used and what it cost, by day, user or agent."""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from records.budgets import Used

DAYS = 7
LONGEST_DAYS = 100  #: the table keeps no more
DAY_S = 86_400


@dataclass
class Row:
    """Sums of one day, user or agent. Money is micro-dollars."""

    name: str
    sessions: int = 0
    connected_ms: int = 0
    reported: int = 0  #: by the model's own figures
    estimated: int = 0  #: what it did not tell

    @property
    def model(self) -> int:
        return self.reported + self.estimated

    def add(self, used: Used) -> None:
        self.sessions += used.sessions
        self.connected_ms += used.spent.connected_ms
        self.reported += used.spent.reported
        self.estimated += used.spent.estimated

    def aws(self) -> int:
        """About what AWS takes for it, by list prices, if every session wakes a relay of its own."""
        from infra.cost.model import Usage, monthly, read_prices

        if not self.sessions or not self.connected_ms:
            return 0
        hours = self.connected_ms / 3_600_000
        bill = monthly(Usage(hours, call_minutes=hours * 60 / self.sessions), "edge", read_prices())
        return round(1e6 * sum(cost for name, cost in bill.items() if name not in ("Gemini", "Sweep")))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", metavar="NAME", required=True, help="a deployed stack")
    parser.add_argument("--region", help="of the stack (default: the shell's)")
    parser.add_argument("--by", choices=("day", "user", "agent"), default="day", help="default: day")
    parser.add_argument("--days", type=int, default=DAYS, metavar="N", help=f"today and before ({DAYS})")
    parser.add_argument("--json", action="store_true", help="print one JSON object, money in micro-dollars")


def run(args: argparse.Namespace) -> int:
    """Raises Failure: no stack, no rights, days that are none."""
    if not 1 <= args.days <= LONGEST_DAYS:
        raise Failure(f"--days is not 1 to {LONGEST_DAYS}.", code=USAGE)
    rows = summed(_read(args.stack, args.region, args.days), args.by)
    if args.json:
        print(json.dumps({"by": args.by, "rows": [_plain(row) for row in rows]}))
    elif not rows:
        print("Nothing was used.")
    else:
        print(_table(rows, args.by))
    return 0


def summed(used: Iterable[Used], by: str) -> list[Row]:
    """A row for each day in order, or for each user or agent, the dearest first."""
    rows: dict[str, Row] = {}
    for each in used:
        name = _date(each.day) if by == "day" else each.user if by == "user" else each.agent
        rows.setdefault(name, Row(name)).add(each)
    if by == "day":
        return sorted(rows.values(), key=lambda row: row.name)
    return sorted(rows.values(), key=lambda row: -row.model)


def _read(stack: str, region: str | None, days: int) -> list[Used]:
    from botocore.exceptions import BotoCoreError, ClientError

    from cli.stack.deployed import aws_client, find_deployment
    from records import budgets
    from records.table import StoreError, Table

    deployment = find_deployment(stack, region)
    today = int(time.time()) // DAY_S
    try:
        table = Table(aws_client("dynamodb", region), deployment.table)
        return [used for day in range(today - days + 1, today + 1) for used in budgets.of_day(table, day)]
    except (StoreError, ClientError, BotoCoreError) as error:
        what = f"the table could not be read ({type(error).__name__})."
        raise Failure(what, "Check the credentials, then try again.") from None


def _date(day: int) -> str:
    return datetime.datetime.fromtimestamp(day * DAY_S, datetime.UTC).date().isoformat()


def _plain(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "sessions": row.sessions,
        "connected_ms": row.connected_ms,
        "model_micro_usd": row.model,
        "of_it_estimated": row.estimated,
        "aws_micro_usd": row.aws(),
    }


def _table(rows: list[Row], by: str) -> str:
    from infra.cost.table import as_text

    heading = [by, "sessions", "minutes", "model $", "of it estimated", "AWS $, about"]
    body = [
        [
            row.name,
            f"{row.sessions:,}",
            f"{row.connected_ms / 60_000:,.1f}",
            _dollars(row.model),
            _dollars(row.estimated),
            _dollars(row.aws()),
        ]
        for row in rows
    ]
    return as_text([heading, *body])


def _dollars(micro_usd: int) -> str:
    """Rounded up to a hundredth of a cent: from whole numbers, so that nothing is lost on the way."""
    hundredths = -(-micro_usd // 100)
    return f"{hundredths // 10_000:,}.{hundredths % 10_000:04d}"
