"""Tries the Gemini key before anything starts: a call that cannot work should not wait to say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cli.failure import Failure

_INSTEAD = "Unset GEMINI_API_KEY to talk to the simulator."


async def check_key(key: str, say: Callable[[str], None]) -> None:
    """Have a token made, which costs nothing and is never used.

    Raises Failure for a key that is empty or refused, and when Google cannot be reached. What Google may take
    back soon is only said.
    """
    if not key.strip():
        raise Failure("GEMINI_API_KEY is set and empty.", f"Put a key in it. {_INSTEAD}")
    from functions.core.minting.gemini_tokens import MintFailed

    try:
        await asyncio.to_thread(_mint, key)
    except MintFailed as failed:
        if failed.code == "key_refused":
            advice = f"Is it complete, and may its project use the Gemini API? {_INSTEAD}"
            raise Failure(f"Google refused the key in GEMINI_API_KEY ({failed}).", advice) from None
        if failed.code == "mint_failed":
            advice = f"Check the network and your proxy. {_INSTEAD}"
            raise Failure(f"Google cannot be asked for a token ({failed}).", advice) from None
        say(f"warning: Google made no token for GEMINI_API_KEY just now ({failed}): calls may fail.")


def _mint(key: str) -> None:
    from agents.catalogue import Agent
    from functions.core.minting.gemini_tokens import GoogleTokens
    from gemini import tokens

    now = int(time.time())
    setup = {"response_modalities": ["AUDIO"]}
    request = tokens.TokenRequest(Agent("").model, setup, None, "full", now, now + 60)
    GoogleTokens(tokens.GOOGLE_URL).mint(key, request)
