"""The quick start for colleagues: Cognito in MiniStack, its sign-in page, the console's sign-in, admission.

The console's code runs in Node with a browser's few names, and the sign-in page is filled in by its form.
Real: the template, the code flow with its proof key, the signatures, their check by the code of `$connect`.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions import page
from functions.core.admission.jwt import Claims, Refused, verify
from functions.core.admission.signing_keys import Issuer
from tests.aws.conftest import ROOT
from tests.aws.emulator import MINISTACK, REGION, serving

PAGE, PREFIX = "https://page.example.com", "our-voices"
WHO, PASSWORD = "ann@example.com", "a Long enough 1!"


@dataclass
class Pool:
    """The stack's outputs, and where the emulator answers for the pool."""

    url: str
    outputs: dict[str, str]

    @property
    def issuer(self) -> str:
        """The pool's address here; AWS's own is `OidcIssuer`."""
        return f"{self.url}/{self.outputs['UserPoolId']}"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    if not MINISTACK.exists():
        pytest.skip("make aws-check installs MiniStack")
    with serving(AUTH="false") as url:
        named = {"endpoint_url": url, "region_name": REGION}
        named |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        cloudformation, cognito = (boto3.client(each, **named) for each in ("cloudformation", "cognito-idp"))
        given = {"PageUrl": PAGE, "Prefix": PREFIX}
        cloudformation.create_stack(
            StackName="colleagues",
            TemplateBody=(ROOT / "infra/deploy/cognito.yaml").read_text(),
            Parameters=[{"ParameterKey": name, "ParameterValue": each} for name, each in given.items()],
        )
        outputs = outputs_of(cloudformation)
        user = {"UserPoolId": outputs["UserPoolId"], "Username": WHO}
        cognito.admin_create_user(**user, UserAttributes=[{"Name": "email", "Value": WHO}])
        cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
        yield Pool(url, outputs)


def outputs_of(cloudformation: Any) -> dict[str, str]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (told,) = cloudformation.describe_stacks(StackName="colleagues")["Stacks"]
        if told["StackStatus"] == "CREATE_COMPLETE":
            return {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}
        assert told["StackStatus"].endswith("IN_PROGRESS"), told["StackStatus"]
        time.sleep(0.05)
    raise TimeoutError


def in_the_browser(**given: Any) -> dict[str, Any]:
    command = ["node", Path(__file__).with_name("sign_in.mjs"), json.dumps({"origin": PAGE, **given})]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def fill_in(form_at: str, username: str, password: str) -> str:
    """Sends the sign-in page's form. Where that leads."""
    at = urllib.parse.urlsplit(form_at)
    connection = http.client.HTTPConnection(at.netloc, timeout=10)
    connection.request("GET", f"{at.path}?{at.query}")
    form = connection.getresponse().read().decode()
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    fields = {**hidden, "username": username, "password": password}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login", urllib.parse.urlencode(fields), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.getheader("Location") or ""


@pytest.fixture
def provider(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the page is told, by the page's own function."""
    monkeypatch.setenv("CONTROL_URL", "wss://abc.execute-api.us-east-1.amazonaws.com/v1")
    monkeypatch.setenv("OIDC_ISSUER", pool.issuer)
    monkeypatch.setenv("OIDC_AUDIENCE", pool.outputs["OidcAudience"])
    answer = page.handler({"rawPath": "/config.json", "requestContext": {"http": {"method": "GET"}}}, None)
    assert pool.url in answer["headers"]["content-security-policy"]
    return dict(json.loads(base64.b64decode(answer["body"]))["signIn"])


def test_a_colleague_signs_in_on_the_page_and_is_admitted(pool: Pool, provider: dict[str, str]) -> None:
    left = in_the_browser(provider=provider)
    back = fill_in(left["url"], WHO, PASSWORD)
    assert back.startswith(f"{PAGE}/?")
    search = back.removeprefix(f"{PAGE}/")
    came = in_the_browser(provider=provider, search=search, kept=left["kept"])
    assert (came["shown"], came["kept"]) == ("/", {}), "nothing of it is left in the address or the tab"
    claims = Claims(pool.outputs["OidcIssuer"], pool.outputs["OidcAudience"])
    who = verify(came["token"], Issuer(pool.issuer), claims, int(time.time()))
    assert who.user and who.expires_at > time.time()
    with pytest.raises(Refused):
        verify(came["token"], Issuer(pool.issuer), Claims(claims.issuer, "another"), int(time.time()))


def test_a_code_that_this_tab_did_not_ask_for_signs_nobody_in(provider: dict[str, str]) -> None:
    left = in_the_browser(provider=provider)
    forged = in_the_browser(provider=provider, search="?code=theirs&state=theirs", kept=left["kept"])
    assert forged["token"] is None and forged["shown"] == "/"
    assert in_the_browser(provider=provider, search="?code=theirs&state=x")["token"] is None


def test_a_wrong_password_leads_nowhere(provider: dict[str, str]) -> None:
    assert "code=" not in fill_in(in_the_browser(provider=provider)["url"], WHO, "not it")
