"""Probes by name: each reads one fact off the recording of a first contact; None where it does not tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gemini.contact.probes import doors, meaning, speech, tools, turns
from gemini.contact.recording import Recording

Probe = Callable[..., Any]

PROBES: Mapping[str, Probe] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": probe
    for module in (doors, meaning, speech, tools, turns)
    for name, probe in vars(module).items()
    if callable(probe) and getattr(probe, "__module__", "") == module.__name__ and not name.startswith("_")
}


def probe(name: str, recording: Recording, arguments: Mapping[str, str]) -> Any:
    """What the probe of that name sees."""
    return PROBES[name](recording, **arguments)
