"""Blocking calls on the table, run in threads, and what their failures mean here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from records.table import Fenced, Refused, StoreError
from relay.ports import LedgerUnavailable, Superseded, WriteRefused

T = TypeVar("T")
STORE_THREADS = 16  #: writes under way at once; each takes milliseconds

#: Apart from the invocations' threads: a mint may take half a minute, a ticket must not wait for it.
_store_threads = ThreadPoolExecutor(STORE_THREADS, "store")


async def in_thread(work: Callable[..., T], *args: Any, **named: Any) -> T:
    """Run a blocking call on the table. Raises Superseded, WriteRefused or LedgerUnavailable."""
    try:
        call = partial(work, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(_store_threads, call)
    except Fenced:
        raise Superseded from None
    except Refused:
        raise WriteRefused from None
    except (StoreError, BotoCoreError, ClientError):
        raise LedgerUnavailable from None
