"""Build hook: takes the protocol's modules along, from their own room of the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Protocol(BuildHookInterface[BuilderConfig]):
    """Build step that replaces every file of vivavoce/_protocol by the file of that name in protocol/."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Names the files, which win over the project's own. An unpacked sdist holds them already."""
        project = Path(self.root)
        if version == "editable" or (project / "PKG-INFO").is_file():
            return
        room = project.parents[1] / "protocol"
        for file in (project / "vivavoce" / "_protocol").glob("*.py"):
            build_data["force_include"][str(room / file.name)] = f"vivavoce/_protocol/{file.name}"
