"""Functions as slow to start, as many at a time and as starved of a processor as Lambda has them."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.local.cold_starts import ColdStarts, Environments, published
from infra.local.endpoint import Endpoint, listen, signed_only
from infra.local.functions import Functions, Pool
from infra.local.invocation import InvocationLog
from infra.local.lambda_api import lambda_app
from infra.local.logs import Logs
from infra.local.process import machine_environment
from infra.local.region import Region
from infra.local.template import Function
from infra.local.worker import Site
from tests.infra.test_functions import FIXTURES

SLOW = 4.0  #: a start as published, so many times as slow: this machine's own start is shorter


def made(starts: ColdStarts | None = None, *, concurrency: int = 0, share: float | None = None) -> Functions:
    logs = Logs(None)
    function = Function("probe", "lambdas.probe.handler", 512, 30.0, {})
    environment = machine_environment(FIXTURES)
    site = Site(function, environment, FIXTURES, "eu-west-1", "000000000000", logs.sink("probe"), share)
    return Functions({"probe": Pool(site, 6, starts)}, InvocationLog(logs.sink("invocations")), concurrency)


async def test_a_start_takes_the_time_that_is_drawn_and_only_the_first_call_waits_for_it() -> None:
    async with made(ColdStarts(0.05, random.Random(1), SLOW)) as functions:
        await functions.start_ahead({"probe": 1})
        for cooled in (False, True):
            if cooled:
                await functions.cool()
            cold, warm = await functions.invoke("probe", 1), await functions.invoke("probe", 2)
            least_s = SLOW * (published()["sandbox_s"]["quantiles"][0] + 0.05)
            assert cold.init_ms >= least_s * 1000 and warm.init_ms == 0
            assert [made.init_ms for made in list(functions.log.entries)[-2:]] == [cold.init_ms, 0]


async def test_one_more_than_the_account_may_run_is_throttled_and_an_event_waits_for_its_turn(
    tmp_path: Path,
) -> None:
    go = tmp_path / "go"
    async with made(concurrency=1) as functions:
        listener = listen()
        region = Region("eu-west-1", "http://127.0.0.1:1", {})
        app = lambda_app(functions, signed_only(region.access_key))
        async with Endpoint(app, listener) as endpoint:
            client = region.client("lambda", url=endpoint.url)
            busy = asyncio.create_task(functions.invoke("probe", {"do": "wait", "for": str(go)}))
            with pytest.raises(ClientError) as refused:
                await asyncio.to_thread(client.invoke, FunctionName="probe", Payload=b"1")
            assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            await asyncio.to_thread(client.invoke, FunctionName="probe", Payload=b"2", InvocationType="Event")
            go.touch()
            assert (await busy).status == "ok"
            async with asyncio.timeout(20):
                while [made.status for made in functions.log.entries].count("ok") < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


async def test_a_handler_has_the_part_of_a_processor_that_its_memory_buys() -> None:
    async with made(share=0.25) as functions:
        await functions.invoke("probe", 1)
        began = time.perf_counter()
        await functions.invoke("probe", {"do": "work", "for": 0.3})
        assert time.perf_counter() - began >= 0.9 * 0.3 / 0.25


def test_a_processor_is_bought_by_memory_and_not_more_than_one() -> None:
    how = Environments(by_memory=True)
    slower = published()["processor"]["slower"]
    assert how.share(1769) == how.share(3008) == 1 / slower
    assert how.share(512) == pytest.approx(512 / 1769 / slower)
    assert Environments().share(512) is None
    assert Environments(by_memory=True, memory_mb=1769).share(512) == how.share(1769)
