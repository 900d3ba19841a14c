"""Remedies for a failed step of `doctor`: the table is remedies.yaml."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("remedies.yaml")
ANY_STEP, ELSE = "any step", "else"


@functools.cache
def remedies() -> Mapping[str, Mapping[str, str]]:
    """Advice by step and code."""
    table: dict[str, dict[str, str]] = yaml.safe_load(TABLE.read_text("utf-8"))
    return table


def remedy(step: str, code: str) -> str:
    """Return what to do when `step` failed for the reason `code`."""
    table = remedies()
    own, common = table.get(step, {}), table[ANY_STEP]
    return own.get(code) or common.get(code) or own.get(ELSE) or common[ELSE]
