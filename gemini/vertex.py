"""Vertex AI, a second road to the same models: addresses, names, and a setup that no token holds. Pure.

It has no ephemeral tokens: a bearer of Google Cloud opens the connection, and the first message is the whole
setup. Its tool calls have no id and take no `scheduling` (docs/sources.md#vertex). Nothing of it was run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gemini.profiles import bare
from gemini.tokens import GENERATION

METHOD = "google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
STS_URL = "https://sts.googleapis.com/v1/token"  #: exchanges an AWS identity for a token
IAM_URL = "https://iamcredentials.googleapis.com"  #: exchanges that for a service account's


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model is, and who pays."""

    project: str
    location: str  #: like us-central1; `global` has a host of its own

    @property
    def base_url(self) -> str:
        """Google's own host of that location."""
        prefix = "" if self.location == "global" else f"{self.location}-"
        return f"https://{prefix}aiplatform.googleapis.com"

    def resource(self, model: str) -> str:
        """The model's resource name."""
        return f"projects/{self.project}/locations/{self.location}/publishers/google/models/{bare(model)}"


def address(base_url: str) -> str:
    """URL of a connection; http stays unencrypted, for a stand-in on this machine."""
    return f"{base_url.replace('http', 'ws', 1).rstrip('/')}/ws/{METHOD}"


def setup(place: Place, model: str, config: dict[str, Any], handle: str | None) -> dict[str, Any]:
    """The first message's setup, from what a token would lock. Names inside stay as google-genai has them:
    protobuf's JSON takes both spellings."""
    generation = {name: config[name] for name in GENERATION if name in config}
    rest = {name: value for name, value in config.items() if name not in generation}
    return {
        "model": place.resource(model),
        "generation_config": generation,
        **rest,
        "session_resumption": {"handle": handle} if handle else {},
    }
