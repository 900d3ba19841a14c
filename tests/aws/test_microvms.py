"""The code that starts, wakes and ends MicroVMs, and the template's image, by another reading of their API.

MiniStack's is a control plane without machines (those need Docker), and laxer than AWS: it starts every VM,
repeats a launch for the same client token, and refuses no call for the state that a VM is in. What becomes of
the program is infra/local's, by botocore's model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from functions.core.fleet import teardown
from functions.core.fleet.microvms import MicrovmDoor, MicrovmLauncher, MicrovmList
from functions.core.runtime.config import MicrovmConfig
from infra.deploy.embed import TEMPLATE
from infra.local.intrinsics import Scope
from infra.local.template import decide, transform
from records.relays import Relay
from tests.aws.emulator import MINISTACK, REGION, STACK, serving

LOGS = f"/vivavoce/{STACK}/microvm"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    if not MINISTACK.exists():
        pytest.skip("make aws-check installs MiniStack")
    with serving(AUTH="false") as url:
        yield boto3.client(
            "lambda-microvms", endpoint_url=url, region_name=REGION,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip


@pytest.fixture(scope="module")
def image(client: Any) -> dict[str, Any]:
    """Made by the API of what the template says, as CloudFormation would."""
    given = {"RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"}
    made = decide(transform(TEMPLATE), given)
    parameters = {name: str(each["Default"]) for name, each in made["Parameters"].items()} | given
    scope = Scope(stack=STACK, region=REGION, parameters=parameters, resources=made["Resources"])
    said = scope.resolve(made["Resources"]["RelaySnapshot"]["Properties"])
    variables = {pair["Key"]: str(pair["Value"]) for pair in said.pop("EnvironmentVariables")}
    request = lowered({name: value for name, value in said.items() if name != "Tags"})
    return dict(client.create_microvm_image(**request, environmentVariables=variables))


def lowered(value: Any) -> Any:
    """With the names of the API: `MinimumMemoryInMiB` is `minimumMemoryInMiB` there."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: lowered(each) for name, each in value.items()}
    return [lowered(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def config(image: dict[str, Any]) -> MicrovmConfig:
    arn, version = image["imageArn"], image["latestActiveImageVersion"]
    return MicrovmConfig(arn, version, f"arn:aws:iam::000000000000:role/{STACK}", LOGS)


def test_the_api_takes_the_image_of_the_template(client: Any, image: dict[str, Any]) -> None:
    told = client.get_microvm_image(imageIdentifier=image["imageArn"])  # its hooks it does not tell
    assert (told["name"], told["state"]) == (f"{STACK}-relay", "CREATED")


def test_a_relay_is_launched_put_to_sleep_woken_and_ended(client: Any, config: MicrovmConfig) -> None:
    launcher = MicrovmLauncher(client, config, resume_s=120)
    machines = MicrovmList(client, config.image, lambda _: None)
    launched = launcher.launch(relay())
    assert launched is not None and launched.vm in {vm.id for vm in machines.alive()}
    assert machines.suspend(launched.vm)
    assert [vm.state for vm in machines.alive() if vm.id == launched.vm] == ["SUSPENDED"]
    assert launcher.launch(relay(vm=launched.vm)) is None, "it is woken"
    assert client.get_microvm(microvmIdentifier=launched.vm)["state"] == "RUNNING"
    _, token, port = MicrovmDoor(client, config).protocols(launched.vm)
    assert token.startswith("lambda-microvms.authentication.") and port == "lambda-microvms.port.8080"
    assert machines.reason(launched.vm) == machines.reason("mvm-none") == ""
    machines.terminate(launched.vm)
    assert launched.vm not in {vm.id for vm in machines.alive()}


def test_at_the_end_of_a_home_every_vm_of_its_image_is_ended(client: Any, config: MicrovmConfig) -> None:
    machines = MicrovmList(client, config.image, lambda _: None)
    for _ in range(3):
        MicrovmLauncher(client, config, resume_s=120).launch(relay())
    other = client.run_microvm(imageIdentifier="another")["microvmId"]
    teardown.stop_all(None, machines, lambda: True, lambda _: None)
    assert not machines.alive()
    assert client.get_microvm(microvmIdentifier=other)["state"] == "RUNNING", "it is not ours"


def relay(vm: str = "") -> Relay:
    return Relay("r1", "0", "image:1", 3, "STARTING", 0, home="microvm", vm=vm)
