"""Build hook of the application: there is nothing of it to install but the checkout itself."""

from __future__ import annotations

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Application(BuildHookInterface[BuilderConfig]):
    """Lets `make setup` link the checkout into its .venv, and no package be made of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises RuntimeError for every build but an editable one."""
        if version != "editable":
            raise RuntimeError(
                "The application runs from its checkout (`make setup`): the import names of its rooms are too"
                " common for other people's environments. What can be installed is the client: client/python."
            )
