"""The same stack again and again, in MiniStack: unchanged, changed, rolled back, deleted, anew.

Nobody talks here (that is test_deploy.py): what is looked at is what CloudFormation makes of the template.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.deploy.bundle import PYTHON, find_python
from tests.aws.conftest import Run
from tests.aws.deployed import Deployed
from tests.aws.emulator import MINISTACK, REGION, STACK, free_port, serving
from tests.aws.gaps import REFUSED, UNKNOWN
from tests.aws.names import names

pytestmark = pytest.mark.timeout(900)
HERE = {"GeminiUrl": "http://127.0.0.1:9", "MediaUrl": "wss://media.example.com"}
OWN = {f"/{STACK}/{name}" for name in ("route-key", "origin-secret", "jwt-secret")}


@pytest.fixture(scope="module")
def template(native: Path) -> Path:
    """The built template with stand-ins for the types that the emulator does not know."""
    return written(native, stood_in(yaml.safe_load((native / "template.yaml").read_text())), "redeploy.yaml")


@pytest.fixture(scope="module")
def failing(template: Path) -> Path:
    """The same with a new revision of the relay, and a resource that fails after it and after session."""
    made = yaml.safe_load(template.read_text())
    made["Resources"]["RelayTask"]["Properties"]["ContainerDefinitions"][0]["StopTimeout"] = 119
    made["Resources"]["Planted"] = {
        "Type": "Custom::Fleet",
        "DependsOn": ["SessionFunction"],
        "Properties": {"ServiceToken": {"Fn::GetAtt": ["SweepFunction", "Arn"]}},  # which asks for a bundle
    }
    return written(template.parent, made, "failing.yaml")


def written(place: Path, made: dict[str, Any], name: str) -> Path:
    """Beside the bundles, which it names by their folders."""
    path = place / name
    path.write_text(yaml.safe_dump(made, sort_keys=False))
    return path


def stood_in(made: dict[str, Any]) -> dict[str, Any]:
    """Without what the emulator refuses; what it does not know is a handle, and its attributes are words.

    Its conditions do not know the region: see `region` in GAPS.
    """
    made["Conditions"] = in_region(made["Conditions"])
    for name in REFUSED:
        del made["Resources"][name]
    for name, attributes in UNKNOWN.items():
        resource = made["Resources"][name]
        kept = {key: resource[key] for key in ("Condition", "DependsOn") if key in resource}
        made["Resources"][name] = {"Type": "AWS::CloudFormation::WaitConditionHandle", **kept}
        made = replaced(made, name, attributes)
    return made


def in_region(value: Any) -> Any:
    """With the region's name where it is referred to."""
    if isinstance(value, dict):
        is_it = value == {"Ref": "AWS::Region"}
        return REGION if is_it else {key: in_region(each) for key, each in value.items()}
    return [in_region(each) for each in value] if isinstance(value, list) else value


def replaced(value: Any, name: str, attributes: dict[str, str]) -> Any:
    """With words in the place of that resource's attributes."""
    if isinstance(value, dict):
        match value.get("Fn::GetAtt"):
            case [found, str(attribute)] if found == name:
                return attributes[attribute]
            case str(found) if found.startswith(f"{name}."):
                return attributes[found.partition(".")[2]]
        return {key: replaced(each, name, attributes) for key, each in value.items()}
    return [replaced(each, name, attributes) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    if not MINISTACK.exists() or find_python(PYTHON) is None:
        pytest.skip(f"needs MiniStack (make aws-check installs it) on Python {PYTHON}")
    port = free_port()
    with names(f"http://127.0.0.1:{port}") as proxy:
        own = {"TMPDIR": str(tmp_path_factory.mktemp("cloud")), "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
        store = {"AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE": "http://cloudfront-kvs.global.api.aws"}
        with serving(port, AUTH="false", **own, **store) as url:
            yield Deployed(url)


def status(deployed: Deployed) -> str:
    (told,) = deployed.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return str(told["StackStatus"])


def environment(deployed: Deployed, name: str) -> dict[str, str]:
    told = deployed.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{name}")
    return dict(told["Environment"]["Variables"])


def secrets(deployed: Deployed) -> dict[str, str]:
    """The deployment's own, by name."""
    ssm = deployed.client("ssm")
    kept = {each["Name"] for each in ssm.describe_parameters()["Parameters"]} & OWN
    return {
        name: ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] for name in sorted(kept)
    }


def definition(deployed: Deployed) -> dict[str, Any]:
    """The task definition that session starts."""
    arn = environment(deployed, "session")["RELAY_TASK_DEFINITION"]
    told = deployed.client("ecs").describe_task_definition(taskDefinition=arn)
    return dict(told["taskDefinition"])


def left(deployed: Deployed) -> dict[str, Any]:
    """What there is of what costs money or is in the way of the next deployment."""
    ecs, ssm = deployed.client("ecs"), deployed.client("ssm")
    clusters = ecs.list_clusters()["clusterArns"]
    return {
        "tables": deployed.client("dynamodb").list_tables()["TableNames"],
        "functions": deployed.client("lambda").list_functions()["Functions"],
        "layers": deployed.client("lambda").list_layers()["Layers"],
        "log groups": deployed.client("logs").describe_log_groups()["logGroups"],
        "tasks": [arn for cluster in clusters for arn in ecs.list_tasks(cluster=cluster)["taskArns"]],
        "secrets": sorted({each["Name"] for each in ssm.describe_parameters()["Parameters"]} & OWN),
        "balancers": deployed.client("elbv2").describe_load_balancers()["LoadBalancers"],
    }


def test_a_first_deployment_that_fails_in_the_middle_is_undone_and_can_be_made_anew(
    deployed: Deployed, sam: Run, failing: Path, template: Path
) -> None:
    with pytest.raises(AssertionError):
        deployed.deploy(sam, failing, **HERE)
    assert status(deployed) == "ROLLBACK_COMPLETE"
    deployed.take_down(sam)
    assert not any(left(deployed).values())
    deployed.deploy(sam, template, **HERE)
    assert status(deployed) == "CREATE_COMPLETE" and len(secrets(deployed)) == len(OWN)


def test_the_same_again_changes_nothing(deployed: Deployed, sam: Run, template: Path) -> None:
    before = secrets(deployed), definition(deployed)
    deployed.deploy(sam, template, **HERE)
    assert any("No changes to deploy" in line for line in deployed.log)
    assert (secrets(deployed), definition(deployed)) == before


def test_changed_settings_reach_what_uses_them_and_nobody_is_signed_out(
    deployed: Deployed, sam: Run, template: Path
) -> None:
    before, table = secrets(deployed), environment(deployed, "session")["TABLE_NAME"]
    deployed.deploy(sam, template, **HERE, OidcAudience="a-client", LogLevel="WARNING")
    assert status(deployed) == "UPDATE_COMPLETE"
    assert environment(deployed, "session")["OIDC_AUDIENCE"] == "a-client"
    given = definition(deployed)["containerDefinitions"][0]["environment"]
    assert {"name": "LOG_LEVEL", "value": "WARNING"} in given
    assert (secrets(deployed), environment(deployed, "session")["TABLE_NAME"]) == (before, table)


def test_an_update_that_fails_in_the_middle_is_undone_and_what_was_there_goes_on(
    deployed: Deployed, sam: Run, failing: Path, template: Path
) -> None:
    before = secrets(deployed), environment(deployed, "session"), definition(deployed)
    with pytest.raises(AssertionError):
        deployed.deploy(sam, failing, **HERE)
    assert status(deployed) == "UPDATE_ROLLBACK_COMPLETE"
    assert (secrets(deployed), environment(deployed, "session"), definition(deployed)) == before
    layers = deployed.client("lambda").list_layer_versions(LayerName=f"{STACK}-relay")["LayerVersions"]
    bundle = {
        each["name"]: each["value"] for each in definition(deployed)["containerDefinitions"][0]["environment"]
    }
    assert bundle["RELAY_BUNDLE"] in {each["LayerVersionArn"] for each in layers}
    deployed.deploy(sam, template, **HERE)
    assert status(deployed) in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE")


#: from form to form, as an operator would write it: `MicrovmCode` is emptied where it is not needed
EDGE = {"MediaIngress": "edge", "RelayHomes": "fargate", "MicrovmCode": ""}
ALB = {"MediaIngress": "alb", "RelayHomes": "fargate", "MicrovmCode": ""}
BOTH = {"MediaIngress": "edge", "RelayHomes": "both", "MicrovmCode": "s3://bucket/relay.zip"}
ALONE = {"MediaIngress": "edge", "RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"}
WAY = [ALB, BOTH, ALONE, EDGE, ALONE, BOTH, ALB, EDGE]  # each home is given up, and comes back


def kinds(deployed: Deployed) -> set[str]:
    """The services of which the stack has a resource."""
    told = deployed.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    alive = [each for each in told if not each["ResourceStatus"].startswith("DELETE")]
    return {each["ResourceType"].split("::")[1] for each in alive}


def start_task(deployed: Deployed) -> str:
    """A relay's, as `session` starts it. Its ARN."""
    given = environment(deployed, "session")
    network = {"subnets": given["RELAY_SUBNETS"].split(","), "assignPublicIp": "ENABLED"}
    ran = deployed.client("ecs").run_task(
        cluster=given["CLUSTER"], taskDefinition=given["RELAY_TASK_DEFINITION"], launchType="FARGATE",
        startedBy="relay-r1", networkConfiguration={"awsvpcConfiguration": network},
    )  # fmt: skip
    return str(ran["tasks"][0]["taskArn"])


def test_a_deployment_goes_from_any_form_to_any_other_and_ends_what_lives_in_a_home_that_it_gives_up(
    deployed: Deployed, sam: Run, template: Path
) -> None:
    deployed.deploy(sam, template, **HERE, **EDGE)
    before, has_tasks = secrets(deployed)[f"/{STACK}/jwt-secret"], True
    for form in WAY:
        if has_tasks:  # which the sweep ends within a minute, for no relay of it is in the pool
            start_task(deployed)
        deployed.deploy(sam, template, **HERE, **form)
        assert status(deployed) == "UPDATE_COMPLETE", form
        homes = environment(deployed, "session")["RELAY_HOMES"]
        assert homes == environment(deployed, "sweep")["RELAY_HOMES"] == form["RelayHomes"]
        is_alone, has_balancer = form["RelayHomes"] == "microvm", form["MediaIngress"] == "alb"
        assert bool(kinds(deployed) & {"ECS", "EC2", "CloudFront"}) != is_alone, kinds(deployed)
        assert bool(left(deployed)["balancers"]) == (has_balancer and not is_alone)
        assert not (is_alone and left(deployed)["tasks"]), "they have been stopped"
        has_tasks = not is_alone
    assert secrets(deployed)[f"/{STACK}/jwt-secret"] == before, "nobody is signed out"


def test_a_move_that_fails_in_the_middle_is_undone_and_what_was_there_goes_on(
    deployed: Deployed, sam: Run, failing: Path, template: Path
) -> None:
    deployed.deploy(sam, template, **HERE, **EDGE)
    before = environment(deployed, "session")
    with pytest.raises(AssertionError):
        deployed.deploy(sam, failing, **HERE, **ALONE)
    assert status(deployed) == "UPDATE_ROLLBACK_COMPLETE"
    assert environment(deployed, "session") == before
    deployed.deploy(sam, template, **HERE, **EDGE)


def test_microvms_alone_are_deployed_and_deleted_whole(deployed: Deployed, sam: Run, template: Path) -> None:
    deployed.take_down(sam)
    deployed.deploy(sam, template, **HERE, **ALONE)
    assert status(deployed) == "CREATE_COMPLETE"
    assert not kinds(deployed) & {"ECS", "EC2", "CloudFront", "ElasticLoadBalancingV2"}
    assert secrets(deployed).keys() == {f"/{STACK}/jwt-secret"}
    assert (
        deployed.client("lambda").get_function_url_config(FunctionName=f"{STACK}-page")["AuthType"] == "NONE"
    )
    deployed.take_down(sam)
    assert not any(left(deployed).values()), json.dumps(left(deployed), default=str)
    deployed.deploy(sam, template, **HERE, **EDGE)


def test_a_stack_is_deleted_whole_and_deployed_anew_with_other_secrets(
    deployed: Deployed, sam: Run, template: Path
) -> None:
    before = secrets(deployed)
    deployed.take_down(sam)
    assert not any(left(deployed).values()), json.dumps(left(deployed), default=str)
    deployed.deploy(sam, template, **HERE)
    assert status(deployed) == "CREATE_COMPLETE"
    assert secrets(deployed).keys() == OWN and not set(secrets(deployed).values()) & set(before.values())
    assert REGION in environment(deployed, "session")["CONNECTIONS_URL"]
