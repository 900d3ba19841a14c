"""Sources of the keys of users' JWTs: a shared secret, or an OIDC issuer."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import jwt

TIMEOUT_S = 3  #: for the issuer's two documents
KEEP_S = 600  #: cache lifetime of the issuer's keys


class SharedSecret:
    """HS256 with one secret."""

    algorithms = frozenset({"HS256"})

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def key_for(self, token: str) -> Any:
        return self._secret()


class Issuer:
    """The published keys of an OIDC issuer, found through its discovery document.

    A shared-secret algorithm is not among those accepted: the published key would be the secret.
    """

    algorithms = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys: jwt.PyJWKClient | None = None

    def key_for(self, token: str) -> Any:
        """Look up the key. Raises jwt.PyJWTError when unknown, OSError when the issuer does not answer."""
        try:
            return self._published().get_signing_key_from_jwt(token).key
        except jwt.PyJWKClientConnectionError:
            raise OSError("issuer") from None

    def _published(self) -> jwt.PyJWKClient:
        if self._keys is None:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
                found = json.load(answer)
            self._keys = jwt.PyJWKClient(found["jwks_uri"], lifespan=KEEP_S, timeout=TIMEOUT_S)
        return self._keys
