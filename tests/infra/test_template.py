"""template.yaml as it is deployed: what it promises, and that the local stack can read all of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.doctor.before.looks import MICROVM_REGIONS
from functions.core.runtime.config import RelayConfig
from infra.local.intrinsics import Scope, UnresolvedIntrinsic
from infra.local.template import Stack, TemplateError, decide, localise, read_template, transform
from tests.infra.test_deployment import FORMS

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return transform(TEMPLATE)


@pytest.fixture(scope="module")
def deployed(made: dict[str, Any]) -> dict[str, Any]:
    """As it is with nothing but defaults."""
    return decide(made, {})


@pytest.fixture(scope="module")
def stack() -> Stack:
    return read_template(TEMPLATE, {}, stack="viva")


def resources(made: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    found = made["Resources"].items()
    return {name: each["Properties"] for name, each in found if each["Type"] == kind}


def actions(made: dict[str, Any], role: str) -> set[str]:
    statements = [
        statement
        for policy in made["Resources"][role]["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    listed = (s["Action"] if isinstance(s["Action"], list) else [s["Action"]] for s in statements)
    return {action for some in listed for action in some}


#: with two zones and with six. me-central-1 has no function URLs: ServePage must be false there
REGIONS = (
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-northeast-1",
    "ap-southeast-2",
    "sa-east-1",
    "ca-central-1",
    "ap-south-1",
)


@pytest.mark.timeout(300)  # ten regions, on whatever machine
def test_cfn_lint_passes_on_the_template_and_on_what_sam_makes_of_it(
    made: dict[str, Any], tmp_path: Path
) -> None:
    transformed = tmp_path / "transformed.json"
    transformed.write_text(json.dumps(made))
    lint = [Path(sys.executable).with_name("cfn-lint"), "--non-zero-exit-code", "warning"]
    lint += ["--regions", *REGIONS, "--"]
    result = subprocess.run([*lint, TEMPLATE, transformed], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


HAVE_MICROVMS = [region for region in REGIONS if region in MICROVM_REGIONS]
HAVE_NONE = [region for region in REGIONS if region not in MICROVM_REGIONS]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["edge", "alb", "both", "microvm"])
def test_each_form_lints_in_each_region_as_it_is_deployed_there(
    made: dict[str, Any], name: str, tmp_path: Path
) -> None:
    """`both` is another one where a region has no MicroVMs, and `microvm` is refused there by a rule."""
    for regions in (HAVE_MICROVMS, HAVE_NONE) if name != "microvm" else (HAVE_MICROVMS,):
        form = decide(made, FORMS[name], regions[0])
        kinds = {each["Type"] for each in form["Resources"].values()}
        has_image = "AWS::Lambda::MicrovmImage" in kinds
        assert has_image == (name in ("both", "microvm") and regions is HAVE_MICROVMS)
        file = tmp_path / f"{regions[0]}.json"
        given = {key: {**form["Parameters"][key], "Default": value} for key, value in FORMS[name].items()}
        file.write_text(json.dumps(form | {"Parameters": form["Parameters"] | given}))
        # W2001: a parameter that this form does not use.
        lint = [Path(sys.executable).with_name("cfn-lint"), "--non-zero-exit-code", "warning"]
        lint += ["--ignore-checks", "W2001", "--regions", *regions, "--", file]
        ran = subprocess.run(lint, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout


def test_no_resource_depends_on_itself_through_others(made: dict[str, Any]) -> None:
    """Gateway -> session -> Gateway and relay -> session -> relay would be the ways to get a cycle."""
    names = made["Resources"].keys()

    def named(value: Any) -> set[str]:
        text = json.dumps(value)
        forms = ('"Ref": "{}"', '"Fn::GetAtt": ["{}"', '"DependsOn": "{}"', "${{{}}}", "${{{}.")
        return {name for name in names if any(form.format(name) in text for form in forms)}

    edges = {name: named(resource) for name, resource in made["Resources"].items()}

    def reaches(start: str, seen: set[str], here: str) -> bool:
        fresh = edges[here] - seen
        return start in edges[here] or any(reaches(start, seen | fresh, there) for there in fresh)

    assert [name for name in names if reaches(name, {name}, name)] == []


def test_the_routes_are_the_protocols_and_none_replies_by_itself(stack: Stack) -> None:
    by_route = {route.key: route.function for route in stack.api.routes.values()}
    assert by_route == {
        "$connect": "viva-session",
        "$disconnect": "viva-disconnect",
        "$default": "viva-session",
        "start": "viva-session",
        "resume": "viva-session",
        "end": "viva-session",
    }
    assert not any(route.replies for route in stack.api.routes.values())
    assert stack.api.selection == "$request.body.type"
    assert stack.api.stage == "v1"


def test_only_mint_can_read_the_gemini_key(made: dict[str, Any]) -> None:
    readers = [n for n, role in resources(made, "AWS::IAM::Role").items() if "GeminiKey" in json.dumps(role)]
    assert readers == ["MintFunctionRole"]
    variables = {
        name: function["Environment"]["Variables"].keys()
        for name, function in resources(made, "AWS::Lambda::Function").items()
    }
    assert [name for name, keys in variables.items() if "GEMINI_KEY_PARAMETER" in keys] == ["MintFunction"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("DisconnectFunctionRole", "dynamodb:DeleteItem"),
        (
            "SessionFunctionRole",
            "dynamodb:GetItem dynamodb:BatchGetItem dynamodb:PutItem dynamodb:UpdateItem"
            " dynamodb:DeleteItem dynamodb:ConditionCheckItem dynamodb:Query"
            " execute-api:ManageConnections ecs:RunTask ecs:TagResource iam:PassRole"
            " ssm:GetParameter kms:Decrypt lambda:InvokeFunction",
        ),
        (
            "SweepFunctionRole",
            "dynamodb:GetItem dynamodb:BatchGetItem dynamodb:PutItem dynamodb:UpdateItem"
            " dynamodb:DeleteItem dynamodb:Query execute-api:ManageConnections"
            " ecs:ListTasks ecs:DescribeTasks ecs:StopTask ecs:RunTask ecs:TagResource iam:PassRole"
            " lambda:ListLayerVersions lambda:DeleteLayerVersion"
            " lambda:GetMicrovm lambda:TerminateMicrovm lambda:ListMicrovms",
        ),
        (
            "MintFunctionRole",
            "dynamodb:GetItem dynamodb:UpdateItem dynamodb:Query ssm:GetParameter kms:Decrypt",
        ),
        (
            "RelayRole",
            "dynamodb:GetItem dynamodb:BatchGetItem dynamodb:PutItem dynamodb:UpdateItem"
            " dynamodb:ConditionCheckItem dynamodb:Query lambda:InvokeFunction lambda:GetLayerVersion"
            " ec2:DescribeNetworkInterfaces ssm:GetParameter kms:Decrypt",
        ),
        (
            "KeysFunctionRole",
            "ssm:GetParameter ssm:PutParameter ssm:DeleteParameter kms:Decrypt kms:Encrypt"
            " cloudfront-keyvaluestore:DescribeKeyValueStore cloudfront-keyvaluestore:UpdateKeys"
            " ec2:DescribeManagedPrefixLists",
        ),
        ("PageFunctionRole", ""),
        ("RelayExecutionRole", "logs:CreateLogStream logs:PutLogEvents"),
    ],
)
def test_each_role_may_do_what_it_needs_and_no_more(
    deployed: dict[str, Any], role: str, allowed: str
) -> None:
    assert actions(deployed, role) == set(allowed.split())


@pytest.mark.parametrize("role", ["SessionFunctionRole", "SweepFunctionRole"])
def test_passing_roles_and_starting_tasks_is_bound_to_ecs_and_to_this_cluster(
    deployed: dict[str, Any], role: str
) -> None:
    policy = deployed["Resources"][role]["Properties"]["Policies"][0]
    by_id = {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}
    passed = by_id["HandRolesToRelay"]["Condition"]
    assert passed == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert by_id["StartRelay"]["Condition"]["ArnEquals"].keys() == {"ecs:cluster"}


def test_functions_run_on_arm_with_a_log_group_that_forgets(made: dict[str, Any]) -> None:
    groups = resources(made, "AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
    for function in resources(made, "AWS::Lambda::Function").values():
        assert function["Architectures"] == ["arm64"]
        assert function["Runtime"] == "python3.13"
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups


def test_no_function_that_a_route_calls_may_run_longer_than_the_gateway_waits(stack: Stack) -> None:
    called = {route.function for route in stack.api.routes.values()}
    assert called and all(stack.functions[name].timeout_s < 29 for name in called)


def test_message_bodies_are_never_traced(made: dict[str, Any]) -> None:
    (stage,) = resources(made, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"]["DataTraceEnabled"] is False


def test_the_table_is_on_demand_recoverable_encrypted_and_forgets(made: dict[str, Any]) -> None:
    (table,) = resources(made, "AWS::DynamoDB::Table").values()
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_nothing_costs_money_while_nobody_talks(deployed: dict[str, Any]) -> None:
    kinds = [resource["Type"] for resource in deployed["Resources"].values()]
    hourly = {"AWS::EC2::NatGateway", "AWS::ECS::Service", "AWS::ElasticLoadBalancingV2::LoadBalancer"}
    assert not set(kinds) & (hourly | {"AWS::EC2::VPCEndpoint", "AWS::EC2::EIP", "AWS::KMS::Key"})
    assert kinds.count("AWS::CloudWatch::Alarm") <= 10, "more are not free"
    assert kinds.count("AWS::CloudWatch::Dashboard") <= 3, "more are not free"


def test_every_parameter_has_a_default_and_a_description(made: dict[str, Any]) -> None:
    assert [n for n, p in made["Parameters"].items() if "Default" not in p or "Description" not in p] == []


def test_the_relay_and_session_know_each_other_by_name(stack: Stack) -> None:
    session = stack.functions["viva-session"].environment
    relay = stack.task.environment
    assert relay["SESSION_FUNCTION"] == "viva-session"
    assert relay["MINT_FUNCTION"] in stack.functions
    assert session["RELAY_TASK_DEFINITION"] == session["RELAY_REVISION"] == stack.task.arn
    assert session["CLUSTER"] == stack.task.cluster
    assert len(session["RELAY_SUBNETS"].split(",")) == 2
    assert stack.task.command == ("python", "-m", "relay")
    assert stack.task.stop_timeout_s == 120


def test_localise_replaces_the_apis_address_and_nothing_else(stack: Stack) -> None:
    local = localise(stack, {stack.api.url: "http://127.0.0.1:1/v1"})
    before = stack.functions["viva-session"].environment
    after = local.functions["viva-session"].environment
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"CONNECTIONS_URL"}
    assert local.task == stack.task


def test_parameters_reach_the_environment() -> None:
    given = {"MediaUrl": "wss://m.example", "GeminiUrl": "https://g.example", "ServePage": "false"}
    stack = read_template(TEMPLATE, given, stack="viva")
    assert stack.functions["viva-session"].environment["MEDIA_URL"] == "wss://m.example"
    assert stack.task.environment["GEMINI_URL"] == "https://g.example"


def test_settings_that_functions_read_themselves_reach_those_functions_alone() -> None:
    stack = read_template(TEMPLATE, {"MinutesPerDay": "7", "MaxRelays": "9"}, stack="viva")
    session, sweep = stack.functions["viva-session"].environment, stack.functions["viva-sweep"].environment
    assert (session["MINUTES_PER_DAY"], session["RELAY_SLOTS"], sweep["RELAY_SLOTS"]) == ("7", "9", "9")
    assert "MINUTES_PER_DAY" not in sweep


@pytest.mark.parametrize(("most", "slots"), [("9", 8), ("2", 2)])
def test_with_a_load_balancer_there_are_as_many_relays_as_it_has_paths_for(most: str, slots: int) -> None:
    given = {"MaxRelays": most, "MediaIngress": "alb"}
    session = read_template(TEMPLATE, given, stack="viva").functions["viva-session"]
    assert RelayConfig.from_env(session.environment).slots == slots


def test_an_unknown_parameter_is_refused_by_name() -> None:
    with pytest.raises(TemplateError, match="no such parameter: Speling"):
        read_template(TEMPLATE, {"Speling": "x"}, stack="viva")


def test_an_intrinsic_that_cannot_be_resolved_here_is_refused_by_name(tmp_path: Path) -> None:
    copy = tmp_path / "template.yaml"
    copy.write_text(
        TEMPLATE.read_text().replace("GEMINI_URL: !Ref GeminiUrl", "GEMINI_URL: !ImportValue x", 1)
    )
    with pytest.raises(TemplateError, match="Fn::ImportValue is not supported"):
        read_template(copy, {}, stack="viva")


def test_a_template_that_does_not_transform_is_refused_with_the_cause(tmp_path: Path) -> None:
    copy = tmp_path / "template.yaml"
    copy.write_text(TEMPLATE.read_text().replace("        start: {Fun", "        session.start: {Fun"))
    with pytest.raises(TemplateError, match="must be alphanumeric"):
        read_template(copy, {}, stack="viva")


SCOPE = Scope(
    stack="viva",
    region="eu-west-1",
    parameters={"Kind": "big", "Name": "n"},
    resources={"Table": {"Type": "AWS::DynamoDB::Table"}, "Odd": {"Type": "AWS::S3::Bucket"}},
    conditions={
        "IsBig": {"Fn::Equals": [{"Ref": "Kind"}, "big"]},
        "Not": {"Fn::Not": [{"Condition": "IsBig"}]},
    },
    mappings={"Sizes": {"eu-west-1": {"big": 8}}},
)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Ref": "Name"}, "n"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "Table"}, "viva-Table"),
        ({"Fn::GetAtt": "Table.Arn"}, "arn:aws:dynamodb:eu-west-1:000000000000:table/viva-Table"),
        ({"Fn::Sub": "${Name}-${Table}-${!Name}-${AWS::Partition}"}, "n-viva-Table-${Name}-aws"),
        ({"Fn::Sub": ["${a}/${Name}", {"a": {"Ref": "Kind"}}]}, "big/n"),
        ({"Fn::Join": [",", ["a", {"Ref": "Name"}]]}, "a,n"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "eu-west-1a"),
        ({"Fn::If": ["IsBig", 1, 2]}, 1),
        ({"Fn::If": ["Not", 1, 2]}, 2),
        ({"Fn::And": [{"Condition": "IsBig"}, {"Condition": "Not"}]}, False),
        ({"Fn::Or": [{"Condition": "IsBig"}, {"Condition": "Not"}]}, True),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, {"Ref": "Kind"}]}, 8),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
    ],
)
def test_intrinsics_resolve_as_cloudformation_documents(value: Any, resolved: Any) -> None:
    assert SCOPE.resolve(value) == resolved


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Ref": "Nobody"}, "neither a parameter nor a resource"),
        ({"Ref": "Odd"}, "Ref of Odd"),
        ({"Fn::GetAtt": ["Table", "StreamArn"]}, "StreamArn of Table"),
        ({"Fn::Sub": "${Nobody.Arn}"}, "Nobody"),
        ({"Fn::If": ["Absent", 1, 2]}, "no condition Absent"),
        ({"Fn::FindInMap": ["Sizes", "us-east-1", "big"]}, "Sizes"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, "Fn::Cidr is not supported"),
    ],
)
def test_what_cannot_be_resolved_is_an_error_that_names_it(value: Any, message: str) -> None:
    with pytest.raises(UnresolvedIntrinsic, match=message):
        SCOPE.resolve(value)


def test_the_snapshot_is_read_with_its_hooks_and_only_where_it_is_asked_for() -> None:
    assert read_template(TEMPLATE, {}, stack="viva").snapshot is None
    given = {"RelayHomes": "both", "MicrovmCode": "s3://bucket/relay.zip"}
    snapshot = read_template(TEMPLATE, given, stack="viva").snapshot
    assert snapshot is not None and snapshot.arn.endswith(":microvm-image:viva-relay")
    assert snapshot.environment["RELAY_HOME"] == "microvm" and snapshot.memory_mb == 512
    assert snapshot.hooks == {
        "run": 5,
        "resume": 5,
        "suspend": 5,
        "terminate": 60,
        "ready": 60,
        "validate": 10,
    }
    elsewhere = read_template(TEMPLATE, given, stack="viva", region="eu-central-1")
    session = elsewhere.functions["viva-session"].environment
    assert elsewhere.snapshot is None and session["RELAY_HOMES"] == "fargate"
