"""Forged credentials at the real `$connect`: 401, no record, and nobody whom the forger names is asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.security.conftest import SECRET, Gateway, Issuer, rsa_key

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assemble(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token that no library would make."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def confused(issuer: Issuer, secret: bytes, algorithm: str = "HS256") -> str:
    """Signed with what everybody knows, as if that were a shared secret."""
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    header = {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    return assemble(header, issuer.claims(), lambda data: hmac.digest(secret, data, digest))


def unsigned(issuer: Issuer, algorithm: str) -> str:
    return assemble({"alg": algorithm, "kid": "k1"}, issuer.claims(), lambda data: b"")


def relabelled(issuer: Issuer, **header: Any) -> str:
    """A genuine signature under a header that says something else."""
    _, claims, signature = issuer.sign().split(".")
    return f"{b64(json.dumps({'alg': 'RS256', 'kid': 'k1'} | header).encode())}.{claims}.{signature}"


def altered(issuer: Issuer) -> str:
    header, _, signature = issuer.sign().split(".")
    return f"{header}.{b64(json.dumps(issuer.claims(sub='root')).encode())}.{signature}"


def public(issuer: Issuer, encoding: Any, form: Any) -> bytes:
    return issuer.key.public_key().public_bytes(encoding, form)


FORGED: dict[str, Callable[[Issuer], str]] = {
    "no algorithm": lambda issuer: unsigned(issuer, "none"),
    "no algorithm, in capitals": lambda issuer: unsigned(issuer, "NONE"),
    "an empty signature": lambda issuer: unsigned(issuer, "RS256"),
    "HS256 with the public key as PEM": lambda issuer: confused(issuer, public(issuer, PEM, SPKI)),
    "HS256 with the public key as PKCS 1": lambda issuer: confused(issuer, public(issuer, PEM, PKCS1)),
    "HS256 with the public key as DER": lambda issuer: confused(issuer, public(issuer, DER, SPKI)),
    "HS512 with the public key": lambda issuer: confused(issuer, public(issuer, PEM, SPKI), "HS512"),
    "HS256 with the published modulus": lambda issuer: confused(issuer, issuer.keys[0]["n"].encode()),
    "HS256 with an empty secret": lambda issuer: confused(issuer, b""),
    "HS256 with the other mode's secret": lambda issuer: confused(issuer, SECRET.encode()),
    "a stranger's key": lambda issuer: issuer.sign(rsa_key()),
    "a stranger's key under an unknown kid": lambda issuer: issuer.sign(rsa_key(), kid="k2"),
    "an unknown kid": lambda issuer: issuer.sign(kid="k2"),
    "no kid": lambda issuer: issuer.sign(kid=None),
    "a kid that is a path": lambda issuer: issuer.sign(kid="../../../dev/null"),
    "another algorithm's label": lambda issuer: relabelled(issuer, alg="PS256"),
    "an elliptic label on an RSA key": lambda issuer: relabelled(issuer, alg="ES256"),
    "an Edwards label on an RSA key": lambda issuer: relabelled(issuer, alg="EdDSA"),
    "a critical extension nobody knows": lambda issuer: relabelled(issuer, crit=["exp"], exp=1),
    "claims changed after signing": altered,
    "another issuer": lambda issuer: issuer.sign(iss="https://other.example"),
    "an issuer with the right beginning": lambda issuer: issuer.sign(iss=f"{issuer.url}.evil.example"),
    "no issuer": lambda issuer: issuer.sign(iss=None),
    "another audience": lambda issuer: issuer.sign(aud="somebody-else"),
    "no audience": lambda issuer: issuer.sign(aud=None),
    "an empty list of audiences": lambda issuer: issuer.sign(aud=[]),
    "no subject": lambda issuer: issuer.sign(sub=None),
    "an empty subject": lambda issuer: issuer.sign(sub=""),
    "no expiry": lambda issuer: issuer.sign(exp=None),
    "valid only tomorrow": lambda issuer: issuer.sign(nbf=int(time.time()) + 86_400),
    "two parts": lambda issuer: issuer.sign().rpartition(".")[0],
    "five parts": lambda issuer: issuer.sign() + ".a.b",
}


def test_the_issuers_own_token_is_admitted(gateway: Gateway, issuer: Issuer) -> None:
    assert gateway.connect(issuer.sign()) == 200
    found = gateway.visitor()
    assert found is not None and found.user == "ada"


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(gateway: Gateway, issuer: Issuer, forge: Callable[[Issuer], str]) -> None:
    assert gateway.connect(forge(issuer)) == 401


def test_an_expired_token_gets_in_only_to_be_told_so(gateway: Gateway, issuer: Issuer) -> None:
    """A browser cannot read a refused handshake: `start` answers `auth_expired` (tests/functions)."""
    assert gateway.connect(issuer.sign(exp=int(time.time()) - 1)) == 200
    found = gateway.visitor()
    assert found is not None and found.expires_at < time.time()


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk"])
def test_a_key_that_the_token_brings_or_points_to_is_neither_believed_nor_fetched(
    gateway: Gateway, issuer: Issuer, name: str
) -> None:
    stranger, key = Issuer(), rsa_key()
    brought: Any = issuer.published(key, "k1") if name == "jwk" else f"{stranger.url}/keys"
    token = jwt.encode(issuer.claims(), key, "RS256", headers={"kid": "k1", name: brought})
    try:
        assert gateway.connect(token) == 401
        assert stranger.asked == []
    finally:
        stranger.close()


def test_unknown_kids_cannot_make_us_ask_the_issuer_all_the_time(gateway: Gateway, issuer: Issuer) -> None:
    for number in range(20):
        assert gateway.connect(issuer.sign(rsa_key() if number == 0 else None, kid=f"guess-{number}")) == 401
    assert len(issuer.asked) <= 4


def test_of_two_published_keys_the_kid_decides(gateway: Gateway, issuer: Issuer) -> None:
    second = rsa_key()
    issuer.keys.append(issuer.published(second, "k2"))
    assert gateway.connect(issuer.sign(second, kid="k1")) == 401
    assert gateway.connect(issuer.sign(kid="k2")) == 401
    assert gateway.connect(issuer.sign(second, kid="k2")) == 200


def test_when_the_issuer_cannot_be_asked_nobody_gets_in(gateway: Gateway, issuer: Issuer) -> None:
    issuer.is_down = True
    assert gateway.connect(issuer.sign()) == 500
    issuer.is_down = False
    assert gateway.connect(issuer.sign()) == 200


def test_with_a_shared_secret_no_other_algorithm_counts(gateway: Gateway) -> None:
    claims = {"sub": "ada", "exp": int(time.time()) + 600}
    assert gateway.connect(jwt.encode(claims, rsa_key(), "RS256", headers={"kid": "k1"})) == 401
    assert gateway.connect(jwt.encode(claims, SECRET.ljust(64, "!"), "HS512")) == 401
    assert gateway.connect(assemble({"alg": "none"}, claims, lambda data: b"")) == 401
    assert gateway.connect(jwt.encode(claims, SECRET, "HS256")) == 200
