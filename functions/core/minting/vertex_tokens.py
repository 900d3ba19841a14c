"""Bearers of Google Cloud for Vertex AI, by workload identity federation: no key of Google's exists anywhere.

    the function's AWS role ─ signed GetCallerIdentity ─▶ Google's STS ─▶ a service account's token, an hour

By google-auth, imported when first needed (docs/decisions/0025-vertex-by-federation.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

from functions.core.minting.gemini_tokens import MintFailed
from gemini import vertex
from gemini.tokens import TokenRequest

if TYPE_CHECKING:
    from google.auth.aws import Credentials

SUBJECT = "urn:ietf:params:aws:token-type:aws4_request"
CALLER = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
MARGIN_S = 60  #: a bearer lives longer than the connection it opens by this


@dataclass(frozen=True, slots=True)
class Federation:
    """Who Google is told that we are, and whom we become there."""

    provider: (
        str  #: //iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/NAME
    )
    service_account: str  #: its e-mail address
    sts_url: str = vertex.STS_URL
    iam_url: str = vertex.IAM_URL

    def credentials(self) -> Credentials:
        """google-auth's own, which read the role's keys from the environment."""
        from google.auth.aws import Credentials

        impersonated = f"/v1/projects/-/serviceAccounts/{self.service_account}:generateAccessToken"
        return Credentials(  # type: ignore[no-untyped-call]
            audience=self.provider,
            subject_token_type=SUBJECT,
            token_url=self.sts_url,
            credential_source={"environment_id": "aws1", "regional_cred_verification_url": CALLER},
            service_account_impersonation_url=f"{self.iam_url}{impersonated}",
            scopes=[vertex.SCOPE],
        )


@dataclass(slots=True)
class VertexTokens:
    """Opens the way to one place of Vertex AI."""

    place: vertex.Place
    federation: Federation
    base_url: str = ""  #: of a stand-in; empty: Google's own for the place
    _credentials: Any = field(default=None, repr=False)

    def credential(self, request: TokenRequest) -> dict[str, Any]:
        """What the relay needs for one connection. Raises MintFailed."""
        return {
            "token": self._bearer(request.expires_at),
            "token_lock": "full",  # the setup holds the handle, as a token's would
            "url": vertex.address(self.base_url or self.place.base_url),
            "setup": vertex.setup(self.place, request.model, request.setup, request.handle),
        }

    def _bearer(self, until: int) -> str:
        """A bearer that is good until then, epoch s, and a little longer."""
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request

        if self._credentials is None:
            self._credentials = self.federation.credentials()
        try:
            if self._left_s() < until - time.time() + MARGIN_S:
                self._credentials.refresh(Request())
        except GoogleAuthError as error:
            raise MintFailed(type(error).__name__, "key_refused") from None
        return str(self._credentials.token)

    def _left_s(self) -> float:
        if self._credentials.token is None:
            return 0.0
        expiry = self._credentials.expiry.replace(tzinfo=UTC)  # google-auth's has no zone and is UTC
        return float(expiry.timestamp() - time.time())
