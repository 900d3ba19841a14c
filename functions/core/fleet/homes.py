"""Where relays live: the launcher of each home."""

from __future__ import annotations

from collections.abc import Mapping

from functions.core.fleet.ecs_launcher import EcsLauncher
from functions.core.fleet.microvms import MicrovmLauncher
from functions.core.runtime import aws
from functions.core.runtime.config import RelayConfig
from functions.core.runtime.ports import Launched, Launcher, LaunchFailed
from records.relays import Relay
from records.start_failures import Cause
from records.start_times import Home

GONE = Cause("this deployment has no such relays any more")


class HomeLauncher:
    """Starts each relay in its own home."""

    def __init__(self, launchers: Mapping[Home, Launcher]) -> None:
        self._launchers = launchers

    def launch(self, relay: Relay) -> Launched | None:
        launcher = self._launchers.get(relay.home)
        if launcher is None:  # a deployment has given up that home meanwhile
            raise LaunchFailed(GONE)
        return launcher.launch(relay)


def launchers(config: RelayConfig) -> HomeLauncher:
    """Launchers of the homes that this deployment has."""
    made: dict[Home, Launcher] = {}
    if config.task:
        made["fargate"] = EcsLauncher(aws.client("ecs"), config.task, config.resume_s)
    if config.microvm:
        vms = aws.client("lambda-microvms")
        made["microvm"] = MicrovmLauncher(vms, config.microvm, config.resume_s)
    return HomeLauncher(made)
