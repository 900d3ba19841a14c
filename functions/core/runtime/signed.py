"""AWS by signed HTTPS requests: what lies on the way to a first word, without what botocore costs to start.

Half of the CPU time in which these functions start was botocore's
(docs/decisions/0037-aws-by-signed-requests.md). An operation that is not in OPERATIONS goes by boto3, which
is imported then. Credentials are the environment's: those of Lambda are good for as long as it lives.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import hmac
import io
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from functions.core.runtime.kept_connections import Answer, KeptConnections

JSON = {"dynamodb": ("1.0", "DynamoDB_20120810"), "ssm": ("1.1", "AmazonSSM"),
        "ecs": ("1.1", "AmazonEC2ContainerServiceV20141113")}  # fmt: skip
VMS = "/2025-09-09/microvms"
#: of each service: operations, and for those that are paths, their methods and paths
OPERATIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "dynamodb": dict.fromkeys(
        ("get_item", "batch_get_item", "put_item", "update_item", "delete_item", "query",
         "transact_write_items"), ("POST", "/"),
    ),
    "ssm": {"get_parameter": ("POST", "/")},
    "ecs": {"run_task": ("POST", "/")},
    "lambda": {"invoke": ("POST", "/2015-03-31/functions/{FunctionName}/invocations")},
    "apigatewaymanagementapi": {"post_to_connection": ("POST", "/@connections/{ConnectionId}")},
    "lambda-microvms": {
        "run_microvm": ("POST", VMS),
        "get_microvm": ("GET", f"{VMS}/{{microvmIdentifier}}"),
        "resume_microvm": ("POST", f"{VMS}/{{microvmIdentifier}}/resume"),
        "create_microvm_auth_token": ("POST", f"{VMS}/{{microvmIdentifier}}/auth-token"),
    },
}  # fmt: skip
PREFIXES = {"lambda-microvms": "lambda", "apigatewaymanagementapi": "execute-api"}  #: of hosts and signatures
BODIES = {"invoke": "Payload", "post_to_connection": "Data"}  #: the member that is the whole body
HEADERS = {"InvocationType": "X-Amz-Invocation-Type"}  #: members that are headers

PASSING = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}  #: codes that are tried again, as in botocore's mode `standard`
LONGEST_S = 20.0  #: of a pause between two tries


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one call."""

    connect_s: float = 2.0
    read_s: float = 4.0
    attempts: int = 3


class Signed:
    """Client of one service. Thread safe."""

    def __init__(
        self, service: str, others: Callable[[str, str], Any], limits: Limits = Limits(), url: str = ""
    ) -> None:
        """`others` gives boto3's client of a service at a URL; `url` for an API without a fixed place."""
        self._service, self._limits, self._others = service, limits, others
        self._other: Any = None  #: boto3's, once it was needed
        self._url = url or endpoint_of(service)
        self._connections = KeptConnections(self._url, limits.connect_s, limits.read_s)
        self._handlers: list[Callable[..., object]] = []
        self.pause: Callable[[float], None] = time.sleep

    @property
    def meta(self) -> Signed:
        return self

    @property
    def events(self) -> Signed:
        return self

    def register(self, event: str, handler: Callable[..., object], unique_id: str) -> None:
        """Have each response looked at before it is read: of botocore's events this one alone."""
        assert event.startswith("before-parse."), event
        self._handlers = [handler]

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)
        if operation in OPERATIONS[self._service]:
            return functools.partial(self._call, operation)
        if self._other is None:
            self._other = self._others(self._service, self._url)
        return getattr(self._other, operation)

    def close(self) -> None:
        self._connections.close()

    def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        """Raises ClientError, or what botocore raises for a connection that fails."""
        request = request_of(self._service, operation, members, self._url)
        for attempt in range(1, self._limits.attempts + 1):
            is_last = attempt == self._limits.attempts
            try:
                answer = self._connections.request(request.method, request.path, sign(request), request.body)
            except TimeoutError:
                failure: Exception = ReadTimeoutError(endpoint_url=self._url)
            except OSError:
                failure = ConnectionClosedError(endpoint_url=self._url)
            else:
                told = {"headers": answer.headers, "body": answer.body, "status_code": answer.status}
                for handler in self._handlers:
                    handler(response_dict=told)
                if answer.status < 300:
                    return _read(operation, answer)
                failure = error_of(operation, answer)
                if is_last or not _passes(failure, answer.status):
                    raise failure
            if is_last:
                raise failure
            self.pause(min(LONGEST_S, random.random() * 2 ** (attempt - 1)))
        raise AssertionError("one attempt at least")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, before it is signed."""

    service: str  #: as signatures have it
    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def request_of(service: str, operation: str, members: Mapping[str, Any], url: str) -> Request:
    method, path = OPERATIONS[service][operation]
    rest = dict(members)
    for name in members:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(str(rest.pop(name)), safe="-._~"))
    headers = {HEADERS[name]: str(rest.pop(name)) for name in members if name in HEADERS}
    if operation in BODIES:
        body = rest.pop(BODIES[operation], b"")
    else:
        body = json.dumps(rest).encode() if rest or service in JSON else b""
    if service in JSON:
        version, target = JSON[service]
        headers["X-Amz-Target"] = f"{target}.{''.join(part.title() for part in operation.split('_'))}"
        headers["Content-Type"] = f"application/x-amz-json-{version}"
    elif body:
        headers["Content-Type"] = "application/json"
    at = urlsplit(url)
    return Request(
        PREFIXES.get(service, service), at.netloc, method, at.path.rstrip("/") + path, headers, body
    )


def sign(request: Request, now: datetime.datetime | None = None) -> dict[str, str]:
    """Headers with a Signature Version 4."""
    now, environment = now or datetime.datetime.now(datetime.UTC), os.environ
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {**request.headers, "Host": request.host, "X-Amz-Date": stamp}
    if token := environment.get("AWS_SESSION_TOKEN"):
        headers["X-Amz-Security-Token"] = token
    lines = sorted((name.lower(), value.strip()) for name, value in headers.items())
    names = ";".join(name for name, _ in lines)
    listed = "".join(f"{name}:{value}\n" for name, value in lines)
    digest = hashlib.sha256(request.body).hexdigest()
    canonical = f"{request.method}\n{quote(request.path, safe='/~')}\n\n{listed}\n{names}\n{digest}"
    scope = f"{day}/{_region()}/{request.service}/aws4_request"
    key = f"AWS4{environment['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    who = f"Credential={environment['AWS_ACCESS_KEY_ID']}/{scope}"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 {who}, SignedHeaders={names}, Signature={signature}"
    return headers


def _read(operation: str, answer: Answer) -> dict[str, Any]:
    if operation == "invoke":
        failed = answer.headers.get("x-amz-function-error")
        return {"Payload": io.BytesIO(answer.body), **({"FunctionError": failed} if failed else {})}
    read: dict[str, Any] = json.loads(answer.body or b"{}")
    return read


def error_of(operation: str, answer: Answer) -> ClientError:
    """As botocore reads it: the code from the body or a header, and the members of a modelled error."""
    try:
        told = json.loads(answer.body or b"{}")
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    code = answer.headers.get("x-amzn-errortype") or told.get("__type") or told.get("code") or answer.status
    code = str(code).split(":")[0].rpartition("#")[2]
    said = str(told.get("message") or told.get("Message") or "")
    response = {
        **told,
        "Error": {"Code": code, "Message": said},
        "ResponseMetadata": {"HTTPStatusCode": answer.status},
    }
    return ClientError(response, operation)


def _passes(failure: Exception, status: int) -> bool:
    code = failure.response["Error"]["Code"] if isinstance(failure, ClientError) else ""
    return status in (500, 502, 503, 504) or code in PASSING


def endpoint_of(service: str) -> str:
    variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    if named := os.environ.get(variable) or os.environ.get("AWS_ENDPOINT_URL"):
        return named
    suffix = "amazonaws.com.cn" if _region().startswith("cn-") else "amazonaws.com"
    return f"https://{PREFIXES.get(service, service)}.{_region()}.{suffix}"


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]
