"""Tries the Gemini key before anything starts: a call that cannot work should not wait to say so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from cli.failure import Failure
from cli.stack.gemini_server import GeminiServer
from functions.core.minting.gemini_tokens import MintFailed
from gemini import tokens

ANSWER_S = 2.0  #: for Google to answer; a slow network is no reason not to start
_UNSET = "Unset GEMINI_API_KEY to talk to the simulator."
_LEAVE_OUT = "Leave --gemini-url out to talk to the simulator."


async def check_key(
    server: GeminiServer, say: Callable[[str], None], *, unset: str = _UNSET, leave_out: str = _LEAVE_OUT
) -> None:
    """Have a token made, which costs nothing and is never used.

    `unset`, `leave_out`: what the command does without the key, and without --gemini-url. Raises Failure for
    a key that is empty, malformed or refused, and when the server cannot be reached. What may be over soon is
    only said.
    """
    key, name, found_in = server.key, server.name, server.key_name
    instead = leave_out if server.url else unset
    if key is None:
        return  # the simulator's turn
    if not key.strip():
        raise Failure(f"{found_in} is set and empty.", f"Put a key in it. {unset}")
    if not tokens.could_be_key(key):
        what = f"{found_in} holds a space, a line break or a character that no key has."
        raise Failure(what, f"Copy it once more. {unset}")
    try:
        await _in_time(key, server.url)
    except TimeoutError:
        say(
            f"warning: {name} has not answered within {ANSWER_S:g} s: calls may fail. "
            f"Check the network and your proxy. {instead}".rstrip()
        )
    except MintFailed as failed:
        if failure := _failure(failed, server, instead):
            raise failure from None
        say(f"warning: {name} made no token for {found_in} just now ({failed}): calls may fail.")


def _failure(failed: MintFailed, server: GeminiServer, instead: str) -> Failure | None:
    """The end of the command; None for what may be over soon."""
    name, found_in = server.name, server.key_name
    match failed.code:
        case "key_refused" if server.is_key_made_up:
            return Failure(
                f"{name} refused a made-up key ({failed}).", "Put a key that it knows in GEMINI_API_KEY."
            )
        case "key_refused":
            advice = f"Is it complete, and may its project use the Gemini API? {instead}"
            return Failure(f"{name} refused the key in {found_in} ({failed}).", advice)
        case "upstream_credits" | "upstream_region":
            what = "has no credit left" if failed.code == "upstream_credits" else "is not served from here"
            return Failure(f"the project of {found_in} {what}, says {name} ({failed}).", instead)
        case "mint_failed":
            check = "Is it up and well?" if server.url else "Check the network and your proxy."
            advice = f"{check} {instead}"
            return Failure(f"{name} cannot be asked for a token ({failed}).", advice)
        case "upstream_invalid" | "upstream_model" if server.url:
            advice = f"It must take POST /{tokens.API_VERSION}/auth_tokens. {instead}"
            return Failure(f"{name} makes no tokens as Google does ({failed}).", advice)
    return None


async def _in_time(key: str, url: str) -> None:
    """Mint in a thread that may be left behind: no library bounds the look-up of a name.

    Raises MintFailed, and TimeoutError after ANSWER_S.
    """
    answer: Future[None] = Future()
    answer.set_running_or_notify_cancel()  # from here on only the thread settles it

    def ask() -> None:
        try:
            _mint(key, url)
        except Exception as error:
            answer.set_exception(error)
        else:
            answer.set_result(None)

    threading.Thread(target=ask, name="key check", daemon=True).start()
    await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_S)


def _mint(key: str, url: str) -> None:
    from agents.catalogue import Agent
    from functions.core.minting.gemini_tokens import GoogleTokens

    now = int(time.time())
    setup = {"response_modalities": ["AUDIO"]}
    request = tokens.TokenRequest(Agent("").model, setup, None, "full", now, now + 60)
    GoogleTokens(url or tokens.GOOGLE_URL).mint(key, request)
