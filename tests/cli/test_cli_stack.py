"""`vivavoce token --stack`: from the stack's own outputs to a link, against an AWS account in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from moto import mock_aws

from infra.deploy.embed import TEMPLATE
from infra.local.template import transform
from tests.cli.conftest import Run
from tests.witness import WITNESS

SECRET = "a-secret-of-the-stack-that-is-long-enough"
GEMINI_KEY = "AIza-of-the-stack"
PAGE = "https://d111.cloudfront.net"
REGION = "eu-central-1"

Vivavoce = Callable[..., Run]
Deploy = Callable[..., None]


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    WITNESS.keeps(SECRET, "the stack's JWT secret")
    with mock_aws():
        yield


@pytest.fixture
def deploy() -> Deploy:
    """A stack with our outputs and parameters, and something harmless in it."""

    def make(*, page: str = PAGE, secret: str | None = SECRET, **parameters: str) -> None:
        outputs = {"ControlUrl": "wss://abc.execute-api.example/v1", "TableName": "viva-Table"}
        outputs |= {"PageUrl": page} if page else {}
        if not parameters.get("JwtSecretParameter") and not parameters.get("OidcIssuer"):
            outputs["JwtSecretParameterName"] = "/viva/jwt-secret"
        name = parameters.get("JwtSecretParameter") or "/viva/jwt-secret"
        if secret is not None:
            boto3.client("ssm").put_parameter(Name=name, Value=secret, Type="SecureString")
        _create("viva", outputs, parameters)

    return make


def _create(name: str, outputs: dict[str, str], parameters: dict[str, str]) -> None:
    thing = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}}
    template = {
        "Parameters": {name: {"Type": "String"} for name in parameters},
        "Resources": {"Thing": thing},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )


def claims_of(link: str, **more: Any) -> dict[str, Any]:
    page, _, token = link.strip().partition("/#token=")
    assert page == PAGE
    claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"], **more)
    return claims


def test_what_is_read_of_a_stack_is_what_the_template_has() -> None:
    made = transform(TEMPLATE)
    assert {"ControlUrl", "PageUrl", "TableName", "JwtSecretParameterName"} <= made["Outputs"].keys()
    assert {"JwtSecretParameter", "OidcIssuer", "OidcAudience"} <= made["Parameters"].keys()


def test_a_link_opens_the_page_for_a_quarter_of_an_hour(vivavoce: Vivavoce, deploy: Deploy) -> None:
    deploy()
    run = vivavoce("token", "--stack", "viva", "--user", "ada")
    assert (run.code, run.err) == (0, "") and len(run.out.splitlines()) == 1
    claims = claims_of(run.out)
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("ada", 900)
    assert abs(claims["iat"] - time.time()) < 60


def test_minutes_and_audience_are_the_users_and_the_stacks(vivavoce: Vivavoce, deploy: Deploy) -> None:
    deploy(OidcAudience="voice")
    claims = claims_of(vivavoce("token", "--stack", "viva", "--minutes", 5).out, audience="voice")
    assert claims["exp"] - claims["iat"] == 300


def test_a_secret_that_the_operator_made_is_found(vivavoce: Vivavoce, deploy: Deploy) -> None:
    deploy(JwtSecretParameter="/mine")
    assert claims_of(vivavoce("token", "--stack", "viva").out)["sub"] == "developer"


def test_without_a_page_the_token_alone_is_printed(vivavoce: Vivavoce, deploy: Deploy) -> None:
    deploy(page="")
    run = vivavoce("token", "--stack", "viva")
    assert jwt.decode(run.out.strip(), SECRET, algorithms=["HS256"])["sub"] == "developer"
    assert "serves no page" in run.err


def test_with_an_issuer_it_is_said_where_tokens_come_from(vivavoce: Vivavoce, deploy: Deploy) -> None:
    deploy(OidcIssuer="https://login.example.com")
    run = vivavoce("token", "--stack", "viva")
    assert (run.code, run.out) == (1, "")
    assert "admits tokens of https://login.example.com" in run.complaint
    assert f"open {PAGE}/#token=TOKEN" in run.complaint


def test_trouble_with_the_account_is_one_line(vivavoce: Vivavoce, deploy: Deploy) -> None:
    run = vivavoce("token", "--stack", "nobodys")
    assert run.code == 1 and "there is no stack of that name in this region" in run.complaint
    deploy(secret=None)
    run = vivavoce("token", "--stack", "viva")
    assert run.code == 1 and "a secret of the stack is not in SSM" in run.complaint
    _create("another", {"Other": "x"}, {})
    run = vivavoce("token", "--stack", "another")
    assert run.code == 1 and "has no ControlUrl" in run.complaint


@pytest.mark.parametrize("source", ["AWS_REGION", "AWS_DEFAULT_REGION", "~/.aws/config"])
def test_the_region_is_the_shell_s(
    vivavoce: Vivavoce, deploy: Deploy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    deploy()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    config = tmp_path / "config"
    config.write_text(f"[default]\nregion = {REGION if source == '~/.aws/config' else 'us-west-2'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    if source.startswith("AWS"):
        monkeypatch.setenv(source, REGION)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert claims_of(vivavoce("token", "--stack", "viva").out)["sub"] == "developer"
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert "there is no stack of that name in this region" in vivavoce("token", "--stack", "viva").complaint
    assert claims_of(vivavoce("token", "--stack", "viva", "--region", REGION).out)["sub"] == "developer"


def test_without_credentials_or_region_it_is_one_line(
    vivavoce: Vivavoce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    run = vivavoce("token", "--stack", "viva")
    assert run.code == 1 and "no AWS region is set" in run.complaint
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    run = vivavoce("token", "--stack", "viva", "--region", REGION)
    assert run.code == 1 and "there are no AWS credentials" in run.complaint


def test_a_short_secret_is_refused_by_the_name_of_its_parameter(vivavoce: Vivavoce, deploy: Deploy) -> None:
    deploy(secret="short")
    assert "the secret in the SSM parameter /viva/jwt-secret holds 5 bytes" in (
        vivavoce("token", "--stack", "viva").complaint
    )


def test_the_doctor_meets_google_with_the_stacks_own_key(vivavoce: Vivavoce, deploy: Deploy) -> None:
    WITNESS.keeps(GEMINI_KEY, "the stack's Gemini key")
    deploy(GeminiKeyParameter="/viva/gemini")
    nowhere = ("doctor", "--google", "--stack", "viva", "--gemini-url", "http://127.0.0.1:1")
    run = vivavoce(*nowhere)
    assert run.code == 1 and "a secret of the stack is not in SSM" in run.complaint
    boto3.client("ssm").put_parameter(Name="/viva/gemini", Value=GEMINI_KEY, Type="SecureString")
    run = vivavoce(*nowhere)
    assert run.code == 1 and "cannot be asked for a token (NewConnectionError)" in run.complaint
    assert GEMINI_KEY not in run.err + run.out
