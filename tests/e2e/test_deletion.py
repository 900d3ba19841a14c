"""`sam delete` with calls on: everything ends that costs money, and nothing of the deployment's own is left.

The order is CloudFormation's, from the template: a resource goes after all that depend on it. What the local
stack has no part for (log groups, the edge) is tests/aws/test_deploy.py's, in an emulator of the APIs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import simulator
from infra.local.stack import NAME, LocalStack, Options
from infra.local.template import decide, transform
from protocol import media
from tests import dialect
from tests.e2e.conftest import obedient
from tests.functions.cloudformation import CloudFormation
from tests.infra.test_deployment import listed, references
from vivavoce import Conversation

pytestmark = pytest.mark.timeout(240)
FORMS = {
    "tasks": {"ServePage": "false"},
    "microvms": {"ServePage": "false", "RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"},
    "both": {"ServePage": "false", "RelayHomes": "both", "MicrovmCode": "s3://bucket/relay.zip"},
}
CALLS = 2


def deletion_order(resources: Mapping[str, Any]) -> Iterator[str]:
    """Names of the resources, each after all that depend on it."""
    needs = {
        name: (set(references(each)) | set(listed(each.get("DependsOn", [])))) & resources.keys() - {name}
        for name, each in resources.items()
    }
    while needs:  # what nothing that is left depends on
        free = sorted(needs.keys() - set().union(*needs.values()))
        assert free, "they depend on each other"
        yield from free
        for name in free:
            del needs[name]


async def delete(stack: LocalStack, given: Mapping[str, str]) -> list[str]:
    """What CloudFormation does of the stack that is here. Returns the answers of the custom resources."""
    resources = decide(transform(stack.options.template), given)["Resources"]
    cloudformation = CloudFormation()
    try:
        for name in deletion_order(resources):
            properties = resources[name].get("Properties", {})
            match resources[name]["Type"]:
                case "AWS::Lambda::Function":
                    await stack.functions.remove(f"{NAME}-{_short(name)}")
                case "AWS::DynamoDB::Table":
                    await asyncio.to_thread(stack.client("dynamodb").delete_table, TableName=stack.table)
                case "Custom::Fleet" | "Custom::Machines" | "Custom::Keys":
                    known = {
                        "Bundle": "arn:aws:lambda:us-east-1:1:layer:vivavoce-local-relay:1",
                        "Cluster": stack.template.task.cluster,
                        "Image": stack.template.snapshot.arn if stack.template.snapshot else "",
                    }
                    event = cloudformation.event(
                        "Delete",
                        LogicalResourceId=name,
                        ResourceProperties={each: known[each] for each in known.keys() & properties.keys()},
                    )
                    server = _short(properties["ServiceToken"]["Fn::GetAtt"][0])
                    await stack.functions.invoke(f"{NAME}-{server}", event)
        return [answer["Status"] for answer in cloudformation.answers]
    finally:
        await asyncio.to_thread(cloudformation.close)


def _short(name: str) -> str:
    return name.removesuffix("Function").lower()


async def talk(stack: LocalStack, is_answered: asyncio.Event) -> None:
    """A user who has asked something, and stays."""
    async with Conversation(stack.urls.control, stack.user().token()) as call:
        await call.send_text("Say only OK.")
        async for event in call.events():
            if isinstance(event, media.TurnEnded) and event.role == "agent":
                is_answered.set()


@pytest.mark.parametrize("form", FORMS)
async def test_a_stack_that_is_deleted_under_calls_leaves_nothing_running(form: str) -> None:
    """Nor a secret, nor the table; the Gemini key is the operator's."""
    async with simulator.serve(obedient()) as model:
        options = Options(
            gemini_url=model.url,
            parameters=dialect.parameters(**FORMS[form]),
            relay_environment={"DRAIN_SECONDS": "3"},  # in which calls move, if there is where to
            workers=2,
        )
        async with LocalStack(options) as stack, asyncio.TaskGroup() as users:
            answered = [asyncio.Event() for _ in range(CALLS)]
            talking = [users.create_task(talk(stack, each)) for each in answered]
            async with asyncio.timeout(120):
                await asyncio.gather(*(each.wait() for each in answered))
            assert {"RUNNING"} & set(states(stack))
            answers = await delete(stack, FORMS[form])
            assert set(answers) == {"SUCCESS"} and len(answers) == (3 if form == "both" else 2)
            await ended(stack)
            kept = await asyncio.to_thread(stack.client("ssm").describe_parameters)
            assert [each["Name"] for each in kept["Parameters"]] == ["/vivavoce/gemini-api-key"]
            assert (await asyncio.to_thread(stack.client("dynamodb").list_tables))["TableNames"] == []
            for each in talking:  # their clients would try to come back for a while
                each.cancel()


async def ended(stack: LocalStack, within_s: float = 30.0) -> None:
    """Every task and MicroVM is gone: one that was told to go may still be going."""
    for _ in range(round(10 * within_s)):
        if set(states(stack)) <= {"STOPPED", "TERMINATED"}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(states(stack))


def states(stack: LocalStack) -> list[str]:
    """Of every task and MicroVM that ever was."""
    return [each.status for each in stack.tasks.all] + [each.state for each in stack.microvms.all.values()]
