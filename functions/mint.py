"""`mint`: credential for one connection to the model; the only function that can read the Gemini key."""

from __future__ import annotations

import functools
import os
import time
from typing import Any

from agents.catalogue import catalogue, spoken_by
from functions.core.minting import mint as minting
from functions.core.minting.gemini_tokens import GoogleTokens, MintFailed
from functions.core.minting.vertex_tokens import Federation, VertexTokens
from functions.core.runtime import aws, settings
from functions.core.runtime.config import MintConfig
from functions.core.runtime.entry import guarded, logger, make_ready, metrics
from functions.core.runtime.secrets_cache import Secret, SecretUnavailable
from gemini.tokens import GOOGLE_URL
from gemini.vertex import Place

FAILED = {"error": "mint_failed"}
SECRETS = {"ParameterNotFound": "key_refused"}  #: permanent errors of the store, by code


@functools.cache
def mint() -> minting.Mint:
    config = MintConfig.from_env(settings.laid_under(os.environ))
    agents = spoken_by(catalogue(), config.gemini_model)
    return minting.Mint(
        table=aws.table(config.table_name),
        minter=GoogleTokens(config.gemini_url),
        key=Secret(aws.client("ssm"), config.gemini_key_parameter, time.monotonic),
        agents=lambda: agents,
        clock=time.time,
        lock=config.token_lock,
        road=_vertex(config) if config.vertex_project else None,
    )


def _vertex(config: MintConfig) -> VertexTokens:
    """Another GeminiUrl than Google's own is a stand-in for Vertex as well."""
    place = Place(config.vertex_project, config.vertex_location)
    who = config.vertex_provider, config.vertex_service_account
    if config.gemini_url == GOOGLE_URL:
        return VertexTokens(place, Federation(*who))
    here = config.gemini_url.rstrip("/")
    return VertexTokens(place, Federation(*who, f"{here}/v1/token", here), here)


make_ready(mint)


@guarded(FAILED)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a relay with a token, or with `{"error": <code of the registry>}`."""
    began = time.perf_counter()
    if "warm_up" in event:  # of `$connect`: to have been started, and to have the key, is all
        mint().warm_up()
        return {}
    try:
        answer = mint().answer(event)
    except minting.Refused as refused:
        logger.info("token refused", extra={"code": refused.code})
        return {"error": refused.code}
    except (MintFailed, SecretUnavailable) as failed:
        code = failed.code if isinstance(failed, MintFailed) else SECRETS.get(str(failed), "mint_failed")
        logger.error("token not made", extra={"reason": str(failed), "code": code})
        metrics.add_metric("mint_failures", "Count", 1)
        return {"error": code}
    metrics.add_metric("mint_ms", "Milliseconds", (time.perf_counter() - began) * 1000)
    logger.info("token made", extra={"session": str(event["session"]), "epoch": event["epoch"]})
    return answer
