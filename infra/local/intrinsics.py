"""CloudFormation's intrinsic functions, resolved on this machine.

Enough of them to read a template for what the local stack runs: functions, routes, a table, a task.
Resources get made-up physical ids that depend only on the stack's and the resource's name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A made-up account: 12 digits, as every ARN parser expects.
ACCOUNT = "000000000000"

_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class UnresolvedIntrinsic(ValueError):
    """The template uses something that the local stack does not know how to answer."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What names in one template stand for. `parameters` are final, defaults already applied."""

    stack: str
    region: str
    parameters: Mapping[str, str]
    resources: Mapping[str, Any]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic in it replaced. Raises UnresolvedIntrinsic."""
        match value:
            case dict() if len(value) == 1 and (name := next(iter(value))) in _FUNCTIONS:
                return _FUNCTIONS[name](self, value[name])
            case dict() if any(str(name).startswith("Fn::") for name in value):
                raise UnresolvedIntrinsic(f"{next(iter(value))} is not supported")
            case dict():
                pairs = ((name, self.resolve(item)) for name, item in value.items())
                return {name: item for name, item in pairs if item is not _NO_VALUE}
            case list():
                return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
        return value

    def ref(self, name: str) -> Any:
        """What `!Ref name` gives: a pseudo parameter, a parameter or a resource's physical id."""
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in (pseudo := self._pseudo()):
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self._physical(name, "Ref")

    def attribute(self, name: str, attribute: str) -> str:
        """What `!GetAtt name.attribute` gives; only the attributes that are in `_ATTRIBUTES`."""
        return self._physical(name, attribute)

    def condition(self, name: str) -> bool:
        """Whether the named condition of the template holds."""
        if name not in self.conditions:
            raise UnresolvedIntrinsic(f"there is no condition {name}")
        return bool(self.resolve(self.conditions[name]))

    def _pseudo(self) -> dict[str, str]:
        return {
            "AWS::StackName": self.stack,
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }

    def _physical(self, name: str, attribute: str) -> str:
        if name not in self.resources:
            raise UnresolvedIntrinsic(f"{name} is neither a parameter nor a resource")
        resource = self.resources[name]
        form = _ATTRIBUTES.get((resource["Type"], attribute))
        if form is None:
            raise UnresolvedIntrinsic(f"{attribute} of {name} ({resource['Type']}) is not known here")
        properties = resource.get("Properties", {})
        given = {key: self.resolve(properties[key]) for key in _NAMES if key in properties}
        id = next(iter(given.values()), f"{self.stack}-{name}")
        return form.format(id=id, low=name.lower(), region=self.region, account=ACCOUNT)


#: Properties that give a resource its physical name.
_NAMES = (
    "FunctionName",
    "TableName",
    "ClusterName",
    "RoleName",
    "LogGroupName",
    "Family",
    "LayerName",
    "Name",
)

#: (resource type, "Ref" or attribute) -> the physical form.
_ATTRIBUTES = {
    ("AWS::ApiGatewayV2::Api", "Ref"): "{low}",
    ("AWS::ApiGatewayV2::Integration", "Ref"): "{low}",
    ("AWS::ApiGatewayV2::Route", "Ref"): "{low}",
    ("Custom::Keys", "RelayImage"): "public.ecr.aws/docker/library/python@sha256:0",
    ("AWS::CloudFront::Distribution", "DomainName"): "{low}.cloudfront.net",
    ("AWS::CloudFront::KeyValueStore", "Arn"): "arn:aws:cloudfront::{account}:key-value-store/{low}",
    ("AWS::DynamoDB::Table", "Ref"): "{id}",
    ("AWS::DynamoDB::Table", "Arn"): "arn:aws:dynamodb:{region}:{account}:table/{id}",
    ("AWS::Lambda::Function", "Ref"): "{id}",
    ("AWS::Lambda::Function", "Arn"): "arn:aws:lambda:{region}:{account}:function:{id}",
    ("AWS::Lambda::MicrovmImage", "ImageArn"): "arn:aws:lambda:{region}:{account}:microvm-image:{id}",
    ("AWS::Lambda::MicrovmImage", "LatestActiveImageVersion"): "1",
    ("AWS::Lambda::LayerVersion", "Ref"): "arn:aws:lambda:{region}:{account}:layer:{id}:1",
    ("AWS::ECS::Cluster", "Ref"): "{id}",
    ("AWS::ECS::Cluster", "Arn"): "arn:aws:ecs:{region}:{account}:cluster/{id}",
    ("AWS::ECS::TaskDefinition", "Ref"): "arn:aws:ecs:{region}:{account}:task-definition/{id}:1",
    ("AWS::EC2::SecurityGroup", "Ref"): "sg-{low}",
    ("AWS::EC2::SecurityGroup", "GroupId"): "sg-{low}",
    ("AWS::EC2::Subnet", "Ref"): "subnet-{low}",
    ("AWS::EC2::VPC", "Ref"): "vpc-{low}",
    ("AWS::IAM::Role", "Ref"): "{id}",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::{account}:role/{id}",
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Ref"): (
        "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{id}/0123456789abcdef"
    ),
    ("AWS::Logs::LogGroup", "Ref"): "{id}",
    ("AWS::Logs::LogGroup", "Arn"): "arn:aws:logs:{region}:{account}:log-group:{id}:*",
}


def _get_att(scope: Scope, argument: Any) -> str:
    name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.attribute(name, attribute)


def _sub(scope: Scope, argument: Any) -> str:
    text, local = (argument, {}) if isinstance(argument, str) else argument

    def fill(found: re.Match[str]) -> str:
        literal, name = found[1], found[2]
        if literal:
            return "${" + name + "}"
        if name in local:
            return str(scope.resolve(local[name]))
        return str(scope.attribute(*name.split(".", 1)) if "." in name else scope.ref(name))

    return _PLACEHOLDER.sub(fill, text)


def _join(scope: Scope, argument: Any) -> str:
    separator, items = argument
    return str(separator).join(str(item) for item in scope.resolve(items))


def _select(scope: Scope, argument: Any) -> Any:
    index, items = argument
    return scope.resolve(items)[int(index)]


def _split(scope: Scope, argument: Any) -> list[str]:
    separator, text = argument
    return str(scope.resolve(text)).split(separator)


def _if(scope: Scope, argument: Any) -> Any:
    name, then, otherwise = argument
    return scope.resolve(then if scope.condition(name) else otherwise)


def _equals(scope: Scope, argument: Any) -> bool:
    left, right = argument
    return str(scope.resolve(left)) == str(scope.resolve(right))


def _find_in_map(scope: Scope, argument: Any) -> Any:
    table, first, second = (scope.resolve(part) for part in argument)
    try:
        return scope.mappings[table][first][second]
    except KeyError as missing:
        raise UnresolvedIntrinsic(f"the mapping {table} has no {missing}") from None


def _zones(scope: Scope, _argument: Any) -> list[str]:
    return [f"{scope.region}{letter}" for letter in "abc"]


_FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Ref": Scope.ref,
    "Condition": Scope.condition,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::And": lambda scope, items: all(scope.resolve(item) for item in items),
    "Fn::Or": lambda scope, items: any(scope.resolve(item) for item in items),
    "Fn::Not": lambda scope, items: not scope.resolve(items[0]),
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _zones,
}
