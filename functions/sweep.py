"""Every minute: what died silently is cleared away, and what should be up is kept up."""

from __future__ import annotations

import functools
import os
import time
from typing import Any

from functions.core import aws
from functions.core.config import SweepConfig
from functions.core.entry import guarded
from functions.core.launcher import EcsLauncher
from functions.core.ports import SweepPorts
from functions.core.replies import Replies
from functions.core.sweep import sweep
from functions.core.tasks import EcsTasks


@functools.cache
def ports() -> SweepPorts:
    config = SweepConfig.from_env(os.environ)
    table, ecs = aws.table(config.table_name), aws.client("ecs")
    return SweepPorts(
        table=table,
        replies=Replies(aws.gateway(config.connections_url), table, time.sleep),
        launcher=EcsLauncher(ecs, config.relay),
        clock=time.time,
        tasks=EcsTasks(ecs, config.relay.cluster),
        config=config,
    )


@guarded({"failed": 1})
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """An event of the scheduler, whose content does not matter. Answers with what had to be done."""
    return sweep(ports())
