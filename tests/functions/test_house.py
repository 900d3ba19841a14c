"""What every function owes: a complete environment, a light import, and silence about secrets."""

import io
import subprocess
import sys

import pytest
from deployment import CONTEXT, GEMINI_KEY, JWT_SECRET, ORIGIN, ROUTE_KEY, make_jwt
from shapes import connect_event

from agents.catalogue import catalogue
from functions import connect, mint
from functions.core.runtime import config
from functions.core.runtime.entry import logger
from functions.core.runtime.secrets_cache import Secret

ENVIRONMENT = {
    "TABLE_NAME": "t",
    "CONNECTIONS_URL": "https://api.example/v1",
    "MEDIA_URL": "wss://media.example/",
    "ROUTE_KEY_PARAMETER": "/r",
    "MINT_FUNCTION": "m",
    "CLUSTER": "c",
    "RELAY_TASK_DEFINITION": "d",
    "RELAY_SUBNETS": "a,b",
    "RELAY_SECURITY_GROUP": "s",
    "RELAY_REVISION": "7",
    "GEMINI_KEY_PARAMETER": "/g",
    "GEMINI_URL": "https://google.example",
}
NOT_FOR_THE_SWEEP = ("GEMINI", "MEDIA", "MINT", "ROUTE")
NEEDED = {
    config.ConnectConfig: ["TABLE_NAME"],
    config.DisconnectConfig: ["TABLE_NAME"],
    config.SessionConfig: [name for name in ENVIRONMENT if not name.startswith("GEMINI")],
    config.SweepConfig: [name for name in ENVIRONMENT if not name.startswith(NOT_FOR_THE_SWEEP)],
    config.MintConfig: ["TABLE_NAME", "GEMINI_KEY_PARAMETER", "GEMINI_URL"],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in NEEDED for name in NEEDED[kind]])
def test_a_missing_value_is_named(kind, name):
    assert kind.from_env(ENVIRONMENT)
    for wrong in ({key: ENVIRONMENT[key] for key in ENVIRONMENT if key != name}, ENVIRONMENT | {name: ""}):
        with pytest.raises(config.ConfigError, match=name):
            kind.from_env(wrong)


@pytest.mark.parametrize("value", ["many", "0", "-1"])
def test_a_number_must_be_one(value):
    with pytest.raises(config.ConfigError, match="RESUME_SECONDS"):
        config.SessionConfig.from_env(ENVIRONMENT | {"RESUME_SECONDS": value})


def test_the_number_of_warm_relays_may_be_none():
    assert config.SweepConfig.from_env(ENVIRONMENT | {"WARM_RELAYS": "0"}).warm_relays == 0
    with pytest.raises(config.ConfigError, match="WARM_RELAYS"):
        config.SweepConfig.from_env(ENVIRONMENT | {"WARM_RELAYS": "-1"})


def test_a_lock_is_one_of_two():
    assert config.MintConfig.from_env(ENVIRONMENT).token_lock == "full"
    with pytest.raises(config.ConfigError, match="TOKEN_LOCK"):
        config.MintConfig.from_env(ENVIRONMENT | {"TOKEN_LOCK": "none"})


@pytest.mark.parametrize("function", ["control", "disconnect", "mint", "sweep"])
def test_no_function_imports_googles_library_before_it_is_needed(function):
    heavy = "{'google.genai', 'pydantic', 'moto', 'websockets'}"
    code = f"import sys, functions.{function}; sys.exit(repr({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


def test_only_the_functions_that_need_it_read_the_agents():
    code = "import sys, functions.disconnect; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_secret_is_fetched_again_after_a_while():
    class Store:
        reads = 0

        def get_parameter(self, *, Name, WithDecryption):
            Store.reads += 1
            return {"Parameter": {"Value": f"{Name}-{Store.reads}"}}

    now = [0.0]
    secret = Secret(Store(), "name", lambda: now[0])
    assert (secret(), secret()) == ("name-1", "name-1")
    now[0] = 300.0
    assert secret() == "name-2"


def test_no_secret_is_in_anything_that_is_written(connected, relay, edges, table, capfd, caplog):
    written = io.StringIO()
    logger.registered_handler.setStream(written)
    try:
        secrets = _talk(connected, relay, edges)
    finally:
        logger.registered_handler.setStream(sys.stdout)
    out, err = capfd.readouterr()
    everything = written.getvalue() + out + err + caplog.text
    assert "request granted" in everything and "handler failed" in everything
    found = {name for name, secret in secrets.items() if secret in everything}
    assert found == set()


def _talk(connected, relay, edges):
    """A conversation with everything that can go wrong in it. Returns what must not be seen."""
    token = make_jwt()
    offer = f"vivavoce, vivavoce.jwt.{token}"
    forged = make_jwt(secret="another-secret-that-is-just-as-long")
    for entry, origin in ((offer, ORIGIN), (offer, "https://evil.example"), (offer + forged, ORIGIN)):
        connect.handler(connect_event("canary=", Sec_WebSocket_Protocol=entry, Origin=origin), CONTEXT)
    relay()
    client = connected()
    tool = {"name": "look", "description": "the-tool-description"}
    starting, ready = client.start(metadata={"note": "the-metadata"}, tools=[tool])
    again = client.resume(ready)[-1]
    client.resume(ready | {"resume_key": "a-wrong-key-that-is-long-enough"})
    client.send_text('{"type": "start", "request": "the-broken-message')
    client.send(type="the-unknown-type")
    asked = {"session": ready["session"], "epoch": 1, "relay": "r1", "handle": "the-handle"}
    minted = mint.handler(asked, CONTEXT)
    edges.token_failure = 403
    mint.handler(asked, CONTEXT)
    connect.handler({"headers": {"Authorization": f"Bearer {token}"}, "requestContext": {}}, CONTEXT)
    return {
        "jwt": token.rpartition(".")[2],
        "forged": forged.rpartition(".")[2],
        "jwt secret": JWT_SECRET,
        "route key": ROUTE_KEY,
        "gemini key": GEMINI_KEY,
        "first key": starting["resume_key"],
        "second key": ready["resume_key"],
        "third key": again["resume_key"],
        "wrong key": "a-wrong-key-that-is-long-enough",
        "ticket": ready["media"]["ticket"],
        "second ticket": again["media"]["ticket"],
        "route": ready["media"]["url"].rpartition("/")[2],
        "token": minted["token"],
        "handle": "the-handle",
        "google's words": "quoted back",
        "metadata": "the-metadata",
        "tool": "the-tool-description",
        "broken message": "the-broken-message",
        "unknown type": "the-unknown-type",
        "instructions": catalogue()["assistant"].instructions[:40],
    }
