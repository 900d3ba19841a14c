"""The monthly bill, from session-hours. Every assumption is a field of `Usage` with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from functions.core.runtime.settings import SETTINGS
from protocol.media import Tokens

PRICES = Path(__file__).with_name("prices.yaml")
HOURS = 730.0  #: in a month
TOKENS_PER_S = 25  #: of audio, in and out (docs/sources.md#gemini-usage)
METRICS = 12  #: of ours that have data in an hour with calls: three always, and what happens
START_MINUTES = 0.75  #: a task is billed from the pull of its image
LOG_KB = 25.0  #: of one session: its functions' lines and Lambda's own, a line for each turn
Ingress = Literal["edge", "alb"]
Home = Literal["fargate", "both", "microvm"]
Prepares = Literal["nothing", "sleeping", "microvm", "task"]


@dataclass(frozen=True, slots=True)
class Vms:
    """How MicroVMs are used, where there are any."""

    home: Home = "fargate"  #: RelayHomes
    sleeping: int = 0  #: SleepingRelays
    prepares: Prepares = "sleeping"  #: PrepareRelays
    capacity: int = int(SETTINGS["MicrovmCapacity"].default)  #: calls of one
    idle_minutes: float = 1.5  #: one without calls waits this long
    snapshot_gb: float = 1.0  #: memory, and what is written to the disk


NO_VMS = Vms()


@dataclass(frozen=True, slots=True)
class Usage:
    """How people talk, and how the deployment is set."""

    session_hours: float
    call_minutes: float = 5.0  #: mean length of a session
    pages: float = 3.0  #: that connect for each that then calls: a prepared page, opened and left
    agent_share: float = 0.5  #: of the time in which the agent speaks
    turn_s: float = 20.0  #: one exchange: question and answer
    trigger_tokens: int = 25_000  #: context compression begins, as our agents have it
    target_tokens: int = 8_000  #: and cuts the context to this
    capacity: int = int(SETTINGS["RelayCapacity"].default)  #: calls of one relay
    fill: float = 0.5  #: of that, on average, when there is enough to do
    idle_minutes: float = int(SETTINGS["IdleSeconds"].default) / 60  #: a relay without calls waits this long
    vcpu: float = 0.25
    memory_gb: float = 0.5
    warm_relays: int = 0  #: kept up whether or not somebody talks
    vms: Vms = NO_VMS

    @property
    def sessions(self) -> float:
        return self.session_hours * 60 / self.call_minutes

    @property
    def idle_pages(self) -> float:
        """Connections of which no call came."""
        return self.sessions * max(0.0, self.pages - 1)

    @property
    def warm_ups(self) -> float:
        """At most one a minute, however many connect."""
        return min(self.sessions + self.idle_pages, HOURS * 60)


def read_prices(path: Path = PRICES) -> dict[str, Any]:
    prices: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return prices


def vm_share(usage: Usage) -> float:
    """Share of the time in which calls are in MicroVMs: with `both`, while one of them would take them all.

    Calls are taken to come independently of each other, so that their number is Poisson's.
    """
    if usage.vms.home != "both":
        return float(usage.vms.home == "microvm")
    mean = usage.session_hours / HOURS
    return sum(
        math.exp(-mean) * mean**count / math.factorial(count) for count in range(usage.vms.capacity + 1)
    )


def relay_hours(usage: Usage) -> float:
    """Hours of relay tasks; warm ones run all the time."""
    hours = (1 - vm_share(usage)) * _hours(usage, usage.capacity, usage.idle_minutes + START_MINUTES)
    return max(hours, usage.warm_relays * HOURS)


def vm_hours(usage: Usage) -> float:
    """Hours of MicroVMs that are awake for calls."""
    return vm_share(usage) * _hours(usage, usage.vms.capacity, usage.vms.idle_minutes)


def _hours(usage: Usage, capacity: int, around_minutes: float) -> float:
    """Few sessions: each wakes a relay of its own, up to one that never sleeps.

    Many: as many relays as the calls fill. The larger of these, so that the estimate errs upwards.
    """
    alone = min(usage.sessions * (usage.call_minutes + around_minutes) / 60, HOURS)
    return max(alone, usage.session_hours / (capacity * usage.fill))


def monthly(usage: Usage, ingress: Ingress, prices: Mapping[str, Any]) -> dict[str, float]:
    """Dollars a month by service. Free tiers that end after a year are left out, and Lambda's, which a whole
    account shares; CloudFront's is in."""
    return {
        "API Gateway": _gateway(usage, prices["api_gateway"]),
        "Lambda": _functions(usage, prices["lambda"]),
        "DynamoDB": _table(usage, prices["dynamodb"]),
        "Sweep": _sweep(prices),
        "Fargate": _relays(usage, prices["fargate"]),
        "MicroVMs": _machines(usage, prices["microvm"]),
        "CloudFront": _edge(usage, prices["cloudfront"]),
        "CloudWatch": _watching(usage, prices["cloudwatch"]),
        "Load balancer": _balancer(usage, prices["alb"]) if ingress == "alb" else 0.0,
        "Gemini": usage.sessions * gemini_call(usage, prices["gemini"]),
    }


def _gateway(usage: Usage, price: Mapping[str, float]) -> float:
    messages, minutes = 8.0, 1.0  # of a session: start, three replies, a resume or end; control closes early
    connected = (usage.sessions + usage.idle_pages) * minutes
    return (
        usage.sessions * messages * price["million_messages"]
        + connected * price["million_connection_minutes"]
    ) / 1e6


def _functions(usage: Usage, price: Mapping[str, float]) -> float:
    requests, gb_s = 6.0, 1.2  # connect, disconnect, session twice, mint, and its cold start now and then
    calls = usage.sessions * (requests * price["million_requests"] / 1e6 + gb_s * price["gb_second"])
    # A page that is left: connect and disconnect. A warm-up: session and mint (1.73 GB each) for 0.6 s
    # each, as if each started anew, which is billed.
    left = usage.idle_pages * (2 * price["million_requests"] / 1e6 + 0.1 * price["gb_second"])
    woken = usage.warm_ups * (2 * price["million_requests"] / 1e6 + 2.1 * price["gb_second"])
    return calls + left + woken


def _sweep(prices: Mapping[str, Any]) -> float:
    """One call a minute for ever: Lambda, and what it reads of the table when there is nothing to do."""
    rounds, gb_s, reads = HOURS * 60, 0.25 * 0.15, 2.0  # 256 MB, of which it mostly waits
    function: float = prices["lambda"]["million_requests"] / 1e6 + gb_s * prices["lambda"]["gb_second"]
    read: float = prices["dynamodb"]["million_reads"] / 1e6
    return rounds * (function + reads * read)


def _table(usage: Usage, price: Mapping[str, float]) -> float:
    turns = usage.call_minutes * 60 / usage.turn_s
    writes = 24 + turns * 9  # opening and ending; a turn is two transactions and a handle
    money = 26 + turns * 10  # held at the start and given back; five items are counted on after a turn
    left = usage.idle_pages * 3  # the connection, its end, and whose turn it is to wake functions
    heartbeats = (relay_hours(usage) + vm_hours(usage)) * 720 * 2
    reads = usage.sessions * (30 + turns * 4) + usage.session_hours * 720  # a heartbeat asks for each session
    return (
        (usage.sessions * (writes + money) + left + heartbeats) * price["million_writes"]
        + reads * price["million_reads"]
    ) / 1e6


def _relays(usage: Usage, price: Mapping[str, float]) -> float:
    hour = usage.vcpu * price["vcpu_hour"] + usage.memory_gb * price["gb_hour"] + price["ipv4_hour"]
    return relay_hours(usage) * hour


def _machines(usage: Usage, price: Mapping[str, float]) -> float:
    """MicroVMs: awake, launched, asleep, for nobody; and what they send, which no CloudFront carries."""
    if usage.vms.home == "fargate":
        return 0.0
    second = usage.vcpu * price["vcpu_second"] + usage.memory_gb * price["gb_second"]
    launches = min(usage.sessions * vm_share(usage), vm_hours(usage) * 60 / usage.vms.idle_minutes)
    # A sleeper is made anew three times a day, and awake for 90 s until the sweep suspends it.
    asleep = usage.vms.sleeping * 3 * HOURS / 24 * (2 * price["snapshot"] + 90 * second)
    stored = (1 + usage.vms.sleeping) * usage.vms.snapshot_gb * price["gb_month"]
    out_gb = usage.session_hours * vm_share(usage) * 3600 * 48_000 * usage.agent_share / 1e9
    carried = max(0.0, out_gb - price["free_gb_out"]) * price["gb_out"]
    awake = vm_hours(usage) * 3600 * second + launches * price["snapshot"]
    return awake + _for_nobody(usage, price) + asleep + stored + carried


def _for_nobody(usage: Usage, price: Mapping[str, float]) -> float:
    """MicroVMs that an opened page has launched or woken, and no call took, while none was up for calls."""
    wakes = usage.vms.sleeping and usage.vms.prepares == "sleeping"
    if not (wakes or usage.vms.prepares in ("microvm", "task")):
        return 0.0
    second = usage.vcpu * price["vcpu_second"] + usage.memory_gb * price["gb_second"]
    up = usage.session_hours * (1 + usage.vms.idle_minutes / usage.call_minutes) / HOURS  # on average
    times = min(usage.idle_pages * vm_share(usage) * math.exp(-up), HOURS * 60 / usage.vms.idle_minutes)
    return times * ((2 if wakes else 1) * price["snapshot"] + usage.vms.idle_minutes * 60 * second)


def _edge(usage: Usage, price: Mapping[str, float]) -> float:
    share = 1 - vm_share(usage)
    down_gb = usage.session_hours * share * 3600 * 48_000 * usage.agent_share / 1e9
    up_gb = usage.session_hours * share * 3600 * 32_000 / 1e9
    carried = max(0.0, down_gb - price["free_gb_out"]) * price["gb_out"] + up_gb * price["gb_to_origin"]
    requests = (
        usage.sessions * share * (price["ten_thousand_requests"] / 1e4 + price["million_function_runs"] / 1e6)
    )
    return carried + requests


def _watching(usage: Usage, price: Mapping[str, float]) -> float:
    """Metrics by the hour in which they have data, above those that are free in every account; and logs.

    Alarms and dashboard are within what is free. The sweep logs two lines of Lambda's a minute.
    """
    paid = max(0.0, METRICS - price["free_metrics"]) * price["metric_month"]
    hours = min(HOURS, max(relay_hours(usage), min(usage.sessions, HOURS)))
    sweep_gb = HOURS * 60 * 0.9e3 / 1e9
    gb = sweep_gb + usage.sessions * LOG_KB * 1e3 / 1e9
    return (paid * hours / HOURS if usage.sessions else 0.0) + gb * price["gb_logs"]


def _balancer(usage: Usage, price: Mapping[str, float]) -> float:
    gb = usage.session_hours * 3600 * (32_000 + 48_000 * usage.agent_share) / 1e9
    return HOURS * price["hour"] + gb * price["lcu_hour"]  # an LCU-hour carries 1 GB


def tokens(used: Tokens, price: Mapping[str, float]) -> float:
    """Dollars of what a session's record counts. What the model does not say the kind of is priced as text.

    What was read before has no discount at this model, so that `cached` changes nothing.
    """
    read = used.input_text + used.input_audio + used.input_image + used.tool_use
    written = used.output_text + used.output_audio + used.thoughts
    unknown = max(0, used.total - read - written)
    dollars = (
        (used.input_text + used.tool_use + unknown) * price["million_text_in"]
        + used.input_audio * price["million_audio_in"]
        + used.input_image * price["million_image_in"]
        + (used.output_text + used.thoughts) * price["million_text_out"]
        + used.output_audio * price["million_audio_out"]
    )
    return dollars / 1e6


def minute_elsewhere(other: Mapping[str, Any], usage: Usage) -> float | None:
    """Dollars of carrying a minute with somebody else, at any number of hours. None: not known."""
    if "vcpu_hour" not in other:
        return None if other["minute"] is None else float(other["minute"])
    held = other["used_vcpu"] * other["vcpu_hour"] + other["held_gb"] * other["gb_hour"]
    return float(held / 60 + 60 * 48_000 * usage.agent_share / 1e9 * other["gb_out"])


def gemini_call(usage: Usage, price: Mapping[str, float]) -> float:
    """One session at the model. Every turn bills the whole context again, until compression cuts it."""
    spoken = usage.turn_s * TOKENS_PER_S
    answer = spoken * usage.agent_share
    context = dollars = 0.0
    for _ in range(round(usage.call_minutes * 60 / usage.turn_s)):
        context += spoken
        if context > usage.trigger_tokens:
            context = float(usage.target_tokens)
        dollars += (context * price["million_audio_in"] + answer * price["million_audio_out"]) / 1e6
    return dollars
