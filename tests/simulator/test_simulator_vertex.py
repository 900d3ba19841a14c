"""The simulator's stand-in for Google's STS and IAM: a bearer only for who has signed."""

from __future__ import annotations

import json
from urllib.parse import quote

import aiohttp
import pytest

from simulator import Config, serve

ACCOUNT = "/v1/projects/-/serviceAccounts/voice@p.iam.gserviceaccount.com:generateAccessToken"
SIGNED = {"key": "Authorization", "value": "AWS4-HMAC-SHA256 Credential=AKID/…"}
CALLER = "https://sts.eu-central-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"


@pytest.mark.parametrize(
    ("subject", "status"),
    [
        ({"url": CALLER, "headers": [SIGNED]}, 200),
        ({"url": CALLER, "headers": []}, 400),
        ({"url": "https://sts.amazonaws.com?Action=Other", "headers": [SIGNED]}, 400),
        ({"url": CALLER, "headers": ["x"]}, 400),
        ([], 400),
    ],
)
async def test_a_signed_identity_becomes_a_bearer(subject: object, status: int) -> None:
    async with serve(Config()) as running, aiohttp.ClientSession() as http:
        form = {"subject_token": quote(json.dumps(subject))}
        async with http.post(f"{running.url}/v1/token", data=form) as answer:
            assert answer.status == status
            token = (await answer.json()).get("access_token", "invented")
        for bearer, expected in ((token, 200 if status == 200 else 403), ("invented", 403)):
            headers = {"Authorization": f"Bearer {bearer}"}
            async with http.post(f"{running.url}{ACCOUNT}", headers=headers, json={}) as answer:
                assert answer.status == expected
                assert ("accessToken" in await answer.json()) == (expected == 200)
