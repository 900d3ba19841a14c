"""The bill as a table, for the terminal and for docs/cost.md (`python -m infra.cost.table` writes it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.cost.model import Home, Ingress, Usage, Vms, monthly, read_prices

DOC = Path(__file__).resolve().parents[2] / "docs/cost.md"
HOURS = (0, 10, 100, 1_000, 10_000)  #: session-hours a month
INGRESSES: tuple[Ingress, ...] = ("edge", "alb")
AS_DEPLOYED = Usage(0)
MICROVMS: tuple[tuple[Home, int], ...] = (("both", 0), ("both", 1), ("microvm", 0))


def rows(
    hours: Sequence[float], ingress: Ingress, prices: Mapping[str, Any], setup: Usage = AS_DEPLOYED
) -> list[list[str]]:
    """A heading, a row for each service that costs anything, and the totals. `setup` is for any hours."""
    bills = [monthly(replace(setup, session_hours=each), ingress, prices) for each in hours]
    own = [sum(bill.values()) - bill["Gemini"] for bill in bills]
    table = [["dollars a month", *(f"{each:,g} h" for each in hours)]]
    table += [
        [service, *(money(bill[service]) for bill in bills)]
        for service in bills[0]
        if any(bill[service] for bill in bills)
    ]
    table.append(["AWS", *map(money, own)])
    table.append(["AWS, a minute", *(_minute(cost, each) for cost, each in zip(own, hours, strict=True))])
    table.append(["All", *(money(sum(bill.values())) for bill in bills)])
    return table


def money(dollars: float) -> str:
    return "0" if dollars == 0 else f"{dollars:,.2f}" if dollars >= 0.005 else "<0.01"


def _minute(dollars: float, hours: float) -> str:
    return f"{dollars / hours / 60:.5f}" if hours else ""


def as_text(table: list[list[str]]) -> str:
    """Columns of equal width."""
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)


def as_markdown(table: list[list[str]]) -> str:
    head, *body = table
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def document() -> str:
    """docs/cost.md, whole."""
    prices = read_prices()
    parts = [_OPENING.format(as_of=prices["as_of"], region=prices["region"])]
    parts += [f"## `MediaIngress: {each}`\n\n{as_markdown(rows(HOURS, each, prices))}" for each in INGRESSES]
    parts += [
        f"## `RelayHomes: {home}`, `SleepingRelays: {asleep}`\n\n"
        + as_markdown(rows(HOURS, "edge", prices, Usage(0, vms=Vms(home, asleep))))
        for home, asleep in MICROVMS
    ]
    others = [["for carrying a minute, without the model", "dollars", "source"]]
    for other in prices["others"]:
        price = "not verified" if other["minute"] is None else f"{other['minute']:.5f}"
        others.append([other["name"], price, other["source"]])
    parts.append(f"## What others publish\n\n{as_markdown(others)}")
    return "\n\n".join(parts) + "\n"


_OPENING = """# What it costs

Made by `python -m infra.cost.table` from infra/cost/prices.yaml ({region}, {as_of}) and the assumptions in
infra/cost/model.py: calls of five minutes, an exchange every 20 s of which the agent speaks half, relays of
a quarter vCPU that take 40 calls and wait five minutes before they end. `vivavoce cost` prints it for your
own numbers.

When nobody talks, one thing runs: the sweep, a call a minute (43,800 a month), which finds what died
silently. It is inside Lambda's free tier of a million calls, if nothing else uses that up; outside it the
row below is paid ([why it is always on](decisions/0005-the-sweep-is-always-on.md)). `alb` has its load
balancer besides, and a deployment with MicroVMs the 8 cents of its snapshot. A MicroVM is twice as dear as a
task, and takes 3 calls instead of 40; what is paid for is that a caller waits for seconds instead of half a
minute. With `both` calls are in MicroVMs while one would take them all.
`WarmRelays` is 0 here; each one kept warm is the Fargate row of 1,000 hours, 11 dollars
a month. At few hours a relay is mostly waiting; the model is by far the largest part at any scale, and its
context is billed again with every turn: shorter calls and earlier compression save more than any of the
rest. CloudWatch is logs, and metrics above the ten that are free in every account; the stack's alarms and its
dashboard are within what is free. Data transfer of your own pages is not in it."""

if __name__ == "__main__":
    DOC.write_text(document(), "utf-8")
