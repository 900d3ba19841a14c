"""Writes docs/bundles.md from what `sam build` made: `python -m infra.deploy.sizes`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from infra.deploy.bundle import BUNDLES, PYTHON, ROOT, TARGET

BUILT = ROOT / ".aws-sam" / "build"
TABLE = ROOT / "docs" / "bundles.md"
LARGEST = 4  #: parts that are named of each bundle

_HEAD = f"""# What is deployed, and how large it is

Made by `make aws-bundles` from a real `sam build`: wheels for {TARGET}, Python {PYTHON}, compiled.
*Zipped* is what Lambda loads at a cold start and a relay task fetches.

| bundle | for | zipped | unpacked | files | most of it |
|---|---|---|---|---|---|
"""
_FOOT = """
Each holds the modules that its entry points import and the packages of its lock; of botocore, the models of
the services it calls. google-auth is in `mint` only, awscrt (for the edge's key store) in `keys` only.
"""


def files(place: Path) -> Iterator[Path]:
    return (path for path in sorted(place.rglob("*")) if path.is_file())


def zipped(place: Path) -> int:
    """Bytes of the contents once deflated, which is what a zip has but for its headers."""
    return sum(len(zlib.compress(path.read_bytes(), 6)) for path in files(place))


def row(name: str, built: Path) -> str:
    """One bundle's line of the table."""
    bundle = BUNDLES[name]
    place = built / bundle.functions[0] / bundle.below
    parts = {
        part.name: sum(f.stat().st_size for f in ([part] if part.is_file() else files(part)))
        for part in place.iterdir()
    }
    largest = sorted(parts, key=lambda part: -parts[part])[:LARGEST]
    told = ", ".join(f"{part} {_mb(parts[part])}" for part in largest if parts[part] > 1e5)
    users = ", ".join(bundle.functions)
    count = sum(1 for _ in files(place))
    return f"| {name} | {users} | {_mb(zipped(place))} | {_mb(sum(parts.values()))} | {count} | {told} |\n"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size > 5e4 else f"{size / 1e3:.0f} KB"


def table(built: Path = BUILT) -> str:
    """The whole page."""
    return _HEAD + "".join(row(name, built) for name in BUNDLES) + _FOOT


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
