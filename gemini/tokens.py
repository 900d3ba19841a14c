"""Ephemeral tokens as Google wants them asked for, and what its refusals mean. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from gemini import refusals
from gemini.profiles import bare

GOOGLE_URL = "https://generativelanguage.googleapis.com"  #: the default of GeminiUrl in template.yaml
API_VERSION = "v1beta"  #: of tokens and of the connections they open; the library's default is another
NEW_SESSION_S = 90  #: a token must be used within this time

Lock = Literal["full", "masked"]

#: fields of a LiveConnectConfig that the wire has in `generationConfig`
GENERATION = ("response_modalities", "speech_config", "thinking_config", "temperature", "media_resolution")


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is good for: one connection, with this setup and no other."""

    model: str
    setup: dict[str, Any]  #: LiveConnectConfig without the resumption handle
    handle: str | None  #: of the conversation to continue
    lock: Lock  #: `full`: the handle is in the token; `masked`: all else is, and the relay sends the handle
    now: int  #: epoch s
    expires_at: int  #: epoch s; the connection is cut then


def could_be_key(key: str) -> bool:
    """A key is of printable ASCII, without spaces: any other cannot even be sent."""
    return key.isascii() and key.isprintable() and bool(key) and " " not in key


def refusal_code(status: int, details: str) -> str:
    """The registry's code. What asks for a token is the key, so it is the key that is not accepted."""
    code = refusals.by_status(status, details)
    if code == "upstream_auth":
        return "key_refused"
    return "mint_failed" if status >= 500 else code


def refusal_names(status: str | None, details: object) -> list[str]:
    """What Google calls the failure, like INVALID_ARGUMENT, API_KEY_INVALID; nothing that is no such name."""
    told = details.get("error", {}) if isinstance(details, dict) else {}
    reasons = told.get("details") if isinstance(told, dict) else None
    names = [status, *(each.get("reason") for each in reasons or [] if isinstance(each, dict))]
    return [name for name in (str(name or "") for name in names) if re.fullmatch("[A-Z_]{2,40}", name)]


def body(request: TokenRequest) -> dict[str, Any]:
    """The JSON of `POST auth_tokens`, as google-genai writes it.

    Two levels of names are lowerCamel, the rest is as in the setup: protobuf's JSON takes both spellings, but
    in a mask only the former.
    """
    config = dict(request.setup)
    if request.lock == "full":
        # Even without a handle: the field is what asks the model for handles.
        config["session_resumption"] = {"handle": request.handle} if request.handle else {}
    generation = {camel(name): config.pop(name) for name in GENERATION if name in config}
    setup = {
        "model": f"models/{bare(request.model)}",
        "generationConfig": generation,
        **{camel(name): value for name, value in config.items()},
    }
    if "tools" in setup:
        setup["tools"] = [{camel(name): value for name, value in each.items()} for each in setup["tools"]]
    # Absent: the client's setup is ignored as a whole. Else what it names overrides the client's.
    mask = {} if request.lock == "full" else {"fieldMask": ",".join(_masked(setup))}
    return {
        "uses": 1,
        "expireTime": at(request.expires_at).isoformat(),
        "newSessionExpireTime": at(request.now + NEW_SESSION_S).isoformat(),
        "bidiGenerateContentSetup": setup,
        **mask,
    }


def _masked(setup: dict[str, Any]) -> Iterator[str]:
    """The paths of the fields that are set, as google-genai names them."""
    for name, value in setup.items():
        if name in ("generationConfig", "systemInstruction"):
            yield from (f"{name}.{part}" for part in value)
        else:
            yield name


def camel(name: str) -> str:
    """A name of ours in lowerCamel."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def at(epoch_s: int) -> datetime.datetime:
    """The moment, in UTC."""
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
