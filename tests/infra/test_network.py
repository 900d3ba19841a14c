"""Where relay tasks live: in a network that the deployment makes, or in one that is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.deploy.embed import TEMPLATE
from infra.local.template import decide, transform
from tests.infra.test_deployment import FORMS, holds, of_type

MADE = {"VPC", "InternetGateway", "VPCGatewayAttachment", "Subnet", "RouteTable", "Route"}
MADE |= {"SubnetRouteTableAssociation"}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return transform(TEMPLATE)


@pytest.mark.parametrize("ingress", ["edge", "alb"])
def test_in_a_vpc_that_is_there_no_network_is_made(made: dict[str, Any], ingress: str) -> None:
    form = decide(made, FORMS["own VPC"] | {"MediaIngress": ingress})
    kinds = {each["Type"].removeprefix("AWS::EC2::") for each in form["Resources"].values()}
    assert not kinds & MADE
    groups = of_type(form, "AWS::EC2::SecurityGroup")
    assert groups and all(group["VpcId"] == {"Ref": "VpcId"} for group in groups.values())
    for name in ("SessionFunction", "SweepFunction"):
        given = form["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert given["RELAY_SUBNETS"] == {"Ref": "SubnetIds"}
    for balancer in of_type(form, "AWS::ElasticLoadBalancingV2::LoadBalancer").values():
        assert balancer["Subnets"] == {"Fn::Split": [",", {"Ref": "SubnetIds"}]}


def test_a_vpc_and_its_subnets_go_together(made: dict[str, Any]) -> None:
    (assertion,) = made["Rules"]["VpcAndSubnets"]["Assertions"]
    both = {"VpcId": "vpc-0a", "SubnetIds": "subnet-0a,subnet-0b"}
    for given, is_right in ((both, True), (dict.fromkeys(both, ""), True)):
        assert holds(assertion["Assert"], given) is is_right
    assert not any(holds(assertion["Assert"], both | {name: ""}) for name in both)


def test_the_zones_are_aws_s_first_two_or_those_that_are_named(made: dict[str, Any]) -> None:
    for given, source in (
        ({}, {"Fn::GetAZs": ""}),
        (FORMS["zones, boundary"], {"Fn::Split": [",", {"Ref": "Zones"}]}),
    ):
        subnets = of_type(decide(made, given), "AWS::EC2::Subnet")
        zones = [subnets[name]["AvailabilityZone"] for name in ("SubnetA", "SubnetB")]
        assert zones == [{"Fn::Select": [number, source]} for number in (0, 1)]


def test_a_boundary_is_on_every_role_and_none_where_none_is_set(made: dict[str, Any]) -> None:
    bound = of_type(decide(made, FORMS["zones, boundary"]), "AWS::IAM::Role")
    assert len(bound) >= 8
    assert all(role["PermissionsBoundary"] == {"Ref": "PermissionsBoundary"} for role in bound.values())
    assert 'PermissionsBoundary"' not in json.dumps(of_type(decide(made, {}), "AWS::IAM::Role"))


def test_a_task_is_tagged_with_whose_it_is(made: dict[str, Any]) -> None:
    """Its definition's tags are taken on by `propagateTags`, which needs a right of its own."""
    form = decide(made, {})
    (task,) = of_type(form, "AWS::ECS::TaskDefinition").values()
    assert {"Key": "vivavoce", "Value": {"Ref": "AWS::StackName"}} in task["Tags"]
    for role in ("SessionFunctionRole", "SweepFunctionRole"):
        (policy,) = form["Resources"][role]["Properties"]["Policies"]
        (tag,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == "TagRelay"]
        assert tag["Action"] == "ecs:TagResource"
        assert tag["Condition"] == {"StringEquals": {"ecs:CreateAction": "RunTask"}}
        assert tag["Resource"]["Fn::Sub"].endswith(":task/${Cluster}/*")
