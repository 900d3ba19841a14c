"""Teardown of a stack. Relay tasks are not its resources, but block deletion of the cluster and subnets."""

from __future__ import annotations

from collections.abc import Callable

from functions.core.runtime.entry import logger
from functions.core.runtime.ports import TaskList, VmList

POLL_S = 2.0


def stop_all(
    tasks: TaskList,
    has_time: Callable[[], bool],
    pause: Callable[[float], None],
    vms: VmList | None = None,
) -> None:
    """Stop all relay tasks and MicroVMs, and return when all have ended. Raises TasksUnknown, TimeoutError.

    Lists them anew each time: one may have been started while the others were stopped.
    """
    while True:
        running = tasks.running()
        for task in (task for held in running.values() for task in held):
            tasks.stop(task)
        machines = vms.alive() if vms else ()
        for vm in machines:
            vms.terminate(vm.id)  # type: ignore[union-attr]
        left = len(tasks.stopping()) + len(machines)
        logger.info("tasks stopped", extra={"stopped": len(running), "left": left})
        if not running and not left:
            return
        if not has_time():
            raise TimeoutError
        pause(POLL_S)
