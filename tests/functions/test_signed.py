"""Our own requests to AWS: byte for byte what botocore would send, and errors as it would read them."""

import datetime
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from functions.core.runtime import aws, signed
from functions.core.runtime.signed import OPERATIONS, Limits, Signed
from records.table import Key, Table, TruncatedResponse, Unavailable

ID = {"microvmIdentifier": "microvm-1"}
KEY = {"PK": {"S": "a"}, "SK": {"S": "META"}}
CALLS = {
    ("dynamodb", "get_item"): {"TableName": "t", "Key": KEY, "ConsistentRead": True},
    ("dynamodb", "batch_get_item"): {"RequestItems": {"t": {"Keys": [KEY], "ConsistentRead": True}}},
    ("dynamodb", "put_item"): {"TableName": "t", "Item": KEY | {"n": {"N": "1"}, "s": {"SS": ["é", "b"]}}},
    ("dynamodb", "update_item"): {
        "TableName": "t",
        "Key": KEY,
        "UpdateExpression": "SET #a = :a",
        "ExpressionAttributeNames": {"#a": "a"},
        "ExpressionAttributeValues": {":a": {"M": {"x": {"BOOL": True}, "y": {"NULL": True}}}},
        "ReturnValues": "ALL_NEW",
    },
    ("dynamodb", "delete_item"): {"TableName": "t", "Key": KEY},
    ("dynamodb", "query"): {
        "TableName": "t",
        "KeyConditionExpression": "#PK = :pk",
        "ExpressionAttributeNames": {"#PK": "PK"},
        "ExpressionAttributeValues": {":pk": {"S": "a"}},
        "Limit": 1,
        "ScanIndexForward": False,
    },
    ("dynamodb", "transact_write_items"): {
        "TransactItems": [{"Put": {"TableName": "t", "Item": KEY}}],
        "ClientRequestToken": "once",
    },
    ("ssm", "get_parameter"): {"Name": "/a/b", "WithDecryption": True},
    ("ecs", "run_task"): {"cluster": "c", "taskDefinition": "t:1", "clientToken": "x", "count": 1},
    ("lambda", "invoke"): {"FunctionName": "a-b", "InvocationType": "Event", "Payload": b'{"a": 1}'},
    ("apigatewaymanagementapi", "post_to_connection"): {"ConnectionId": "a+b/c=", "Data": "é".encode()},
    ("lambda-microvms", "run_microvm"): {
        "imageIdentifier": "arn:aws:lambda:eu-west-1:1:microvm-image:a",
        "logging": {"cloudWatch": {"logGroup": "g"}},
        "clientToken": "x",
    },
    ("lambda-microvms", "get_microvm"): ID,
    ("lambda-microvms", "resume_microvm"): ID,
    ("lambda-microvms", "create_microvm_auth_token"): ID
    | {"expirationInMinutes": 5, "allowedPorts": [{"port": 8080}]},
}
NAMED = [f"{service} {operation}" for service, operation in CALLS]
MATTER = ("x-amz-target", "content-type", "x-amz-invocation-type")
URLS = {"apigatewaymanagementapi": "https://id.execute-api.eu-west-1.amazonaws.com/v1"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def botocores(service, operation, members, answer=(200, b"{}", {})):
    """The request that botocore sends, and its result or error for an answer."""
    sent = []

    class Raw:
        def __init__(self, data):
            self.data = data

        def stream(self):
            return iter([self.data])

    def send(request, **_):
        sent.append(request)
        return AWSResponse(request.url, answer[0], answer[2], Raw(answer[1]))

    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client(service, endpoint_url=URLS.get(service), config=once)
    client.meta.events.register("before-send", send)
    try:
        result = getattr(client, operation)(**members)
    except ClientError as error:
        result = error
    return sent[0], result


@pytest.mark.parametrize(("service", "operation"), CALLS, ids=NAMED)
def test_a_request_is_the_one_that_botocore_makes(service, operation):
    members = CALLS[service, operation]
    theirs, _ = botocores(service, operation, members)
    url = URLS.get(service) or signed.endpoint_of(service)
    ours = signed.request_of(service, operation, members, url)
    assert (ours.method, f"https://{ours.host}{ours.path}") == (theirs.method, theirs.url)
    body = theirs.body or b""
    body = body if isinstance(body, bytes) else body.encode()
    if operation in signed.BODIES:
        assert ours.body == body
    else:
        assert json.loads(ours.body or b"{}") == json.loads(body or b"{}")
    headers = {name.lower(): text(value) for name, value in theirs.headers.items()}
    mine = {name.lower(): value for name, value in ours.headers.items()}
    for name in MATTER:
        if operation not in signed.BODIES or name != "content-type":
            assert mine.get(name) == headers.get(name), name
    assert f"/{ours.service}/aws4_request" in headers["authorization"]


@pytest.mark.parametrize(("service", "operation"), CALLS, ids=NAMED)
def test_a_signature_is_the_one_that_botocore_makes(service, operation):
    url = URLS.get(service) or signed.endpoint_of(service)
    request = signed.request_of(service, operation, CALLS[service, operation], url)
    at = datetime.datetime(2026, 11, 30, 12, 0, 1, tzinfo=datetime.UTC)
    headers = signed.sign(request, at)
    mine = headers.pop("Authorization")
    auth = SigV4Auth(Credentials("AKID", "secret", "session"), request.service, "eu-west-1")
    theirs = AWSRequest(
        request.method, f"https://{request.host}{request.path}", headers=headers, data=request.body
    )
    theirs.context["timestamp"] = "20261130T120001Z"
    to_sign = auth.string_to_sign(theirs, auth.canonical_request(theirs))
    assert mine.rpartition("Signature=")[2] == auth.signature(to_sign, theirs)
    assert f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(theirs))}," in mine


FAILURES = {
    "a condition": (
        "dynamodb",
        "update_item",
        (400, b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
         b'"message":"no","Item":{"PK":{"S":"a"}}}', {}),
    ),
    "a transaction": (
        "dynamodb",
        "transact_write_items",
        (400, b'{"__type":"x#TransactionCanceledException","Message":"no",'
         b'"CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed"}]}', {}),
    ),
    "gone": ("apigatewaymanagementapi", "post_to_connection", (410, b'{"message":"x"}',
             {"x-amzn-ErrorType": "GoneException:http://internal.amazon.com/coral"})),
    "throttled": ("lambda", "invoke", (429, b'{"Type":"User","message":"Rate Exceeded."}',
                  {"x-amzn-ErrorType": "TooManyRequestsException"})),
    "a page": ("ssm", "get_parameter", (400, b'{"__type":"ParameterNotFound"}', {})),
    "a quota": ("lambda-microvms", "run_microvm", (402, b'{"message":"full"}',
                {"x-amzn-errortype": "ServiceQuotaExceededException"})),
}  # fmt: skip


@pytest.mark.parametrize("what", FAILURES)
def test_an_error_reads_as_it_does_by_botocore(what):
    service, operation, (status, body, headers) = FAILURES[what]
    _, theirs = botocores(service, operation, CALLS[service, operation], (status, body, headers))
    lower = {name.lower(): value for name, value in headers.items()}
    ours = signed.error_of(operation, signed.Answer(status, lower, body)).response
    for part in ("Error", "CancellationReasons", "Item"):
        assert ours.get(part) == theirs.response.get(part), part
    assert ours["ResponseMetadata"]["HTTPStatusCode"] == status


# ---- on a socket


class Place:
    """A service that answers what it is told to, in order, and then {}."""

    def __init__(self):
        self.answers, self.asked, self.connections = [], [], 0
        place = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                place.connections += 1

            def do_POST(self):
                place.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
                status, body, more = place.answers.pop(0) if place.answers else (200, b"{}", {})
                if status == "silence":
                    return place.released.wait(5)
                if status == "cut":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | more).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if more.get("X-Then") == "hangs up":
                    self.close_connection = True
                return None

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def shutdown_request(self, request):
                super().shutdown_request(request)
                place.closed.set()

        self.released, self.closed = threading.Event(), threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,)).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def place():
    made = Place()
    yield made
    made.close()


def nobody(service, url):
    """In place of boto3: it is not to be asked."""
    raise AssertionError(service)


def client(place, **limits):
    made = Signed("dynamodb", nobody, Limits(**limits), place.url)
    made.pause = lambda _: None
    return made


def test_a_connection_is_used_again(place):
    made = client(place)
    assert [made.get_item(TableName="t", Key=KEY) for _ in range(3)] == [{}] * 3
    assert place.connections == 1
    made.close()


def test_one_that_the_peer_closed_meanwhile_is_replaced_without_a_try_lost(place):
    made = client(place, attempts=1)
    place.answers = [(200, b"{}", {"X-Then": "hangs up"})]
    made.get_item(TableName="t", Key=KEY)
    assert place.closed.wait(5)
    assert made.get_item(TableName="t", Key=KEY) == {}
    assert place.connections == 2
    made.close()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_passes_is_tried_again_as_often_as_may_be(place, status):
    made = client(place, attempts=3)
    place.answers = [(status, b"", {})] * 2
    assert made.get_item(TableName="t", Key=KEY) == {} and len(place.asked) == 3
    place.answers = [(status, b"", {})] * 3
    with pytest.raises(ClientError):
        made.get_item(TableName="t", Key=KEY)
    made.close()


def test_throttling_passes_and_a_condition_does_not(place):
    made = client(place)
    place.answers = [(400, b'{"__type":"x#ThrottlingException"}', {})]
    assert made.get_item(TableName="t", Key=KEY) == {}
    place.answers = [(400, b'{"__type":"x#ConditionalCheckFailedException"}', {})]
    with pytest.raises(ClientError) as failed:
        made.get_item(TableName="t", Key=KEY)
    assert failed.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert len(place.asked) == 3
    made.close()


@pytest.mark.parametrize(("answer", "error"), [("silence", ReadTimeoutError), ("cut", ConnectionClosedError)])
def test_silence_and_a_break_are_botocores_errors_and_tried_again(place, answer, error):
    made = client(place, read_s=0.2, attempts=1)
    place.answers = [(answer, b"", {})]
    with pytest.raises(error):
        made.get_item(TableName="t", Key=KEY)
    again = client(place, read_s=0.2, attempts=2)
    place.answers = [(answer, b"", {})]
    assert again.get_item(TableName="t", Key=KEY) == {}
    made.close(), again.close()


def test_nobody_there_is_unavailable_to_the_table():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    made = Signed("dynamodb", nobody, Limits(attempts=1), url)
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        made.get_item(TableName="t", Key=KEY)
    with pytest.raises(Unavailable):
        Table(made, "t").get(Key("a"))


def test_the_table_looks_at_each_response_before_it_is_read(place):
    """Its guard against responses that are cut off in their headers, which would look empty."""
    made = client(place)
    table = Table(made, "t", pause=lambda _: None)
    place.answers = [(200, b"{}", {"x-amz-crc32": "1"})]
    assert table.get(Key("a")) is None and len(place.asked) == 2
    place.answers = [(200, b"{}", {"x-amz-crc32": "1"})]
    with pytest.raises(TruncatedResponse):
        table.put(Key("a"), {})
    made.close()


# ---- where they are used


def test_lambda_has_ours_and_everybody_else_boto3s(monkeypatch):
    caches = (aws.client, aws.gateway, aws.invoker)
    for cached in caches:
        cached.cache_clear()
    assert not isinstance(aws.client("dynamodb"), Signed)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    for cached in caches:
        cached.cache_clear()
    made = [aws.client("dynamodb"), aws.invoker(), aws.gateway("https://id.example/v1")]
    assert all(isinstance(each, Signed) for each in made)
    assert not isinstance(aws.client("cloudfront-keyvaluestore"), Signed)
    for cached in caches:
        cached.cache_clear()


def test_what_is_not_on_the_way_to_a_first_word_goes_by_boto3(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    aws.client.cache_clear()
    made = aws.client("ssm")
    assert isinstance(made, Signed) and type(made.put_parameter.__self__).__module__ == "botocore.client"
    aws.client.cache_clear()


def test_each_operation_is_one_of_botocores_and_is_tried_here():
    assert {(service, name) for service, names in OPERATIONS.items() for name in names} == set(CALLS)
