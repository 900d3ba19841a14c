"""`sweep`, every minute: reaps what died silently, and keeps the desired relays running.

Between the minutes it is told of tasks that have stopped, for somebody may wait for one.
Also the custom resource `Fleet`, which does nothing until the stack is deleted: then it stops the tasks.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from typing import Any

from functions.core.fleet import task_stopped, teardown
from functions.core.fleet.ecs_launcher import EcsLauncher
from functions.core.fleet.ecs_tasks import EcsTasks
from functions.core.fleet.sweep import sweep
from functions.core.runtime import aws, custom_resource
from functions.core.runtime.config import SweepConfig
from functions.core.runtime.entry import guarded
from functions.core.runtime.ports import SweepPorts
from functions.core.sessions.replies import Replies

MARGIN_MS = 15_000  #: of this function's time, for the response to CloudFormation


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
    """Handle an event of the scheduler, whose content does not matter, of ECS, or of CloudFormation.

    Returns the count of each repair.
    """
    if event.get("detail-type") == task_stopped.DETAIL_TYPE:
        return task_stopped.handle(ports(), event["detail"])
    if "ResponseURL" not in event:
        return sweep(ports())

    def answer(kind: str, _: Mapping[str, Any]) -> dict[str, str]:
        if kind == "Delete":
            left_ms = context.get_remaining_time_in_millis
            teardown.stop_all(ports().tasks, lambda: left_ms() > MARGIN_MS, time.sleep)
        return {}

    custom_resource.serve(event, answer)
    return {}
