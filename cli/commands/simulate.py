"""Gemini Live, simulated on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the simulator has a command line of its own."""


def run(arguments: Sequence[str]) -> int:
    """Hand over to the simulator."""
    from simulator.__main__ import main

    return main(arguments)
