"""Teardown of a stack. Relay tasks are not its resources, but block deletion of the cluster and subnets."""

from __future__ import annotations

from collections.abc import Callable

from functions.core.runtime.entry import logger
from functions.core.runtime.ports import TaskList, VmList

POLL_S = 2.0


def stop_all(
    tasks: TaskList | None,
    vms: VmList | None,
    has_time: Callable[[], bool],
    pause: Callable[[float], None],
) -> None:
    """Stop all relay tasks and MicroVMs, and return when all have ended. Raises TasksUnknown, TimeoutError.

    Lists them anew each time: one may have been started while the others were stopped.
    """
    while left := _stop_tasks(tasks) + _end_vms(vms):
        logger.info("relays stopped", extra={"left": left})
        if not has_time():
            raise TimeoutError
        pause(POLL_S)


def _stop_tasks(tasks: TaskList | None) -> int:
    """Return how many have not ended."""
    if tasks is None:
        return 0
    running = [task for held in tasks.running().values() for task in held]
    for task in running:
        tasks.stop(task)
    return len(running) + len(tasks.stopping())


def _end_vms(vms: VmList | None) -> int:
    """Return how many have not ended."""
    if vms is None:
        return 0
    machines = vms.alive()
    for vm in machines:
        vms.terminate(vm.id)
    return len(machines)
