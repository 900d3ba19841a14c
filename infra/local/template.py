"""Reads template.yaml into what the local stack has to run, so that the two cannot drift apart.

The template is transformed by the library that the deployment uses (aws-sam-translator), in process
and without credentials, and its intrinsics are resolved for one set of parameters.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from functions.core.runtime.settings import SETTINGS, variables
from infra.local.intrinsics import Scope, UnresolvedIntrinsic
from infra.local.rules import Rule, check
from infra.local.schedule import Schedule, period_s

#: The one managed policy that SAM adds by itself; it would look it up in IAM otherwise.
_BASIC_EXECUTION = {
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}
_FUNCTION_OF_URI = re.compile(r":function:([^:/]+)(?::[^/]+)?/invocations$")


class TemplateError(ValueError):
    """The template does not describe a stack that can run here; the message names the place."""


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function. `environment` is all that the template gives it, and nothing else."""

    name: str
    handler: str
    memory_mb: int
    timeout_s: float
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the WebSocket API. `replies`: the function's return value goes to the client."""

    key: str
    function: str
    timeout_s: float
    replies: bool


@dataclass(frozen=True, slots=True)
class Api:
    """The WebSocket API. `url` is what the template calls it: https://{api}.execute-api.…/{stage}."""

    url: str
    stage: str
    selection: str  #: the route selection expression
    routes: Mapping[str, Route]


@dataclass(frozen=True, slots=True)
class Table:
    """The record's table: arguments for CreateTable, and the attribute that expires items."""

    name: str
    definition: Mapping[str, Any]
    ttl_attribute: str


@dataclass(frozen=True, slots=True)
class Task:
    """The relay's task definition, one container. `stop_timeout_s` lies between SIGTERM and SIGKILL."""

    arn: str
    cluster: str
    container: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stop_timeout_s: float


NO_TASKS = Task("", "", "", (), {}, 0.0)  #: relays live elsewhere: no cluster has that name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The relay's MicroVM image. `hooks` has the time limits in seconds of those that are ENABLED."""

    arn: str
    version: str
    environment: Mapping[str, str]
    hooks: Mapping[str, float]
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Stack:
    """A template with nothing left to resolve."""

    name: str
    region: str
    parameters: Mapping[str, str]
    api: Api
    functions: Mapping[str, Function]
    table: Table
    task: Task
    schedules: tuple[Schedule, ...] = ()
    rules: tuple[Rule, ...] = ()
    snapshot: Snapshot | None = None  #: where relays live in MicroVMs


def transform(path: Path, *, region: str = "us-east-1") -> dict[str, Any]:
    """The CloudFormation template that SAM makes of `path`. Raises TemplateError."""
    source = yaml_parse(path.read_text(encoding="utf-8"))
    _pretend_upload(source)
    translator = Translator(_BASIC_EXECUTION, Parser(), boto_session=boto3.Session(region_name=region))
    try:
        made = translator.translate(source, {})
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise TemplateError(f"{path.name} does not transform: {causes}") from error
    return dict(made)


def _pretend_upload(source: dict[str, Any]) -> None:
    """A deployment uploads code first and writes its address down; the transform insists on one."""
    source.setdefault("Globals", {}).setdefault("Function", {})["CodeUri"] = "s3://local/code.zip"
    for resource in source.get("Resources", {}).values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://local/layer.zip"


def read_template(
    path: Path, parameters: Mapping[str, str], *, stack: str, region: str = "us-east-1"
) -> Stack:
    """The stack that `path` describes under `parameters`; the others keep their defaults.

    What functions would read from deployment.yaml may be among them, and is laid into their environment.
    Raises TemplateError for a missing or unknown parameter or resource, or for an intrinsic that
    cannot be resolved here; SettingsError.
    """
    made = transform(path, region=region)
    of_file = {name: value for name, value in parameters.items() if name in SETTINGS}
    rest = {name: value for name, value in parameters.items() if name not in of_file}
    scope = Scope(
        stack=stack,
        region=region,
        parameters=_parameters(made.get("Parameters", {}), rest),
        resources=made["Resources"],
        conditions=made.get("Conditions", {}),
        mappings=made.get("Mappings", {}),
    )
    try:
        return _set(_read_stack(scope), of_file)
    except UnresolvedIntrinsic as error:
        raise TemplateError(f"{path.name}: {error}") from error


def decide(
    made: Mapping[str, Any], parameters: Mapping[str, str], region: str = "us-east-1"
) -> dict[str, Any]:
    """A transformed template as it is deployed under `parameters`: nothing in it depends on a condition.

    Every other intrinsic stays. Raises TemplateError for an unknown parameter.
    """
    scope = Scope(
        stack="stack",
        region=region,
        parameters=_parameters(made.get("Parameters", {}), parameters),
        resources=made["Resources"],
        conditions=made.get("Conditions", {}),
    )

    def decided(value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(decided, value) if each != {"Ref": "AWS::NoValue"}]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            name, then, otherwise = value["Fn::If"]
            return decided(then if scope.condition(name) else otherwise)
        pairs = ((name, decided(each)) for name, each in value.items())
        return {name: each for name, each in pairs if each != {"Ref": "AWS::NoValue"}}

    def kept(section: Mapping[str, Any]) -> dict[str, Any]:
        there = (
            (name, each)
            for name, each in section.items()
            if "Condition" not in each or scope.condition(each["Condition"])
        )
        return {
            name: {key: part for key, part in decided(each).items() if key != "Condition"}
            for name, each in there
        }

    rest = {key: value for key, value in made.items() if key != "Conditions"}
    return rest | {"Resources": kept(made["Resources"]), "Outputs": kept(made.get("Outputs", {}))}


def localise(stack: Stack, addresses: Mapping[str, str]) -> Stack:
    """`stack` with an address of AWS (a key of `addresses`) replaced by a local one, in every environment.

    Only whole values are replaced. This is the one place where the local stack changes a setting;
    the code that reads it cannot tell the difference.
    """

    def local(environment: Mapping[str, str]) -> dict[str, str]:
        return {name: addresses.get(value, value) for name, value in environment.items()}

    functions = {
        name: replace(function, environment=local(function.environment))
        for name, function in stack.functions.items()
    }
    task = replace(stack.task, environment=local(stack.task.environment))
    snapshot = stack.snapshot and replace(stack.snapshot, environment=local(stack.snapshot.environment))
    return replace(stack, functions=functions, task=task, snapshot=snapshot)


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    if unknown := given.keys() - declared.keys():
        raise TemplateError(f"no such parameter: {', '.join(sorted(unknown))}")
    values = {name: str(spec["Default"]) for name, spec in declared.items() if "Default" in spec}
    values.update(given)
    if missing := declared.keys() - values.keys():
        raise TemplateError(f"no value for the parameter: {', '.join(sorted(missing))}")
    return values


def _set(stack: Stack, of_file: Mapping[str, str]) -> Stack:
    """With settings of deployment.yaml in the environment of the functions that read them."""

    def laid(function: Function) -> Function:
        under = variables(of_file, function.name.rpartition("-")[2])
        return replace(function, environment={**under, **function.environment})

    return replace(stack, functions={name: laid(function) for name, function in stack.functions.items()})


def _read_stack(scope: Scope) -> Stack:
    functions = {function.name: function for function in _functions(scope)}
    return Stack(
        name=scope.stack,
        region=scope.region,
        parameters=dict(scope.parameters),
        api=_api(scope, functions),
        functions=functions,
        table=_table(scope),
        task=next(_tasks(scope), NO_TASKS),
        schedules=tuple(_schedules(scope)),
        rules=tuple(_rules(scope)),
        snapshot=next(_snapshots(scope), None),
    )


def _of_type(scope: Scope, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in scope.resources.items():
        wanted = "Condition" not in resource or scope.condition(resource["Condition"])
        if resource["Type"] == kind and wanted:
            yield name, resource.get("Properties", {})


def _only(scope: Scope, kind: str) -> tuple[str, dict[str, Any]]:
    found = list(_of_type(scope, kind))
    if len(found) != 1:
        raise TemplateError(f"expected one {kind}, found {len(found)}")
    name, properties = found[0]
    return name, scope.resolve(properties)


def _functions(scope: Scope) -> Iterator[Function]:
    for name, properties in _of_type(scope, "AWS::Lambda::Function"):
        variables = scope.resolve(properties.get("Environment", {}).get("Variables", {}))
        yield Function(
            name=str(scope.ref(name)),
            handler=str(properties["Handler"]),
            memory_mb=int(scope.resolve(properties.get("MemorySize", 128))),
            timeout_s=float(scope.resolve(properties.get("Timeout", 3))),
            environment={key: str(value) for key, value in variables.items()},
        )


def _api(scope: Scope, functions: Mapping[str, Function]) -> Api:
    name, api = _only(scope, "AWS::ApiGatewayV2::Api")
    _, stage = _only(scope, "AWS::ApiGatewayV2::Stage")
    stage_name = str(stage["StageName"])
    return Api(
        url=f"https://{scope.ref(name)}.execute-api.{scope.region}.amazonaws.com/{stage_name}",
        stage=stage_name,
        selection=str(api["RouteSelectionExpression"]),
        routes={route.key: route for route in _routes(scope, functions)},
    )


def _routes(scope: Scope, functions: Mapping[str, Function]) -> Iterator[Route]:
    answered = {
        response["RouteId"]["Ref"]
        for _, response in _of_type(scope, "AWS::ApiGatewayV2::RouteResponse")
        if response["RouteResponseKey"] == "$default"
    }
    integrations = dict(_of_type(scope, "AWS::ApiGatewayV2::Integration"))
    by_id = {str(scope.ref(name)): properties for name, properties in integrations.items()}
    for name, route in _of_type(scope, "AWS::ApiGatewayV2::Route"):
        integration = by_id[str(scope.resolve(route["Target"])).removeprefix("integrations/")]
        found = _FUNCTION_OF_URI.search(str(scope.resolve(integration["IntegrationUri"])))
        if found is None or found[1] not in functions:
            raise TemplateError(f"the route {route['RouteKey']} leads to no function of this template")
        yield Route(
            key=str(route["RouteKey"]),
            function=found[1],
            timeout_s=int(integration.get("TimeoutInMillis", 29_000)) / 1000,
            replies=name in answered and route.get("RouteResponseSelectionExpression") == "$default",
        )


def _table(scope: Scope) -> Table:
    name, properties = _only(scope, "AWS::DynamoDB::Table")
    kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    physical = str(scope.ref(name))
    definition = {key: properties[key] for key in kept if key in properties}
    ttl = properties.get("TimeToLiveSpecification", {})
    return Table(physical, {"TableName": physical, **definition}, str(ttl.get("AttributeName", "")))


def _tasks(scope: Scope) -> Iterator[Task]:
    for name, properties in _of_type(scope, "AWS::ECS::TaskDefinition"):
        cluster, _ = _only(scope, "AWS::ECS::Cluster")
        containers = scope.resolve(properties["ContainerDefinitions"])
        if len(containers) != 1:
            raise TemplateError(f"the task definition has {len(containers)} containers, not one")
        container = containers[0]
        yield Task(
            arn=str(scope.ref(name)),
            cluster=str(scope.ref(cluster)),
            container=str(container["Name"]),
            command=tuple(map(str, container["Command"])),
            environment={pair["Name"]: str(pair["Value"]) for pair in container.get("Environment", ())},
            stop_timeout_s=float(container.get("StopTimeout", 30)),
        )


def _snapshots(scope: Scope) -> Iterator[Snapshot]:
    for name, properties in _of_type(scope, "AWS::Lambda::MicrovmImage"):
        image = scope.resolve(properties)
        hooks = {**image["Hooks"]["MicrovmHooks"], **image["Hooks"]["MicrovmImageHooks"]}
        yield Snapshot(
            arn=str(scope.attribute(name, "ImageArn")),
            version=str(scope.attribute(name, "LatestActiveImageVersion")),
            environment={pair["Key"]: str(pair["Value"]) for pair in image["EnvironmentVariables"]},
            hooks={
                hook.lower(): float(hooks[f"{hook}TimeoutInSeconds"])
                for hook, state in hooks.items()
                if state == "ENABLED"
            },
            memory_mb=int(image["Resources"][0]["MinimumMemoryInMiB"]),
        )


def _schedules(scope: Scope) -> Iterator[Schedule]:
    for name, properties in _of_type(scope, "AWS::Events::Rule"):
        rule = scope.resolve(properties)
        if "EventPattern" in rule:
            continue
        try:
            every_s = period_s(str(rule["ScheduleExpression"]))
        except ValueError as error:
            raise TemplateError(f"{name}: {error}") from None
        for target in rule["Targets"]:
            event = json.loads(target["Input"]) if "Input" in target else None
            yield Schedule(str(target["Arn"]).rpartition(":")[2], every_s, event)


def _rules(scope: Scope) -> Iterator[Rule]:
    for name, properties in _of_type(scope, "AWS::Events::Rule"):
        rule = scope.resolve(properties)
        if "EventPattern" not in rule:
            continue
        try:
            check(rule["EventPattern"])
        except ValueError as error:
            raise TemplateError(f"{name}: {error}") from None
        for target in rule["Targets"]:
            yield Rule(str(target["Arn"]).rpartition(":")[2], rule["EventPattern"])
