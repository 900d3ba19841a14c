"""Teardown of a stack. Relay tasks are not its resources, but block deletion of the cluster and subnets."""

from __future__ import annotations

from collections.abc import Callable

from functions.core.runtime.entry import logger
from functions.core.runtime.ports import TaskList

POLL_S = 2.0


def stop_all(tasks: TaskList, has_time: Callable[[], bool], pause: Callable[[float], None]) -> None:
    """Stop all relay tasks, and return when all have ended. Raises TasksUnknown, TimeoutError.

    Lists them anew each time: one may have been started while the others were stopped.
    """
    while True:
        running = tasks.running()
        for task in (task for held in running.values() for task in held):
            tasks.stop(task)
        left = len(tasks.stopping())
        logger.info("tasks stopped", extra={"stopped": len(running), "left": left})
        if not running and not left:
            return
        if not has_time():
            raise TimeoutError
        pause(POLL_S)
