"""Tries the Gemini key before anything starts: a call that cannot work should not wait to say so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from cli.failure import Failure

ANSWER_S = 2.0  #: for Google to answer; a slow network is no reason not to start
_INSTEAD = "Unset GEMINI_API_KEY to talk to the simulator."


async def check_key(key: str, say: Callable[[str], None]) -> None:
    """Have a token made, which costs nothing and is never used.

    Raises Failure for a key that is empty, malformed or refused, and when Google cannot be reached. What may
    be over soon is only said.
    """
    if not key.strip():
        raise Failure("GEMINI_API_KEY is set and empty.", f"Put a key in it. {_INSTEAD}")
    from functions.core.minting.gemini_tokens import MintFailed
    from gemini.tokens import could_be_key

    if not could_be_key(key):
        what = "GEMINI_API_KEY holds a space, a line break or a character that no key has."
        raise Failure(what, f"Copy it once more. {_INSTEAD}")
    try:
        await _in_time(key)
    except TimeoutError:
        say(
            f"warning: Google has not answered within {ANSWER_S:g} s: calls may fail. "
            f"Check the network and your proxy. {_INSTEAD}"
        )
    except MintFailed as failed:
        if failed.code == "key_refused":
            advice = f"Is it complete, and may its project use the Gemini API? {_INSTEAD}"
            raise Failure(f"Google refused the key in GEMINI_API_KEY ({failed}).", advice) from None
        if failed.code == "mint_failed":
            advice = f"Check the network and your proxy. {_INSTEAD}"
            raise Failure(f"Google cannot be asked for a token ({failed}).", advice) from None
        say(f"warning: Google made no token for GEMINI_API_KEY just now ({failed}): calls may fail.")


async def _in_time(key: str) -> None:
    """Mint in a thread that may be left behind: no library bounds the look-up of a name.

    Raises MintFailed, and TimeoutError after ANSWER_S.
    """
    from functions.core.minting import gemini_tokens

    gemini_tokens.load()
    answer: Future[None] = Future()
    answer.set_running_or_notify_cancel()  # from here on only the thread settles it

    def ask() -> None:
        try:
            _mint(key)
        except Exception as error:
            answer.set_exception(error)
        else:
            answer.set_result(None)

    threading.Thread(target=ask, name="key check", daemon=True).start()
    await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_S)


def _mint(key: str) -> None:
    from agents.catalogue import Agent
    from functions.core.minting.gemini_tokens import GoogleTokens
    from gemini import tokens

    now = int(time.time())
    setup = {"response_modalities": ["AUDIO"]}
    request = tokens.TokenRequest(Agent("").model, setup, None, "full", now, now + 60)
    GoogleTokens(tokens.GOOGLE_URL).mint(key, request)
