"""The relay's own record: ready, alive, leaving; and its place in the target groups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from records import relays
from records.table import ConditionFailed, Table
from relay.aws.store import in_thread
from relay.config import RelayConfig
from relay.ports import Unregistered
from relay.task.address import TargetGroup, network_interface

logger = logging.getLogger("relay.aws.task_record")

PLACE_S, PLACE_LOOKS = 0.1, 100  #: between looks for where we are, and how many


class TaskRecord:
    """This task's own record: that it lives, how full it is, what it is ordered to do."""

    def __init__(
        self,
        table: Table,
        config: RelayConfig,
        clock: Callable[[], float] = time.time,
        targets: TargetGroup | None = None,
    ) -> None:
        self._table, self._config, self._clock, self._targets = table, config, clock, targets

    async def ready(self, address: str) -> None:
        """Without an address, where our MicroVM is.

        Raises AddressUnknown when there is a load balancer that does not take us.
        """
        if self._targets is not None:
            _, private = await asyncio.to_thread(network_interface, self._config.metadata_url)
            await asyncio.to_thread(self._targets.enter, private, self._config.port)
        if not address:
            await self._until_placed()
        await in_thread(relays.ready, self._table, self._config.relay, address, int(self._clock()))

    async def leases(self) -> Collection[str]:
        """Sessions that have a place here."""
        found = await in_thread(relays.load, self._table, self._config.relay)
        return () if found is None else found.leases.keys()

    async def _until_placed(self) -> None:
        """Until whoever launched our MicroVM has written down which one it is: usually long before."""
        for _ in range(PLACE_LOOKS):
            found = await in_thread(relays.load, self._table, self._config.relay)
            if found is None or found.vm or found.state == "STOPPING":
                return
            await asyncio.sleep(PLACE_S)

    async def heartbeat(self, held: Collection[str], gone: Mapping[str, float]) -> set[str]:
        """Returns the orders that were left for this relay. Raises Unregistered.

        `held` are the sessions of its calls, `gone` those of them whose client has been away for so many s.
        """
        now = int(self._clock())
        left_at = {session: now - int(gone_s) for session, gone_s in gone.items()}

        def beat() -> set[str]:
            try:
                return relays.heartbeat(self._table, self._config.relay, len(held), now, held, left_at)
            except ConditionFailed:
                raise Unregistered from None

        return await in_thread(beat)

    async def retire_if_idle(self) -> bool:
        now = int(self._clock())
        return await in_thread(relays.retire_if_idle, self._table, self._config.relay, now)

    async def stopping(self) -> None:
        if self._targets is not None:
            try:
                await asyncio.to_thread(self._targets.leave)
            except (BotoCoreError, ClientError) as error:  # its health checks will notice
                logger.warning("still a target", extra={"error_type": type(error).__name__})
        await in_thread(relays.stopping, self._table, self._config.relay)

    async def leave(self) -> None:
        await in_thread(relays.leave, self._table, self._config.relay)
