"""Workload identity federation, as Vertex AI needs it: an AWS identity in, a service account's bearer out.

`POST /v1/token` is Google's STS, `POST /v1/projects/-/serviceAccounts/…:generateAccessToken` its IAM
Credentials API. Nothing is verified but the form: the signature is AWS's to judge.
"""

import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote

from aiohttp import web

LIFETIME = timedelta(hours=1)
IMPERSONATE = re.compile(r"/+v1/projects/-/serviceAccounts/[^/:]+:generateAccessToken")
STS = re.compile(r"/+v1/token")


class Federation:
    """Tokens that were given out."""

    def __init__(self) -> None:
        self._federated: set[str] = set()

    async def exchange(self, request: web.Request) -> web.Response:
        """A federated token for a signed GetCallerIdentity."""
        given = parse_qs(await request.text())
        if not _is_signed(given.get("subject_token", [""])[0]):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = f"federated-{secrets.token_hex(16)}"
        self._federated.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    async def impersonate(self, request: web.Request) -> web.Response:
        """A service account's bearer for a federated token."""
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._federated:
            return web.json_response({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, status=403)
        until = (datetime.now(UTC) + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"accessToken": f"ya29.{secrets.token_hex(16)}", "expireTime": until})


def _is_signed(subject: str) -> bool:
    """A request to AWS's STS with a signature, as JSON in percent encoding."""
    try:
        asked = json.loads(unquote(subject))
        signed = {header["key"].lower(): str(header["value"]) for header in asked["headers"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    is_ours = "Action=GetCallerIdentity" in str(asked.get("url"))
    return is_ours and signed.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")
