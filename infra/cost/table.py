"""The bill as a table, for the terminal and for docs/cost.md (`python -m infra.cost.table` writes it)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.cost.model import Home, Ingress, Usage, Vms, minute_elsewhere, monthly, read_prices

DOC = Path(__file__).resolve().parents[2] / "docs/cost.md"
HOURS = (0, 10, 100, 1_000, 10_000)  #: session-hours a month
INGRESSES: tuple[Ingress, ...] = ("edge", "alb")
AS_DEPLOYED = Usage(0)
MICROVMS: tuple[tuple[Home, int], ...] = (("both", 0), ("both", 1), ("microvm", 0))
BESIDE = (1, 10, 100, 1_000, 10_000)  #: hours a month at which homes stand beside what others are paid
SETUPS: tuple[tuple[str, Ingress, Vms], ...] = (
    ("tasks (`fargate`, edge)", "edge", Vms()),
    ("tasks behind a load balancer (`alb`)", "alb", Vms()),
    ("`both`, none asleep", "edge", Vms("both")),
    ("`both`, one asleep", "edge", Vms("both", 1)),
    ("`microvm`, none asleep", "edge", Vms("microvm")),
    ("`microvm`, one asleep", "edge", Vms("microvm", 1)),
    ("`microvm`, `PrepareRelays: microvm`", "edge", Vms("microvm", 0, "microvm")),
)


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


def beside(
    prices: Mapping[str, Any], hours: Sequence[float] = BESIDE, setup: Usage = AS_DEPLOYED
) -> list[list[str]]:
    """Dollars a minute of each home, all of AWS with CloudWatch and without the model, beside others."""
    table = [["dollars a minute", "fixed, a month", *(f"{each:,g} h" for each in hours)]]
    for name, ingress, vms in SETUPS:
        own = [_own(replace(setup, session_hours=each, vms=vms), ingress, prices) for each in (0, *hours)]
        minutes = (_minute(cost, each) for cost, each in zip(own[1:], hours, strict=True))
        table.append([name, f"{own[0]:.2f}", *minutes])
    for other in prices["others"]:
        minute = minute_elsewhere(other, setup)
        told = "not verified" if minute is None else f"{minute:.5f}"
        table.append([other["name"], "", *[told] * len(hours)])
    return table


def free_of(prices: Mapping[str, Any]) -> dict[str, Any]:
    """The prices where Lambda's free tier and that of logs take the sweep: both are for ever."""
    free = {"lambda": dict.fromkeys(prices["lambda"], 0.0)}
    return {**prices, **free, "cloudwatch": {**prices["cloudwatch"], "gb_logs": 0.0}}


def _own(usage: Usage, ingress: Ingress, prices: Mapping[str, Any]) -> float:
    bill = monthly(usage, ingress, prices)
    return sum(bill.values()) - bill["Gemini"]


def picture(prices: Mapping[str, Any]) -> str:
    """The same as a chart in text, on a scale of powers of ten."""
    lines, low, high = [], -5.0, -1.0
    for name, *cells in beside(prices)[1:]:
        lines.append(name.replace("`", ""))
        for hours, cell in zip(BESIDE, cells[1:], strict=True):
            if cell == "not verified":
                lines.append("           not verified")
                break
            filled = round((math.log10(float(cell)) - low) / (high - low) * 48)
            at = f"{hours:,} h" if cell != cells[-1] or len(set(cells[1:])) > 1 else "any"
            lines.append(f"{at:>9}  {'█' * max(1, filled)} {cell}")
            if at == "any":
                break
    return "\n".join(lines)


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
    others = [["for carrying a minute, without the model", "seen", "source"]]
    others += [[other["name"], str(other["seen"]), other["source"]] for other in prices["others"]]
    mine = _own(Usage(0), "edge", free_of(prices))
    parts.append(
        f"{_BESIDE.format(mine=mine)}\n\n{as_markdown(beside(prices))}\n\n"
        f"```text\n{picture(prices)}\n```\n\n{as_markdown(others)}"
    )
    return "\n\n".join(parts) + "\n"


_OPENING = """# What it costs

Made by `python -m infra.cost.table` from infra/cost/prices.yaml ({region}, {as_of}) and the assumptions in
infra/cost/model.py: calls of five minutes, three pages opened for each that calls, an exchange every 20 s of
which the agent speaks half, relays of a quarter vCPU that take 40 calls and wait five minutes before they
end. `vivavoce cost` prints it for your own numbers.

**While nobody talks the bill is not quite nothing**: one to six cents a month with tasks, nine to fourteen
with MicroVMs, the smaller figure within Lambda's free tier and that of logs. One thing runs then: the sweep,
a call a minute (43,800 a month), which finds what died silently. It is inside Lambda's free tier of a million
calls, if nothing else uses that up; outside it the row below is paid
([why it is always on](decisions/0005-the-sweep-is-always-on.md)). `alb` has its load
balancer besides, and a deployment with MicroVMs the 8 cents of its snapshot. A MicroVM is twice as dear as a
task, and takes 3 calls instead of 40; what is paid for is that a caller waits for seconds instead of half a
minute. With `both` calls are in MicroVMs while one would take them all. A page that is opened and left wakes
functions, once a minute for all, and by `PrepareRelays` a MicroVM that sleeps (the default) or one that is
launched, a fifth of a cent each; both are counted.
`WarmRelays` is 0 here; each one kept warm is the Fargate row of 1,000 hours, 11 dollars
a month. At few hours a relay is mostly waiting; the model is by far the largest part at any scale, and its
context is billed again with every turn: shorter calls and earlier compression save more than any of the
rest. CloudWatch is logs, and metrics above the ten that are free in every account; the stack's alarms and its
dashboard are within what is free. Data transfer of your own pages is not in it."""

_BESIDE = """## Beside others

All of AWS, CloudWatch included, without the model; the chart's scale is logarithmic. Nothing runs by
itself but the sweep: with Lambda's free tier and that of logs, which do not end, the fixed part is
{mine:.2f} dollars a month with tasks, and with MicroVMs that and the 8 cents of the image's snapshot, if
`SleepingRelays` is 0. Sources of our prices: [sources](sources.md#prices) and
[there](sources.md#microvms); of others: below, with the day on which they were seen. No price of others
was read from its own price page."""

if __name__ == "__main__":
    DOC.write_text(document(), "utf-8")
