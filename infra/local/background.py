"""Tasks that live as long as one part of the local stack."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Background:
    """Runs tasks beside its `async with` body and cancels those that are left when the body ends.

    Unlike a TaskGroup it may be entered and left in different tasks, as test fixtures do, and one
    task's failure ends nothing but itself: nobody awaits it, so it is reported to the loop.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Starts `work`; the returned task may be awaited or cancelled like any other."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
