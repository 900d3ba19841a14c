"""`$connect` and `$disconnect`: who gets in, and what is remembered."""

import base64
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from deployment import CONTEXT, JWT_SECRET, ORIGIN, make_jwt
from shapes import connect_event, disconnect_event

from functions import connect, disconnect
from records import connections


def open_with(token, **headers):
    offer = f"vivavoce, vivavoce.jwt.{token}"
    return connect.handler(connect_event("c1=", Sec_WebSocket_Protocol=offer, **headers), CONTEXT)


def remembered(table):
    return connections.load(table, "c1=", int(time.time()))


def test_a_browser_is_admitted_and_told_our_subprotocol(table):
    assert open_with(make_jwt(), Origin=ORIGIN) == {
        "statusCode": 200,
        "headers": {"Sec-WebSocket-Protocol": "vivavoce"},
    }
    found = remembered(table)
    assert (found.user, found.origin) == ("ada", ORIGIN)
    assert found.expires_at > time.time()


def test_a_native_client_needs_no_origin_and_is_told_no_subprotocol_it_did_not_offer(table):
    event = connect_event("c1=", Authorization=f"Bearer {make_jwt()}")
    assert connect.handler(event, CONTEXT) == {"statusCode": 200}
    assert remembered(table).origin == ""


def test_a_credential_without_our_own_entry_is_not_echoed(table):
    event = connect_event("c1=", Sec_WebSocket_Protocol=f"vivavoce.jwt.{make_jwt()}")
    assert connect.handler(event, CONTEXT) == {"statusCode": 200}


FORGED = {
    "another secret": lambda: make_jwt(secret="x" * 40),
    "no signature": lambda: jwt.encode({"sub": "ada", "exp": 2**33}, None, "none"),
    "another algorithm": lambda: make_jwt(algorithm="HS384", secret="j" * 64),
    "no subject": lambda: make_jwt(user=None),
    "an empty subject": lambda: make_jwt(user=""),
    "a subject longer than a key": lambda: make_jwt(user="x" * 257),
    "no expiry": lambda: make_jwt(exp=None),
    "an expiry that is no time": lambda: make_jwt(exp="soon"),
    "a subject with half a character": lambda: make_jwt(user="a\ud800"),
    "an infinite expiry": lambda: make_jwt(exp=float("inf")),
    "valid only later": lambda: make_jwt(nbf=int(time.time()) + 300),
    "not a token": lambda: "nothing",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_credential_is_401_and_leaves_no_record(table, forge):
    assert open_with(forge()) == {"statusCode": 401}
    assert remembered(table) is None


def test_no_credential_or_two_different_ones_are_401(table):
    assert connect.handler(connect_event("c1="), CONTEXT) == {"statusCode": 401}
    two = open_with(make_jwt(), Authorization=f"Bearer {make_jwt(user='grace')}")
    assert two == {"statusCode": 401}


def test_a_foreign_page_is_403_even_with_a_good_credential(table):
    assert open_with(make_jwt(), Origin="https://evil.example") == {"statusCode": 403}
    assert remembered(table) is None


def test_a_star_allows_any_page_and_nothing_allows_none(table, monkeypatch):
    monkeypatch.setenv("ALLOWED_ORIGINS", "*")
    connect.config.cache_clear()
    assert open_with(make_jwt(), Origin="https://any.example")["statusCode"] == 200
    monkeypatch.setenv("ALLOWED_ORIGINS", "")
    connect.config.cache_clear()
    assert open_with(make_jwt(), Origin=ORIGIN)["statusCode"] == 403
    assert open_with(make_jwt())["statusCode"] == 200


def test_a_genuine_credential_that_has_expired_is_admitted_and_remembered_as_expired(table):
    assert open_with(make_jwt(expires_in=-60))["statusCode"] == 200
    assert remembered(table).expires_at < time.time()


def test_a_failure_of_the_store_is_500_and_nothing_rises(table, monkeypatch):
    monkeypatch.setenv("TABLE_NAME", "no-such-table")
    connect.config.cache_clear()
    assert open_with(make_jwt()) == {"statusCode": 500}


def test_disconnect_forgets_the_connection_and_only_that(table):
    open_with(make_jwt())
    assert disconnect.handler(disconnect_event("other="), CONTEXT) == {"statusCode": 200}
    assert remembered(table) is not None
    assert disconnect.handler(disconnect_event("c1="), CONTEXT) == {"statusCode": 200}
    assert remembered(table) is None


@pytest.fixture
def issuer(edges, table, monkeypatch):
    """An OIDC issuer with one published key; signs tokens."""
    private = ec.generate_private_key(ec.SECP256R1())
    published = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    edges.documents["/.well-known/openid-configuration"] = {"jwks_uri": f"{edges.url}/keys"}
    edges.documents["/keys"] = {"keys": [published | {"kid": "k1", "alg": "ES256", "use": "sig"}]}
    monkeypatch.setenv("OIDC_ISSUER", edges.url)
    monkeypatch.setenv("OIDC_AUDIENCE", "vivavoce")
    connect.config.cache_clear()
    connect.keys.cache_clear()

    def sign(key=private, algorithm="ES256", kid="k1", **claims):
        usual = {"sub": "ada", "exp": int(time.time()) + 600, "iss": edges.url, "aud": "vivavoce"}
        return jwt.encode(usual | claims, key, algorithm, headers={"kid": kid})

    sign.public = private.public_key()
    return sign


def test_an_issuers_token_is_admitted(issuer, table):
    assert open_with(issuer())["statusCode"] == 200
    assert remembered(table).user == "ada"


def test_an_issuers_token_must_be_for_us_and_of_that_issuer(issuer, table):
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert open_with(issuer(aud="another"))["statusCode"] == 401
    assert open_with(issuer(iss="https://other.example"))["statusCode"] == 401
    assert open_with(issuer(key=stranger))["statusCode"] == 401
    assert open_with(issuer(kid="unknown"))["statusCode"] == 401
    assert open_with(make_jwt())["statusCode"] == 401


def test_a_published_key_is_no_shared_secret(issuer, table):
    text = issuer.public.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    assert open_with(issuer(key=text, algorithm="HS256"))["statusCode"] == 401


def test_an_issuer_that_does_not_answer_is_our_failure(issuer, edges):
    edges.documents.clear()
    assert open_with(issuer())["statusCode"] == 500


#: React Native makes an origin of the address it connects to. Android names any port that the address names,
#: and writes the header's name in lower case; iOS names only a port that is not the scheme's own.
RN = "https://abc.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("name", ["Origin", "origin"])
@pytest.mark.parametrize("origin", [RN, f"{RN}:443", "http://192.168.1.20:8787", "http://10.0.2.2"])
def test_a_credential_in_authorization_needs_no_origin(table, name, origin):
    event = connect_event("c1=", **{"Authorization": f"Bearer {make_jwt()}", name: origin})
    assert connect.handler(event, CONTEXT) == {"statusCode": 200}
    assert remembered(table).origin == "", "it binds no ticket either"


def test_a_credential_in_authorization_offers_our_subprotocol_as_react_native_does(table):
    offer = {"Sec-WebSocket-Protocol": "vivavoce", "origin": RN}
    answer = connect.handler(connect_event("c1=", Authorization=f"Bearer {make_jwt()}", **offer), CONTEXT)
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "vivavoce"}}


def test_a_credential_in_both_places_needs_a_good_origin(table):
    token = make_jwt()
    assert open_with(token, Authorization=f"Bearer {token}", Origin=RN) == {"statusCode": 403}
    assert open_with(token, Authorization=f"Bearer {token}", Origin=ORIGIN)["statusCode"] == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:5173", 200),
        ("http://localhost", 200),
        ("https://localhost:5173", 403),
        ("http://localhost.evil.example:5173", 403),
        ("http://localhost:5173.evil.example", 403),
        ("http://evil.example:5173", 403),
        ("http://[::1]:5173", 200),
        ("null", 403),
    ],
)
def test_any_port_of_an_origin_may_be_allowed(table, monkeypatch, origin, status):
    monkeypatch.setenv("ALLOWED_ORIGINS", "http://localhost:*,http://[::1]:*")
    connect.config.cache_clear()
    assert open_with(make_jwt(), Origin=origin)["statusCode"] == status


@pytest.mark.parametrize("exp", [10**400, -(10**400)], ids=["beyond all numbers", "below them"])
def test_a_time_that_no_clock_shows_is_far_away_and_no_fault_of_ours(table, exp):
    head, _, _ = make_jwt().partition(".")
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "ada", "exp": exp}).encode()).rstrip(b"=").decode()
    signed = f"{head}.{claims}"
    digest = hmac.digest(JWT_SECRET.encode(), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    assert open_with(token, Origin=ORIGIN)["statusCode"] == 200
    assert abs(remembered(table).expires_at) == 2**53
