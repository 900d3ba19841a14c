"""MicroVMs through boto3 and their proxy, with real processes as VMs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from infra.local.endpoint import Endpoint, listen, port_of, signed_only
from infra.local.front import Front
from infra.local.logs import Logs
from infra.local.microvm.api import microvms_app
from infra.local.microvm.fleet import Machines
from infra.local.microvm.machine import Hook, Image
from infra.local.microvm.network import Cut
from infra.local.microvm.proxy import Proxy
from infra.local.microvm.times import Quotas, Times, published, quantile_s
from infra.local.process import machine_environment
from infra.local.region import Region

FIXTURES = Path(__file__).parent / "fixtures"
ARN = "arn:aws:lambda:us-east-1:000000000000:microvm-image:viva-relay"
HOOKS: dict[Hook, float] = {"ready": 30, "run": 5, "suspend": 5, "resume": 5, "terminate": 5}


class Account:
    """boto3's client, awaitable, and the VMs behind it."""

    def __init__(self, client: Any, machines: Machines) -> None:
        self.client, self.machines = client, machines

    async def call(self, name: str, **given: Any) -> Any:
        return await asyncio.to_thread(getattr(self.client, name), **given)

    async def refused(self, name: str, **given: Any) -> str:
        with pytest.raises(ClientError) as refusal:
            await self.call(name, **given)
        return str(refusal.value.response["Error"]["Code"])

    async def run(self, **given: Any) -> str:
        """A VM that is RUNNING."""
        answer = await self.call("run_microvm", imageIdentifier=ARN, **given)
        assert answer["state"] == "PENDING"
        return await self.until(answer["microvmId"], "RUNNING")

    async def until(self, id: str, state: str) -> str:
        async with asyncio.timeout(30):
            while (await self.call("get_microvm", microvmIdentifier=id))["state"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return id

    async def token(self, id: str, *ports: int) -> str:
        allowed = [{"port": port} for port in ports or (8080,)]
        asked = {"microvmIdentifier": id, "expirationInMinutes": 60, "allowedPorts": allowed}
        return str((await self.call("create_microvm_auth_token", **asked))["authToken"]["X-aws-proxy-auth"])

    @asynccontextmanager
    async def wire(self, id: str, *, port: int = 8080, token: str = "") -> AsyncIterator[Any]:
        """As a browser connects: all it can set is subprotocols."""
        secret = token or await self.token(id)
        entries = [
            "lambda-microvms",
            f"lambda-microvms.authentication.{secret}",
            f"lambda-microvms.port.{port}",
        ]
        endpoint = (await self.call("get_microvm", microvmIdentifier=id))["endpoint"]
        url = endpoint.replace("http", "ws", 1) + "/r/0?x=1"
        async with connect(
            url, subprotocols=["vivavoce", "vivavoce.ticket.t", *entries], proxy=None, close_timeout=0.2
        ) as wire:  # type: ignore[list-item]
            yield wire

    async def story(self, id: str) -> Mapping[str, Any]:
        """What the program has seen so far."""
        async with self.wire(id) as wire:
            await wire.recv()
            await wire.send("tell")
            return json.loads(await wire.recv())  # type: ignore[no-any-return]

    async def until_lost(self, id: str, count: int) -> Mapping[str, Any]:
        """What the program has seen when it has noticed so many connections that are lost."""
        async with asyncio.timeout(30):
            while len((story := await self.story(id))["lost"]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert len(story["lost"]) == count
        return story


@asynccontextmanager
async def account(
    *, times: Times | None = None, quotas: Quotas | None = None, cut: Cut = "resets", **environment: str
) -> AsyncIterator[Account]:
    upstream = await asyncio.start_server(_hold, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
    front_socket, api_socket, logs = listen(), listen(), Logs(None)
    image = Image(
        ARN,
        "7",
        ("python", "-m", "guest"),
        {**machine_environment(FIXTURES), "UPSTREAM": address, **environment},
        FIXTURES,
        HOOKS,
    )
    front = f"http://127.0.0.1:{port_of(front_socket)}"
    machines = Machines(
        image, lambda id: f"{front}/vm/{id}", logs.sink, times=times or Times(0), quotas=quotas, cut=cut
    )
    region = Region(
        "us-east-1", "http://127.0.0.1:9", {"lambda-microvms": f"http://127.0.0.1:{port_of(api_socket)}"}
    )
    async with upstream, machines:
        proxy = Proxy(machines.all.get)
        api = microvms_app(machines, proxy, signed_only(region.access_key))
        async with Endpoint(api, api_socket), Front(front_socket, {"vm": proxy.attend}):
            yield Account(await asyncio.to_thread(region.client, "lambda-microvms"), machines)


async def test_a_vm_is_reached_as_a_browser_reaches_it_and_its_program_sees_nothing_of_the_proxys() -> None:
    async with account() as here:
        id = await here.run(runHookPayload='{"relay": "r1"}', maximumDurationInSeconds=28_800)
        async with here.wire(id) as wire:
            seen = json.loads(await wire.recv())
            assert wire.subprotocol == "vivavoce"
            await wire.send(b"\x01\x00\xff")
            assert await wire.recv() == b"\x01\x00\xff"
        assert seen["path"] == "/r/0"
        assert seen["headers"]["sec-websocket-protocol"] == "vivavoce, vivavoce.ticket.t"
        assert not [name for name in seen["headers"] if name.startswith("x-aws-proxy")]
        hooks = (await here.story(id))["hooks"]
        assert [each["hook"] for each in hooks] == ["ready", "run"]
        assert hooks[1] == {"hook": "run", "microvmId": id, "runHookPayload": '{"relay": "r1"}'}


async def test_a_token_is_for_one_vm_and_the_ports_it_names() -> None:
    async with account() as here:
        one, other = await here.run(), await here.run()
        for token, port in ((await here.token(other), 8080), (await here.token(one), 9000), ("forged", 8080)):
            with pytest.raises(InvalidStatus) as refused:
                async with here.wire(one, port=port, token=token):
                    pass
            assert refused.value.response.status_code == 403
        asked = {"microvmIdentifier": one, "allowedPorts": [{"port": 1}]}
        assert (
            await here.refused("create_microvm_auth_token", expirationInMinutes=61, **asked)
            == "ValidationException"
        )


async def test_a_suspended_program_stands_still_without_its_connections_and_goes_on_where_it_was() -> None:
    async with account() as here:
        id = await here.run()
        async with here.wire(id) as wire:
            await wire.recv()
            await here.call("suspend_microvm", microvmIdentifier=id)
            with pytest.raises(ConnectionClosed):
                await wire.recv()
        await here.until(id, "SUSPENDED")
        process = here.machines.all[id].snapshot.child.process.pid  # type: ignore[union-attr]
        await stopped(process)
        with pytest.raises(InvalidStatus):
            async with here.wire(id):
                pass
        assert await here.refused("suspend_microvm", microvmIdentifier=id) == "ConflictException"
        await here.call("resume_microvm", microvmIdentifier=id)
        await here.until(id, "RUNNING")
        story = await here.until_lost(id, 2)  # at the snapshot of the image, and when it was suspended
        assert [each["hook"] for each in story["hooks"]] == ["ready", "run", "suspend", "resume"]


async def test_connections_may_hang_after_a_suspension_in_place_of_ending() -> None:
    async with account(cut="hangs") as here:
        id = await here.run()
        async with here.wire(id) as wire:
            await wire.recv()
            await here.call("suspend_microvm", microvmIdentifier=id)
            await here.until(id, "SUSPENDED")
            await here.call("resume_microvm", microvmIdentifier=id)
            await here.until(id, "RUNNING")
            assert (await here.story(id))["lost"] == []  # it does not know
            await wire.send("tell")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await wire.recv()


async def test_clients_may_not_notice_a_suspension_that_breaks_what_the_program_had_connected() -> None:
    async with account(cut="holds") as here:
        id = await here.run()
        async with here.wire(id) as wire:
            await wire.recv()
            await here.call("suspend_microvm", microvmIdentifier=id)
            await here.until(id, "SUSPENDED")
            await wire.send("tell")  # waits there
            await here.call("resume_microvm", microvmIdentifier=id)
            story = json.loads(await wire.recv())
            assert [each["hook"] for each in story["hooks"]] == ["ready", "run", "suspend"]
            await here.until(id, "RUNNING")
            await here.until_lost(id, 2)  # at the snapshot of the image, and since


async def test_a_vm_that_is_lost_is_told_nothing_and_one_that_has_aged_is() -> None:
    async with account() as here:
        lost, old = await here.run(), await here.run()
        async with here.wire(lost) as wire:
            await wire.recv()
            here.machines.lose(here.machines.all[lost])
            with pytest.raises(ConnectionClosed):
                await wire.recv()
        await here.until(lost, "TERMINATED")
        here.machines.age(here.machines.all[old], left_s=0.5)
        assert (await here.call("get_microvm", microvmIdentifier=old))["state"] == "RUNNING"
        await here.until(old, "TERMINATED")
        told = await here.call("get_microvm", microvmIdentifier=old)
        assert "maximum duration" in told["stateReason"]
        lived_s = (told["terminatedAt"] - told["startedAt"]).total_seconds()
        assert 28_800 <= lived_s < 28_805


async def test_a_hook_that_fails_ends_the_vm_and_says_so() -> None:
    async with account(FAILS="run") as here:
        answer = await here.call("run_microvm", imageIdentifier=ARN)
        id = await here.until(answer["microvmId"], "TERMINATED")
        assert "run hook" in (await here.call("get_microvm", microvmIdentifier=id))["stateReason"]


async def test_a_snapshot_waits_until_the_program_is_ready() -> None:
    async with account(READY_AFTER="3") as here:
        hooks = (await here.story(await here.run()))["hooks"]
        assert [each["hook"] for each in hooks] == ["ready"] * 4 + ["run"]


async def test_a_vm_ends_when_it_is_told_to_or_has_lived_its_time_and_stays_in_the_list() -> None:
    async with account() as here:
        told, old = await here.run(), await here.run(maximumDurationInSeconds=1)
        pid = here.machines.all[told].snapshot.child.process.pid  # type: ignore[union-attr]
        await here.call("terminate_microvm", microvmIdentifier=told)
        await here.until(told, "TERMINATED")
        await here.until(old, "TERMINATED")
        await here.call("terminate_microvm", microvmIdentifier=told)  # again: no harm
        assert not _is_there(pid)
        first = await here.call("list_microvms", imageIdentifier=ARN, maxResults=1)
        rest = await here.call(
            "list_microvms", imageIdentifier=ARN, maxResults=1, nextToken=first["nextToken"]
        )
        items = first["items"] + rest["items"]
        assert {item["microvmId"] for item in items} == {told, old}
        assert {item["state"] for item in items} == {"TERMINATED"} and "nextToken" not in rest


async def test_the_same_client_token_launches_once() -> None:
    async with account() as here:
        given = {"imageIdentifier": ARN, "clientToken": "r1", "runHookPayload": "{}"}
        ids = {(await here.call("run_microvm", **given))["microvmId"] for _ in range(3)}
        assert len(ids) == 1
        assert await here.refused("run_microvm", **{**given, "runHookPayload": "x"}) == "ConflictException"


async def test_a_fresh_account_launches_one_a_second_and_has_eight_gigabytes() -> None:
    async with account(quotas=Quotas.of("fresh")) as here:
        await here.call("run_microvm", imageIdentifier=ARN)
        assert await here.refused("run_microvm", imageIdentifier=ARN) == "ThrottlingException"
    async with account(quotas=Quotas(launches_per_s=100, memory_mb=1024)) as here:
        first, _ = [await here.run() for _ in range(2)]
        assert await here.refused("run_microvm", imageIdentifier=ARN) == "ServiceQuotaExceededException"
        await here.call("terminate_microvm", microvmIdentifier=first)
        await here.until(first, "TERMINATED")
        await here.run()


async def test_what_the_model_does_not_allow_is_refused() -> None:
    async with account() as here:
        with pytest.raises(ParamValidationError):  # botocore itself
            await here.call("run_microvm", imageIdentifier=ARN, maximumDurationInSeconds=0)
        assert (
            await here.refused("run_microvm", imageIdentifier=ARN, imageVersion="8")
            == "ResourceNotFoundException"
        )
        too_long = {"imageIdentifier": ARN, "maximumDurationInSeconds": 28_801}
        assert await here.refused("run_microvm", **too_long) == "ValidationException"
        assert await here.refused("get_microvm", microvmIdentifier="microvm-0") == "ResourceNotFoundException"


def test_times_are_drawn_from_what_others_have_published() -> None:
    launch = published()["launch"]["quantiles"]
    assert (
        quantile_s(launch, 0.5) == 2.7 and quantile_s(launch, 0.95) == 3.2 and quantile_s(launch, 1.0) == 3.7
    )
    drawn = sorted(Times().draw_s("launch") for _ in range(4001))
    assert drawn[2000] == pytest.approx(2.7, abs=0.05) and drawn[0] >= 2.2 and drawn[-1] <= 3.7
    assert Times(pace=0).draw_s("wake") == 0


async def stopped(process: int) -> None:
    """It stands still: when it is scheduled next after the signal, which may be a while later."""
    async with asyncio.timeout(10):
        while _state_of(process) != "T":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _state_of(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0]


def _is_there(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A connection that says nothing, until the other end is gone."""
    with suppress(ConnectionError):
        await reader.read()
    writer.close()
