"""What is true of the transformed template in every form that it can be deployed in."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from cli.doctor.before.looks import MICROVM_REGIONS
from functions.core.fleet import ecs_launcher
from functions.core.runtime.settings import SETTINGS
from infra.deploy.bundle import PYTHON, TARGET
from infra.deploy.embed import TEMPLATE, embed
from infra.local.stack import Options
from infra.local.template import decide, transform
from protocol import control

ROOT = Path(__file__).resolve().parents[2]
WILDCARDS = ROOT / "infra" / "deploy" / "wildcards.yaml"
#: The managed policy that SAM gives to every function would let it make log groups.
NO_LOG_GROUPS = {"Sid": "NoLogGroups", "Effect": "Deny", "Action": "logs:CreateLogGroup", "Resource": "*"}
FORMS: dict[str, dict[str, str]] = {
    "edge": {},
    "no page": {"ServePage": "false"},
    "alb": {"MediaIngress": "alb"},
    "own image": {"RelayImageUri": "0.dkr.ecr.us-east-1.amazonaws.com/relay:1"},
    "own domain": {
        "MediaDomain": "voice.example.com",
        "MediaCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/x",
        "AlarmEmail": "ops@example.com",
    },
    "own VPC": {"VpcId": "vpc-0a", "SubnetIds": "subnet-0a,subnet-0b"},
    "own VPC, alb": {"VpcId": "vpc-0a", "SubnetIds": "subnet-0a,subnet-0b", "MediaIngress": "alb"},
    "zones, boundary": {
        "Zones": "us-east-1a,us-east-1c",
        "PermissionsBoundary": "arn:aws:iam::000000000000:policy/boundary",
    },
    "budget": {"MonthlyBudget": "50", "AlarmEmail": "ops@example.com"},
    "microvm": {"RelayHomes": "microvm", "MicrovmCode": "s3://bucket/relay.zip"},
    "both": {"RelayHomes": "both", "MicrovmCode": "s3://bucket/relay.zip"},
    "OIDC": {"OidcIssuer": "https://issuer.example.com"},
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return transform(TEMPLATE)


@pytest.fixture(scope="module", params=FORMS.values(), ids=list(FORMS))
def form(made: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    return decide(made, request.param)


def of_type(form: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {n: each.get("Properties", {}) for n, each in form["Resources"].items() if each["Type"] == kind}


def statements(form: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(role, statement) of everything that anybody may do."""
    for role, properties in of_type(form, "AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield role, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def references(value: Any) -> Iterator[str]:
    """Logical ids that something depends on."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [name, *_]}:
            yield name
        case {"Fn::Sub": _}:
            text, local = value["Fn::Sub"], {}
            if isinstance(text, list):
                text, local = text
                yield from references(local)
            for part in text.split("${")[1:]:
                name = part.partition("}")[0].partition(".")[0]
                if name not in local and not name.startswith("!"):
                    yield name
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)


def test_every_reference_leads_to_something_that_is_there(form: dict[str, Any]) -> None:
    known = form["Resources"].keys() | form["Parameters"].keys()
    named = {name for name in references([form["Resources"], form["Outputs"]]) if "::" not in name}
    assert named - known == set()


def test_every_depends_on_leads_to_something_that_is_there(form: dict[str, Any]) -> None:
    for resource in form["Resources"].values():
        assert set(listed(resource.get("DependsOn", []))) <= form["Resources"].keys()


def test_routes_handlers_and_protocol_types_agree(form: dict[str, Any]) -> None:
    keys = {route["RouteKey"] for route in of_type(form, "AWS::ApiGatewayV2::Route").values()}
    types = {message.__struct_config__.tag for message in get_args(control.ControlRequest)}
    assert keys == {"$connect", "$disconnect", "$default", *types}
    for function in of_type(form, "AWS::Lambda::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        source = Path(importlib.util.find_spec(module).origin)  # type: ignore[union-attr, arg-type]
        assert name in {
            node.name for node in ast.parse(source.read_text()).body if isinstance(node, ast.FunctionDef)
        }


def test_what_a_function_reads_of_its_environment_is_given_to_it(form: dict[str, Any]) -> None:
    from functions.core.runtime import config

    readers = {"connect": config.ConnectConfig, "disconnect": config.DisconnectConfig}
    readers |= {"session": config.SessionConfig, "mint": config.MintConfig, "keys": config.KeysConfig}  # type: ignore[dict-item]
    readers |= {"sweep": config.SweepConfig}  # type: ignore[dict-item]
    for function in of_type(form, "AWS::Lambda::Function").values():
        name = function["Handler"].split(".")[1]
        given = dict.fromkeys(function["Environment"]["Variables"], "1")
        homes = function["Environment"]["Variables"].get("RELAY_HOMES")
        given |= {"RELAY_HOMES": "both" if homes == {"Ref": "RelayHomes"} else homes} if homes else {}
        if name in readers:
            readers[name].from_env(given)


def test_timeouts_end_before_the_gateway_gives_up(form: dict[str, Any]) -> None:
    """Nobody waits for the sweep."""
    functions = of_type(form, "AWS::Lambda::Function")
    sweep = int(functions.pop("SweepFunction")["Timeout"])
    assert all(int(function["Timeout"]) < 29 for function in functions.values())
    for task in of_type(form, "AWS::ECS::TaskDefinition").values():
        assert task["ContainerDefinitions"][0]["StopTimeout"] + 30 < sweep, (
            "a task's end, and its interface's"
        )
    ends = [*of_type(form, "Custom::Fleet").values(), *of_type(form, "Custom::Machines").values()]
    assert ends and all(sweep < int(end["ServiceTimeout"]) for end in ends), "and the answer"


def test_tasks_are_stopped_when_nobody_starts_others_and_all_they_use_is_there(form: dict[str, Any]) -> None:
    """CloudFormation deletes a resource after all that depends on it."""

    resources = form["Resources"]

    def needs(name: str) -> set[str]:
        direct = set(references(resources[name])) | set(listed(resources[name].get("DependsOn", [])))
        return direct.union(*map(needs, direct & resources.keys()))

    network = {"SubnetA", "SubnetB", "InternetRoute", "SubnetARoutes", "SubnetBRoutes"}
    used = {"RelayTask", "RelayRole", "RelayExecutionRole", "RelayLogs", "Cluster", "RelaySecurityGroup"}
    uses = {
        "Fleet": used | (network & resources.keys()),
        "Machines": {"MicrovmRole", "MicrovmLogs", "RelaySnapshot"},
    }
    for end in uses.keys() & resources.keys():
        assert end in needs("SessionFunction"), "session is gone before"
        assert uses[end] | {"Table"} <= needs(end)


def test_wildcards_are_those_with_a_written_reason(made: dict[str, Any]) -> None:
    reasons: dict[str, str] = yaml.safe_load(WILDCARDS.read_text())
    found = set()
    for given in FORMS.values():
        for role, statement in statements(decide(made, given)):
            if statement == NO_LOG_GROUPS:
                continue
            actions, resources = listed(statement["Action"]), json.dumps(statement["Resource"])
            assert not any("*" in action for action in actions), f"{role}/{statement['Sid']}"
            if "*" in resources:
                found.add(f"{role}/{statement['Sid']}")
    assert found == reasons.keys()
    assert all(len(reason) > 30 for reason in reasons.values())


def test_statements_allow_and_are_named(form: dict[str, Any]) -> None:
    for role, statement in statements(form):
        assert statement["Effect"] == "Allow" or statement == NO_LOG_GROUPS
        assert "NotAction" not in statement and "NotResource" not in statement
        assert statement["Sid"], role


def test_no_role_has_a_policy_from_elsewhere_but_the_one_for_logs(form: dict[str, Any]) -> None:
    for role in of_type(form, "AWS::IAM::Role").values():
        for arn in role.get("ManagedPolicyArns", []):
            assert arn == {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/"]]} or str(
                arn
            ).endswith("service-role/AWSLambdaBasicExecutionRole")


def test_no_role_can_make_a_log_group_that_outlives_the_stack(form: dict[str, Any]) -> None:
    """A function that is deleted writes its last lines late: Lambda would make the group again, by its role,
    and the next deployment of that name would find it there."""
    makers = set()
    for name, role in of_type(form, "AWS::IAM::Role").items():
        said = [statement for holder, statement in statements(form) if holder == name]
        allowed = any("logs:CreateLogGroup" in listed(s["Action"]) for s in said if s["Effect"] == "Allow")
        if (allowed or role.get("ManagedPolicyArns")) and NO_LOG_GROUPS not in said:
            makers.add(name)
    assert makers == set()


def test_the_cluster_asks_for_nothing_that_a_fresh_account_has_not(form: dict[str, Any]) -> None:
    """Capacity providers need ECS's service-linked role at once, which a first cluster only makes; and tasks
    are started by launch type."""
    assert of_type(form, "AWS::ECS::Cluster") == ({"Cluster": {}} if has_tasks(form) else {})


def test_an_empty_key_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store takes no empty value: `vivavoce soak` ended with a traceback, though it needs no key."""
    monkeypatch.setenv("GEMINI_API_KEY", "")
    assert Options().gemini_key


def test_only_mint_can_read_the_gemini_key(form: dict[str, Any]) -> None:
    readers = {
        role
        for role, statement in statements(form)
        if "ssm:GetParameter" in listed(statement["Action"])
        and "GeminiKeyParameter" in json.dumps(statement["Resource"])
    }
    assert readers == {"MintFunctionRole"}
    everywhere = [
        role
        for role, statement in statements(form)
        if any(action.startswith("ssm:") for action in listed(statement["Action"]))
        and "*" in json.dumps(statement["Resource"])
    ]
    assert everywhere == []


def test_decryption_is_bound_to_one_parameter_through_ssm(form: dict[str, Any]) -> None:
    for role, statement in statements(form):
        if any(action.startswith("kms:") for action in listed(statement["Action"])):
            narrowed = statement["Condition"]["StringEquals"]
            assert narrowed.keys() == {"kms:ViaService", "kms:EncryptionContext:PARAMETER_ARN"}, role
            assert narrowed["kms:ViaService"] == {"Fn::Sub": "ssm.${AWS::Region}.${AWS::URLSuffix}"}
            bound = listed(narrowed["kms:EncryptionContext:PARAMETER_ARN"])
            touched = [
                resource
                for other, each in statements(form)
                if other == role and listed(each["Action"])[0].startswith("ssm:")
                for resource in listed(each["Resource"])
            ]
            assert all(each in bound for each in touched), "what it reads or writes it can decrypt"
            assert all(each in touched for each in bound), "and nothing else"


def test_what_no_emulator_looks_at_names_exactly_what_is_ours(form: dict[str, Any]) -> None:
    """The statements that tests/aws/emulator.py lists as unnoticed or translated."""
    said = {(role, statement["Sid"]): statement for role, statement in statements(form)}
    (cluster,) = said["SweepFunctionRole", "ListTasks"]["Condition"]["ArnLike"].values()
    assert cluster["Fn::Sub"].endswith(":cluster/${AWS::StackName}-Cluster*")
    stopped = said["SweepFunctionRole", "SeeAndStopTasks"]["Resource"]["Fn::Sub"]
    assert stopped.endswith(":task/${AWS::StackName}-Cluster*/*")
    ended = said["SweepFunctionRole", "EndMicrovms"]
    assert ended["Resource"]["Fn::Sub"].endswith(":microvm-image:${AWS::StackName}-relay")
    deleted = said["SweepFunctionRole", "DeleteBundles"]["Resource"]["Fn::Sub"]
    assert deleted.endswith(":layer:${AWS::StackName}-relay:*")


def test_what_no_emulator_looks_at_names_exactly_what_is_ours_of_tasks(form: dict[str, Any]) -> None:
    if not has_tasks(form):
        return
    said = {(role, statement["Sid"]): statement for role, statement in statements(form)}
    here = {"ArnEquals": {"ecs:cluster": {"Fn::GetAtt": ["Cluster", "Arn"]}}}
    roles = [{"Fn::GetAtt": [role, "Arn"]} for role in ("RelayRole", "RelayExecutionRole")]
    for starter in ("SessionFunctionRole", "SweepFunctionRole"):
        start, handed = said[starter, "StartRelay"], said[starter, "HandRolesToRelay"]
        assert start["Resource"]["Fn::Sub"].endswith(":task-definition/${AWS::StackName}-relay:*")
        assert start["Condition"] == here
        assert handed["Resource"] == roles
        assert handed["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    (task,) = of_type(form, "AWS::ECS::TaskDefinition").values()
    assert [task["TaskRoleArn"], task["ExecutionRoleArn"]] == roles
    assert said["KeysFunctionRole", "TellEdge"]["Resource"] == {"Fn::GetAtt": ["EdgeKeys", "Arn"]}
    assert said["RelayExecutionRole", "Logs"]["Resource"] == {"Fn::GetAtt": ["RelayLogs", "Arn"]}
    if bundle := said.get(("RelayRole", "FetchBundle")):
        container = task["ContainerDefinitions"][0]
        (version,) = [each["Value"] for each in container["Environment"] if each["Name"] == "RELAY_BUNDLE"]
        assert version["Ref"].startswith("RelayBundle")
        (layer,) = of_type(form, "AWS::Lambda::LayerVersion").values()
        name = layer["LayerName"]["Fn::Sub"]
        assert bundle["Resource"]["Fn::Sub"].endswith(f":layer:{name}:*"), (
            "tasks of the revision before start too"
        )


def test_roles_are_taken_on_by_the_service_they_are_for_only(form: dict[str, Any]) -> None:
    for name, role in of_type(form, "AWS::IAM::Role").items():
        principals = [s["Principal"] for s in role["AssumeRolePolicyDocument"]["Statement"]]
        expected = "ecs-tasks.amazonaws.com" if name.startswith("Relay") else "lambda.amazonaws.com"
        assert [listed(each["Service"]) for each in principals] == [[expected]]


def test_every_log_group_forgets_and_every_function_and_the_relay_has_one(form: dict[str, Any]) -> None:
    groups = of_type(form, "AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
    used = {f["LoggingConfig"]["LogGroup"]["Ref"] for f in of_type(form, "AWS::Lambda::Function").values()}
    for task in of_type(form, "AWS::ECS::TaskDefinition").values():
        used.add(task["ContainerDefinitions"][0]["LogConfiguration"]["Options"]["awslogs-group"]["Ref"])
    images = of_type(form, "AWS::Lambda::MicrovmImage").values()
    used |= {image["Logging"]["CloudWatch"]["LogGroup"]["Ref"] for image in images}
    assert used == groups.keys()


def test_tasks_and_functions_are_for_the_processor_that_bundles_are_built_for(form: dict[str, Any]) -> None:
    assert TARGET.startswith("aarch64")
    for task in of_type(form, "AWS::ECS::TaskDefinition").values():
        assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    code = [*of_type(form, "AWS::Lambda::Function").values()]
    assert [each["Architectures"] for each in code] == [["arm64"]] * len(code)
    assert {each["Runtime"] for each in code} == {f"python{PYTHON}"}
    for layer in of_type(form, "AWS::Lambda::LayerVersion").values():
        assert layer["CompatibleArchitectures"] == ["arm64"]


def test_a_task_writes_nowhere_but_into_the_volume_for_its_bundle(made: dict[str, Any]) -> None:
    (task,) = of_type(decide(made, {}), "AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    (volume,) = task["Volumes"]
    (mounted,) = container["MountPoints"]
    assert mounted == {"SourceVolume": volume["Name"], "ContainerPath": "/bundle", "ReadOnly": False}


def test_nothing_can_be_invoked_by_strangers_but_a_page_without_cloudfront(form: dict[str, Any]) -> None:
    is_behind = bool(of_type(form, "AWS::CloudFront::Distribution"))
    for url in of_type(form, "AWS::Lambda::Url").values():
        assert url["AuthType"] == ("AWS_IAM" if is_behind else "NONE")
        assert url["TargetFunctionArn"] == {"Ref": "PageFunction"}
    for name, permission in of_type(form, "AWS::Lambda::Permission").items():
        if name.startswith("PublicPage") and not is_behind:
            assert permission["FunctionName"] == {"Ref": "PageFunction"}
            assert permission.get("FunctionUrlAuthType") == "NONE" or permission["InvokedViaFunctionUrl"]
        else:
            assert "SourceArn" in permission


def has_tasks(form: dict[str, Any]) -> bool:
    return bool(of_type(form, "AWS::ECS::TaskDefinition"))


def test_every_form_but_microvms_alone_has_a_task_and_a_distribution(made: dict[str, Any]) -> None:
    """Else what the tests here say of each of them would be said of none."""
    for name, given in FORMS.items():
        form = decide(made, given)
        found = [
            len(of_type(form, f"AWS::{kind}")) for kind in ("ECS::TaskDefinition", "CloudFront::Distribution")
        ]
        assert found == ([0, 0] if name == "microvm" else [1, 1]), name


#: what an account that has MicroVMs alone may not have
OF_TASKS = ("AWS::ECS::", "AWS::EC2::", "AWS::CloudFront::", "AWS::ElasticLoadBalancingV2::")


@pytest.mark.parametrize(
    "more", [{}, {"MediaIngress": "alb"}, FORMS["own VPC"], {"ServePage": "false"}, FORMS["OIDC"]]
)
def test_with_microvms_alone_there_is_no_ecs_no_network_and_no_cloudfront(
    made: dict[str, Any], more: dict[str, str]
) -> None:
    """Nor a right to use them, but to end what an earlier deployment has left running."""
    form = decide(made, FORMS["microvm"] | more)
    kinds = {each["Type"] for each in form["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith(OF_TASKS) or kind == "AWS::Lambda::LayerVersion"]
    actions = {action for _, each in statements(form) for action in listed(each["Action"])}
    services = {action.partition(":")[0] for action in actions}
    assert not services & {"ec2", "cloudfront-keyvaluestore", "elasticloadbalancing", "ecr"}
    assert {action for action in actions if action.startswith("ecs:")} == {
        "ecs:ListTasks", "ecs:DescribeTasks", "ecs:StopTask"
    }  # fmt: skip
    assert not [name for name in references([form["Resources"], form["Outputs"]]) if name == "Distribution"]


def test_microvms_alone_are_refused_where_a_region_has_none(made: dict[str, Any]) -> None:
    """Tasks in their place would be what that account may not have. With both, calls begin in tasks there."""
    rule = made["Rules"]["MicrovmsAlone"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "RelayHomes"}, "microvm"]}
    asserted = [each["Assert"] for each in rule["Assertions"]]
    with_them = {"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "ap-northeast-1"}
    given = {"RelayHomes": "microvm", "MediaDomain": ""}
    for region in (*with_them, "eu-central-1", "sa-east-1"):
        is_taken = all(holds(each, {**given, "AWS::Region": region}) for each in asserted)
        assert is_taken == (region in with_them), region
    there = {each["Fn::Equals"][1] for each in made["Conditions"]["HasMicrovms"]["Fn::And"][1]["Fn::Or"]}
    assert there == with_them == MICROVM_REGIONS, "one list in three places"


def test_a_task_is_reached_by_the_ingress_only(made: dict[str, Any]) -> None:
    edge, alb = decide(made, {}), decide(made, {"MediaIngress": "alb"})
    (by_edge,) = edge["Resources"]["RelaySecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert by_edge["SourcePrefixListId"] == {"Fn::GetAtt": ["Keys", "CloudFrontPrefixList"]}
    (by_alb,) = alb["Resources"]["RelaySecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert by_alb["SourceSecurityGroupId"] == {"Fn::GetAtt": ["BalancerSecurityGroup", "GroupId"]}
    for form in (edge, alb):
        for group in of_type(form, "AWS::EC2::SecurityGroup").values():
            for rule in group["SecurityGroupIngress"]:
                assert not rule.keys() & {"CidrIp", "CidrIpv6"}
                assert rule["FromPort"] == rule["ToPort"]


def test_every_way_into_the_media_road_passes_the_edge_function(form: dict[str, Any]) -> None:
    for distribution in of_type(form, "AWS::CloudFront::Distribution").values():
        config = distribution["DistributionConfig"]
        for behaviour in (config["DefaultCacheBehavior"], *config["CacheBehaviors"]):
            attached = [each["FunctionARN"] for each in behaviour.get("FunctionAssociations", [])]
            verified = attached == [{"Fn::GetAtt": ["EdgeFunction", "FunctionMetadata.FunctionARN"]}]
            assert verified == (behaviour["TargetOriginId"] == "relay")
            assert behaviour["ViewerProtocolPolicy"] in ("https-only", "redirect-to-https")


#: Amazon's managed policies. Only one that takes all headers brings `Authorization` to the origin.
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


@pytest.mark.parametrize("name", ["edge", "no page", "alb", "both"])
def test_the_credential_of_a_native_client_passes_the_media_edge(made: dict[str, Any], name: str) -> None:
    (distribution,) = of_type(decide(made, FORMS[name]), "AWS::CloudFront::Distribution").values()
    config = distribution["DistributionConfig"]
    roads = [each for each in config["CacheBehaviors"] if each["TargetOriginId"] == "relay"]
    assert roads
    for each in roads:
        assert (each["OriginRequestPolicyId"], each["CachePolicyId"]) == (ALL_VIEWER, CACHING_DISABLED)


def test_with_a_load_balancer_each_slot_has_its_path_and_targets(made: dict[str, Any]) -> None:
    """Rules and groups cost nothing while no task is registered."""
    form, slots = decide(made, {"MediaIngress": "alb"}), 8
    rules = of_type(form, "AWS::ElasticLoadBalancingV2::ListenerRule")
    paths = {r["Conditions"][0]["PathPatternConfig"]["Values"][0]: r["Actions"][0] for r in rules.values()}
    assert {path: action["TargetGroupArn"]["Ref"] for path, action in paths.items()} == {
        f"/r/{slot}/*": f"Slot{slot}Targets" for slot in range(slots)
    }
    (task,) = of_type(form, "AWS::ECS::TaskDefinition").values()
    environment = {e["Name"]: e["Value"] for e in task["ContainerDefinitions"][0]["Environment"]}
    _, groups = environment["TARGET_GROUPS"]["Fn::Join"]
    assert groups == [{"Ref": f"Slot{slot}Targets"} for slot in range(slots)]
    session = form["Resources"]["SessionFunction"]["Properties"]["Environment"]["Variables"]
    assert session["RELAY_PLACES"] == str(slots)


def test_a_function_of_the_gateway_is_never_in_a_loop_with_the_distribution(made: dict[str, Any]) -> None:
    """session needs the distribution's name, the page's function must therefore not need session."""
    for given in FORMS.values():
        form = decide(made, given)
        edges = {
            name: (set(references(each)) | set(listed(each.get("DependsOn", [])))) & form["Resources"].keys()
            for name, each in form["Resources"].items()
        }
        done: set[str] = set()
        while ready := {name for name, needs in edges.items() if needs <= done} - done:
            done |= ready
        assert edges.keys() - done == set()


def test_message_bodies_are_never_traced(form: dict[str, Any]) -> None:
    (stage,) = of_type(form, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"]["DataTraceEnabled"] is False
    assert "LoggingLevel" not in stage["DefaultRouteSettings"]
    assert stage["DefaultRouteSettings"]["DetailedMetricsEnabled"] is False, "each route's would be paid for"


def test_the_table_forgets_and_can_be_recovered(form: dict[str, Any]) -> None:
    (table,) = of_type(form, "AWS::DynamoDB::Table").values()
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True


@pytest.mark.parametrize("is_protected", [True, False])
def test_the_table_outlives_the_stack_if_that_is_asked_for(made: dict[str, Any], is_protected: bool) -> None:
    form = decide(made, {"ProtectTable": "true"} if is_protected else {})
    (table,) = of_type(form, "AWS::DynamoDB::Table").values()
    assert table["DeletionProtectionEnabled"] is is_protected


def test_a_level_is_offered_only_if_something_is_logged_at_it(made: dict[str, Any]) -> None:
    """Lambda's own floor is INFO, and powertools warns at each start of a level below it."""
    code = [path for room in ("functions", "relay") for path in (ROOT / room).rglob("*.py")]
    assert not any("logger.debug(" in path.read_text() for path in code)
    assert made["Parameters"]["LogLevel"]["AllowedValues"] == ["INFO", "WARNING", "ERROR"]


def test_alarms_look_at_metrics_that_exist(form: dict[str, Any]) -> None:
    ours = {"handler_failures", "mint_failures", "relays_given_up", "voice_latency_ms", "talk_s"}
    written = "".join(
        path.read_text() for path in (*(ROOT / "functions").rglob("*.py"), *(ROOT / "relay").rglob("*.py"))
    )
    assert all(f'"{name}"' in written for name in ours)
    for alarm in of_type(form, "AWS::CloudWatch::Alarm").values():
        single = [alarm] if "MetricName" in alarm else []
        parts = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for metric in single + parts:
            known = ours if metric["Namespace"] == "Vivavoce" else {"Errors", "Throttles"}
            assert metric["MetricName"] in known


def test_alarms_cost_nothing_while_nobody_talks(form: dict[str, Any]) -> None:
    """Ten alarm metrics are free, and every metric of an expression is one."""
    counted = 0
    for alarm in of_type(form, "AWS::CloudWatch::Alarm").values():
        counted += sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1
    assert counted <= 10


def test_a_budget_in_dollars_tells_who_is_told_of_alarms(made: dict[str, Any]) -> None:
    assert not of_type(decide(made, {"AlarmEmail": "ops@example.com"}), "AWS::Budgets::Budget")
    (budget,) = of_type(decide(made, FORMS["budget"]), "AWS::Budgets::Budget").values()
    assert budget["Budget"]["BudgetLimit"] == {"Amount": {"Ref": "MonthlyBudget"}, "Unit": "USD"}
    told = [each["Subscribers"] for each in budget["NotificationsWithSubscribers"]]
    assert told == [[{"SubscriptionType": "EMAIL", "Address": {"Ref": "AlarmEmail"}}]] * 2
    (assertion,) = made["Rules"]["BudgetAndEmail"]["Assertions"]
    assert not holds(assertion["Assert"], {"MonthlyBudget": "50", "AlarmEmail": ""})
    assert holds(assertion["Assert"], {"MonthlyBudget": "0", "AlarmEmail": ""})


def rules_of(form: dict[str, Any], function: str) -> list[Any]:
    """The event rules that call a function."""
    rules = of_type(form, "AWS::Events::Rule").values()
    return [rule for rule in rules if rule["Targets"][0]["Arn"] == {"Fn::GetAtt": [function, "Arn"]}]


def test_the_sweep_is_told_of_every_task_of_the_cluster_that_has_stopped(form: dict[str, Any]) -> None:
    told = [rule["EventPattern"] for rule in rules_of(form, "SweepFunction") if "EventPattern" in rule]
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [{"Fn::GetAtt": ["Cluster", "Arn"]}], "lastStatus": ["STOPPED"]},
    }
    assert told == ([pattern] if has_tasks(form) else [])


def test_the_sweep_is_called_every_minute_and_knows_the_same_relays_as_session(form: dict[str, Any]) -> None:
    (rule,) = [rule for rule in rules_of(form, "SweepFunction") if "ScheduleExpression" in rule]
    assert rule["ScheduleExpression"] == "rate(1 minute)" and rule.get("State", "ENABLED") == "ENABLED"
    given = form["Resources"]["SweepFunction"]["Properties"]["Environment"]["Variables"]
    session = form["Resources"]["SessionFunction"]["Properties"]["Environment"]["Variables"]
    shared = given.keys() & session.keys()
    assert "RELAY_HOMES" in shared and {name: given[name] for name in shared} == {
        name: session[name] for name in shared
    }
    has_balancer = bool(of_type(form, "AWS::ElasticLoadBalancingV2::LoadBalancer"))
    assert ("RELAY_PLACES" in shared) == has_balancer, "else deployment.yaml says"


def test_the_edge_function_is_made_when_its_store_has_been_written_to(form: dict[str, Any]) -> None:
    """One that was just made may refuse to be associated."""
    assert [each["DependsOn"] for name, each in form["Resources"].items() if name == "EdgeFunction"] == (
        ["Keys"] if has_tasks(form) else []
    )


def holds(rule: Any, given: dict[str, str]) -> Any:
    match rule:
        case {"Ref": name}:
            return given[name]
        case {"Fn::Equals": [left, right]}:
            return holds(left, given) == holds(right, given)
        case {"Fn::Not": [inner]}:
            return not holds(inner, given)
        case {"Fn::And": parts}:
            return all(holds(part, given) for part in parts)
        case {"Fn::Or": parts}:
            return any(holds(part, given) for part in parts)
        case {"Fn::Contains": [values, value]}:
            return holds(value, given) in values
    return rule


def test_a_task_is_defined_as_small_as_it_is_started_by_default(made: dict[str, Any]) -> None:
    (task,) = of_type(decide(made, {}), "AWS::ECS::TaskDefinition").values()
    assert {"cpu": task["Cpu"], "memory": task["Memory"]} == ecs_launcher.DEFINED
    assert (SETTINGS["RelayCpu"].default, SETTINGS["RelayMemory"].default) == (task["Cpu"], task["Memory"])


def test_the_dashboard_is_json(form: dict[str, Any]) -> None:
    (dashboard,) = of_type(form, "AWS::CloudWatch::Dashboard").values()
    text, named = dashboard["DashboardBody"]["Fn::Sub"]
    assert len(json.loads(text)["widgets"]) == 6 and named.keys() == {"Logs"}


def test_the_template_holds_the_sources_that_it_must_carry() -> None:
    text = TEMPLATE.read_text()
    assert embed(text) == text, "run python -m infra.deploy.embed"
    form = decide(transform(TEMPLATE), {})
    (function,) = of_type(form, "AWS::CloudFront::Function").values()
    assert function["FunctionCode"] == (ROOT / "infra/edge/route.js").read_text()
    (task,) = of_type(form, "AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    assert container["EntryPoint"] == ["python", "-c", (ROOT / "infra/relay/bootstrap.py").read_text()]
    assert container["Command"] == ["python", "-m", "relay"]


def test_all_tasks_of_a_deployment_start_from_one_image_by_its_digest(made: dict[str, Any]) -> None:
    """It is looked up anew with each new bundle."""
    form = decide(made, {})
    (task,) = of_type(form, "AWS::ECS::TaskDefinition").values()
    assert task["ContainerDefinitions"][0]["Image"] == {"Fn::GetAtt": ["Keys", "RelayImage"]}
    (keys,) = of_type(form, "Custom::Keys").values()
    assert keys["Image"].startswith("public.ecr.aws/") and keys["Bundle"]["Ref"].startswith("RelayBundle")


def test_with_an_image_of_ones_own_nothing_is_fetched(made: dict[str, Any]) -> None:
    form = decide(made, FORMS["own image"])
    (task,) = of_type(form, "AWS::ECS::TaskDefinition").values()
    assert "EntryPoint" not in task["ContainerDefinitions"][0]
    assert "FetchBundle" not in {statement["Sid"] for _, statement in statements(form)}


def test_microvms_are_there_only_where_they_are_asked_for_and_in_a_region_that_has_them(
    made: dict[str, Any],
) -> None:
    kinds = {"AWS::Lambda::MicrovmImage"}
    assert not any(each["Type"] in kinds for each in decide(made, {})["Resources"].values())
    form = decide(made, FORMS["both"])
    (image,) = of_type(form, "AWS::Lambda::MicrovmImage").values()
    assert image["Resources"] == [{"MinimumMemoryInMiB": 512}]
    said = {(role, each["Sid"]): each for role, each in statements(form)}
    for role in ("SessionFunctionRole", "SweepFunctionRole"):
        assert said[role, "Microvms"]["Resource"]["Fn::Sub"].endswith(
            ":microvm-image:${AWS::StackName}-relay"
        )
        assert said[role, "HandRoleToMicrovm"]["Resource"] == {"Fn::GetAtt": ["MicrovmRole", "Arn"]}
    started = {"lambda:RunMicrovm", "lambda:ResumeMicrovm"}
    led_there = {"lambda:GetMicrovm", "lambda:CreateMicrovmAuthToken"}
    assert set(said["SessionFunctionRole", "Microvms"]["Action"]) == started | led_there
    assert set(said["SweepFunctionRole", "Microvms"]["Action"]) == started | {"lambda:SuspendMicrovm"}
    ended = {"lambda:GetMicrovm", "lambda:TerminateMicrovm"}
    assert set(said["SweepFunctionRole", "EndMicrovms"]["Action"]) == ended


def test_a_relay_may_do_the_same_in_both_homes_but_for_what_only_a_task_needs(made: dict[str, Any]) -> None:
    form = decide(made, FORMS["both"])
    of = {
        role: {each["Sid"]: each for name, each in statements(form) if name == role}
        for role in ("RelayRole", "MicrovmRole")
    }
    assert of["MicrovmRole"].keys() == {"Record", "MintAndReady", "Logs"}
    for sid in ("Record", "MintAndReady"):
        assert of["MicrovmRole"][sid] == of["RelayRole"][sid]


def test_a_microvm_has_the_hooks_that_the_relay_answers_and_time_to_drain(made: dict[str, Any]) -> None:
    from relay.task import microvm

    (image,) = of_type(decide(made, FORMS["both"]), "AWS::Lambda::MicrovmImage").values()
    hooks = {**image["Hooks"]["MicrovmHooks"], **image["Hooks"]["MicrovmImageHooks"]}
    enabled = {name.lower() for name, state in hooks.items() if state == "ENABLED"}
    assert enabled == {"ready", "validate", "run", "resume", "suspend", "terminate"}
    given = {pair["Key"]: pair["Value"] for pair in image["EnvironmentVariables"]}
    assert image["Hooks"]["Port"] == microvm.HOOKS_PORT and given["RELAY_PORT"] == "8080"
    assert int(given["DRAIN_SECONDS"]) + 10 < hooks["TerminateTimeoutInSeconds"]
