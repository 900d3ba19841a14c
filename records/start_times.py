"""How long relays take to start, by what they live in: measured and smoothed, for the ETA of who waits."""

from __future__ import annotations

from typing import Literal

from records.table import Key, Table

Home = Literal["fargate", "microvm"]  #: what a relay lives in: a task of ECS, or a Lambda MicroVM

#: expected start while none has been measured (docs/sources.md#microvms for the second)
DEFAULT_MS: dict[Home, int] = {"fargate": 30_000, "microvm": 3_000}
SMOOTHING = 8  #: each start moves the expected duration by an eighth of the difference


def expect(table: Table, home: Home, took_ms: int) -> None:
    """Set the expected duration of a start, where it is known before the first one."""
    table.put(key(home), {"mean_ms": took_ms})


def learn(table: Table, home: Home, took_ms: int) -> None:
    """Update the smoothed mean. Two relays that become ready at once may lose one sample."""
    known = (table.get(key(home)) or {}).get("mean_ms")
    mean_ms = took_ms if known is None else known + (took_ms - known) // SMOOTHING
    expect(table, home, mean_ms)


def eta_ms(table: Table, home: Home, started_at: int, now: int) -> int:
    """Expected ms until a relay that starts since `started_at` (epoch s) is ready, at least a second."""
    mean_ms = (table.get(key(home)) or {}).get("mean_ms", DEFAULT_MS[home])
    return max(1000, int(mean_ms) - (now - started_at) * 1000)


def key(home: Home) -> Key:
    """Where both the duration of starts and their failures lie."""
    return Key("RELAYSTART" if home == "fargate" else f"RELAYSTART#{home}")
