"""What a handler needs is made at import, where Lambda has a whole processor for it; and only there."""

import os
import subprocess
import sys

import pytest

HERE = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "TABLE_NAME": "t",
    "CONNECTIONS_URL": "https://c.example/v1",
    "MEDIA_URL": "wss://m.example",
    "ROUTE_KEY_PARAMETER": "/r",
    "MINT_FUNCTION": "mint",
    "SESSION_FUNCTION": "session",
    "CLUSTER": "c",
    "RELAY_TASK_DEFINITION": "t:1",
    "RELAY_SUBNETS": "a,b",
    "RELAY_SECURITY_GROUP": "g",
    "RELAY_REVISION": "t:1",
    "GEMINI_KEY_PARAMETER": "/g",
    "GEMINI_URL": "https://g.example",
    "JWT_SECRET_PARAMETER": "/j",
}
COUNT = """
import sys
import functions.{0}
from functions.core.runtime import aws
made = sum(each.cache_info().currsize for each in (aws.client, aws.gateway, aws.invoker, aws.table))
print(made, file=sys.stderr)
"""


def clients_of(function: str, environment: dict[str, str]) -> tuple[int, str]:
    """How many clients importing the function made, and what it wrote."""
    ran = subprocess.run(
        [sys.executable, "-c", COUNT.format(function)],
        env=HERE | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stderr.splitlines()[-1]), ran.stdout


@pytest.mark.parametrize(
    ("function", "clients"), [("control", 6), ("disconnect", 2), ("mint", 3), ("sweep", 4)]
)
def test_clients_are_made_at_import_in_lambda_and_nowhere_else(function: str, clients: int) -> None:
    assert clients_of(function, LAMBDA) == (clients, "")
    elsewhere = {name: value for name, value in LAMBDA.items() if name != "AWS_LAMBDA_FUNCTION_NAME"}
    assert clients_of(function, elsewhere) == (0, "")


@pytest.mark.parametrize("function", ["control", "disconnect", "mint", "sweep"])
def test_a_setting_that_is_missing_does_not_stop_the_import(function: str) -> None:
    _, said = clients_of(function, {**LAMBDA, "TABLE_NAME": ""})
    assert '"not made ready"' in said and '"error_type":"ConfigError"' in said.replace(": ", ":")
