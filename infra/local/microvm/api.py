"""The API, by botocore's own model `lambda-microvms`: paths, required members, limits, shapes of answers.

What the model says is checked by botocore's validator, both ways, so that nothing passes here that a client
could not send or read. Its errors are in the model too.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from aiohttp import web
from aiohttp.typedefs import Middleware
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from infra.local.endpoint import AwsError
from infra.local.microvm.fleet import Machines
from infra.local.microvm.machine import Machine
from infra.local.microvm.proxy import Proxy, Token

LONGEST_S = 28_800
PAGE = 50

Call = Callable[[dict[str, Any]], dict[str, Any]]


def microvms_app(machines: Machines, proxy: Proxy, guard: Middleware) -> web.Application:
    """The operations that stand here, at the paths of the model; the others are 404."""
    model = botocore.session.get_session().get_service_model("lambda-microvms")
    app = web.Application(middlewares=[guard])
    for name, call in Microvms(machines, proxy).calls().items():
        operation = model.operation_model(name)
        path = operation.http["requestUri"]
        app.router.add_route(operation.http["method"], path, _handler(operation, call))
    return app


def _handler(operation: OperationModel, call: Call) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        given: dict[str, Any] = json.loads(body) if body else {}
        query = {name: int(value) if name == "maxResults" else value for name, value in request.query.items()}
        given |= {**request.match_info, **query}
        report = ParamValidator().validate(given, operation.input_shape)
        if report.has_errors():
            raise AwsError(400, "ValidationException", report.generate_report())
        answer = call(given)
        if operation.output_shape is not None:
            report = ParamValidator().validate(answer, operation.output_shape)
            assert not report.has_errors(), report.generate_report()
        return web.json_response(answer, status=operation.http.get("responseCode", 200))

    return handle


class Microvms:
    """RunMicrovm, GetMicrovm, ListMicrovms, Suspend, Resume, Terminate, CreateMicrovmAuthToken; one image."""

    def __init__(self, machines: Machines, proxy: Proxy) -> None:
        self._machines, self._proxy = machines, proxy
        self._by_token: dict[str, tuple[dict[str, Any], Machine]] = {}

    def calls(self) -> Mapping[str, Call]:
        """The calls by the names of the model."""
        return {
            "RunMicrovm": self.run,
            "GetMicrovm": lambda asked: _described(self._found(asked)),
            "ListMicrovms": self.list_all,
            "SuspendMicrovm": self._changes(self._machines.suspend),
            "ResumeMicrovm": self._changes(self._machines.wake),
            "TerminateMicrovm": self._changes(self._machines.terminate),
            "CreateMicrovmAuthToken": self.create_token,
        }

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A new VM; the same clientToken with the same parameters gives the same one."""
        image = self._machines.image
        name = image.arn.rpartition(":")[2]
        if asked["imageIdentifier"] not in {image.arn, name}:
            raise AwsError(404, "ResourceNotFoundException", "The MicroVM image does not exist")
        if asked.get("imageVersion", image.version) != image.version:
            raise AwsError(404, "ResourceNotFoundException", "The version of the image does not exist")
        if (longest_s := asked.get("maximumDurationInSeconds", LONGEST_S)) > LONGEST_S:
            raise AwsError(400, "ValidationException", "maximumDurationInSeconds is over 28800")
        if len(asked.get("runHookPayload", "").encode()) > 4096:
            raise AwsError(400, "ValidationException", "runHookPayload is over 4096 bytes")
        token = asked.get("clientToken", "")
        if token in self._by_token:
            before, machine = self._by_token[token]
            if before != asked:
                raise AwsError(409, "ConflictException", "The clientToken was used with other parameters")
            return _described(machine)
        machine = self._machines.launch(asked.get("runHookPayload", ""), longest_s)
        if token:
            self._by_token[token] = (asked, machine)
        return _described(machine)

    def list_all(self, asked: dict[str, Any]) -> dict[str, Any]:
        """All VMs of the image, those that have ended too; in pages."""
        image = self._machines.image
        is_ours = asked.get("imageIdentifier", image.arn) in {image.arn, image.arn.rpartition(":")[2]}
        machines = list(self._machines.all.values()) if is_ours else []
        start, size = int(asked.get("nextToken") or 0), asked.get("maxResults", PAGE)
        items = [_listed(machine) for machine in machines[start : start + size]]
        is_more = start + size < len(machines)
        return {"items": items, **({"nextToken": str(start + size)} if is_more else {})}

    def create_token(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A token for the ports that were asked for, at most for an hour."""
        machine = self._found(asked)
        if (minutes := asked["expirationInMinutes"]) > 60:
            raise AwsError(400, "ValidationException", "expirationInMinutes is over 60")
        if machine.state in {"TERMINATING", "TERMINATED"}:
            raise AwsError(409, "ConflictException", f"The MicroVM is {machine.state}")
        ranges = [_range(each) for each in asked["allowedPorts"]]
        token = Token(machine.id, time.time() + minutes * 60, ranges)
        return {"authToken": {"X-aws-proxy-auth": self._proxy.grant(token)}}

    def _changes(self, change: Callable[[Machine], None]) -> Call:
        def call(asked: dict[str, Any]) -> dict[str, Any]:
            change(self._found(asked))
            return {}

        return call

    def _found(self, asked: Mapping[str, Any]) -> Machine:
        machine = self._machines.all.get(asked["microvmIdentifier"])
        if machine is None:
            raise AwsError(404, "ResourceNotFoundException", "The MicroVM does not exist")
        return machine


def _range(port: Mapping[str, Any]) -> tuple[int, int]:
    if "port" in port:
        return port["port"], port["port"]
    if "range" in port:
        return port["range"]["startPort"], port["range"]["endPort"]
    return 1, 65_535


def _listed(machine: Machine) -> dict[str, Any]:
    return {
        "microvmId": machine.id,
        "state": machine.state,
        "imageArn": machine.image.arn,
        "imageVersion": machine.image.version,
        "startedAt": machine.started_at,
    }


def _described(machine: Machine) -> dict[str, Any]:
    told = {"endpoint": machine.endpoint, "maximumDurationInSeconds": machine.longest_s}
    reason = {"stateReason": machine.reason} if machine.reason else {}
    ended = {"terminatedAt": machine.ended_at} if machine.ended_at else {}
    return {**_listed(machine), **told, **reason, **ended}
