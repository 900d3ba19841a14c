"""`sweep`, every minute: reaps what died silently, and keeps the desired relays running.

Between the minutes it is told of tasks that have stopped, for somebody may wait for one.
Also the custom resources `Fleet` and `Machines`: a deployment clears away old bundles; the end of the stack,
or of a home of relays, ends the tasks or the MicroVMs.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from functions.core.fleet import bundles, task_stopped, teardown
from functions.core.fleet.ecs_tasks import EcsTasks
from functions.core.fleet.homes import launchers
from functions.core.fleet.microvms import MicrovmList
from functions.core.fleet.sweep import sweep
from functions.core.runtime import aws, custom_resource, settings
from functions.core.runtime.config import SweepConfig
from functions.core.runtime.entry import guarded, make_ready
from functions.core.runtime.ports import SweepPorts
from functions.core.sessions.replies import Replies

MARGIN_MS = 15_000  #: of this function's time, for the response to CloudFormation


@functools.cache
def ports() -> SweepPorts:
    config = SweepConfig.from_env(settings.laid_under(os.environ))
    table, task, microvm = aws.table(config.table_name), config.relay.task, config.relay.microvm
    return SweepPorts(
        table=table,
        replies=Replies(aws.gateway(config.connections_url), table, time.sleep),
        launcher=launchers(config.relay),
        clock=time.time,
        tasks=EcsTasks(aws.client("ecs"), task.cluster) if task else None,
        config=config,
        vms=MicrovmList(aws.client("lambda-microvms"), microvm.image, time.sleep) if microvm else None,
    )


make_ready(ports)


@guarded({"failed": 1})
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Handle an event of the scheduler, whose content does not matter, of ECS, or of CloudFormation.

    Returns the count of each repair.
    """
    if event.get("detail-type") == task_stopped.DETAIL_TYPE:
        return task_stopped.handle(ports(), event["detail"])
    if "ResponseURL" not in event:
        return sweep(ports())

    left_ms = context.get_remaining_time_in_millis
    custom_resource.serve(event, lambda kind, _: _answer(kind, event, lambda: left_ms() > MARGIN_MS))
    return {}


def _answer(kind: str, event: Mapping[str, Any], has_time: Callable[[], bool]) -> dict[str, str]:
    """Do the work of a custom resource.

    What it is for is in its properties: when a deployment gives up a home, this function's own settings do
    not name it any more.
    """
    given = event["ResourceProperties"]
    if image := str(given.get("Image", "")):
        if kind == "Delete":
            vms = MicrovmList(aws.client("lambda-microvms"), image, time.sleep)
            teardown.stop_all(None, vms, has_time, time.sleep)
        return {}
    bundle = str(given["Bundle"])
    if kind == "Delete":
        teardown.stop_all(EcsTasks(aws.client("ecs"), given["Cluster"]), None, has_time, time.sleep)
        bundles.remove_all(aws.client("lambda"), bundle)
    else:
        before = str(event.get("OldResourceProperties", {}).get("Bundle", ""))
        bundles.prune(aws.client("lambda"), bundle, before)
    return {}
