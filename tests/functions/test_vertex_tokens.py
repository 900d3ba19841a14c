"""From the function's AWS role to a bearer of Google Cloud, with stand-ins for Google's two services."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from functions.core.minting.gemini_tokens import MintFailed
from functions.core.minting.vertex_tokens import Federation, VertexTokens
from functions.core.runtime.config import ConfigError, MintConfig
from gemini.tokens import TokenRequest
from gemini.vertex import METHOD, SCOPE, Place

PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/aws"
ACCOUNT = "voice@a-project.iam.gserviceaccount.com"
SETUP = {"response_modalities": ["AUDIO"], "tools": [], "thinking_config": {"thinking_level": "LOW"}}


class Google:
    """STS and IAM Credentials, on one port. Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.lasts_s = 3600
        self.url = ""

    def answer(self, path: str) -> dict[str, Any]:
        if path == "/sts":
            return {"access_token": "federated", "token_type": "Bearer", "expires_in": 3600}
        until = datetime.fromtimestamp(time.time() + self.lasts_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"accessToken": f"ya29.{len(self.asked)}", "expireTime": until}


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDROLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "role-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "role-session")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    google = Google()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            google.asked.append((self.path, dict(self.headers), body))
            answer = json.dumps(google.answer(self.path)).encode()
            self.send_response(google.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        google.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield google
        server.shutdown()
        thread.join()


def road(google: Google) -> VertexTokens:
    federation = Federation(PROVIDER, ACCOUNT, f"{google.url}/sts", google.url)
    return VertexTokens(Place("a-project", "europe-west4"), federation)


def request(handle: str | None = None) -> TokenRequest:
    now = int(time.time())
    return TokenRequest("gemini-3.8-live", SETUP, handle, "full", now, now + 31 * 60)


def test_the_roles_signature_becomes_a_service_accounts_bearer(google: Google) -> None:
    credential = road(google).credential(request("a-handle"))
    (sts, _, exchanged), (iam, headers, wanted) = google.asked
    assert (sts, iam) == ("/sts", f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken")
    form = urllib.parse.parse_qs(exchanged)
    signed = json.loads(urllib.parse.unquote(form["subject_token"][0]))
    assert form["audience"] == [PROVIDER]
    assert signed["url"].startswith("https://sts.eu-central-1.amazonaws.com?Action=GetCallerIdentity")
    assert "role-secret" not in exchanged and "Credential=AKIDROLE/" in str(signed["headers"])
    assert headers["authorization"] == "Bearer federated" and json.loads(wanted)["scope"] == [SCOPE]
    assert credential == {
        "token": "ya29.2",
        "token_lock": "full",
        "url": f"wss://europe-west4-aiplatform.googleapis.com/ws/{METHOD}",
        "setup": {
            "model": "projects/a-project/locations/europe-west4/publishers/google/models/gemini-3.8-live",
            "generation_config": {
                "response_modalities": ["AUDIO"],
                "thinking_config": {"thinking_level": "LOW"},
            },
            "tools": [],
            "session_resumption": {"handle": "a-handle"},
        },
    }


def test_a_bearer_serves_until_it_would_end_within_a_connection(google: Google) -> None:
    google.lasts_s = 33 * 60
    way = road(google)
    assert way.credential(request())["token"] == way.credential(request())["token"] == "ya29.2"
    google.lasts_s = 31 * 60
    way = road(google)
    assert way.credential(request())["token"] != way.credential(request())["token"]


def test_a_federation_that_does_not_know_us_is_a_refused_key(google: Google) -> None:
    google.status = 403
    with pytest.raises(MintFailed) as failed:
        road(google).credential(request())
    assert failed.value.code == "key_refused" and ACCOUNT not in str(failed.value)


def test_vertex_is_all_of_its_settings_or_none() -> None:
    base = {"TABLE_NAME": "t", "GEMINI_KEY_PARAMETER": "/k", "GEMINI_URL": "https://g"}
    assert MintConfig.from_env(base).vertex_project == ""
    names = {"VERTEX_PROJECT": "p", "VERTEX_LOCATION": "l", "VERTEX_PROVIDER": "w"}
    with pytest.raises(ConfigError, match="VERTEX_SERVICE_ACCOUNT"):
        MintConfig.from_env({**base, **names})
    config = MintConfig.from_env({**base, **names, "VERTEX_SERVICE_ACCOUNT": "s"})
    assert (config.vertex_project, config.vertex_service_account) == ("p", "s")
