"""Ephemeral tokens as Google wants them asked for, and what its refusals mean. Pure."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any, Literal

from gemini import refusals

GOOGLE_URL = "https://generativelanguage.googleapis.com"  #: the default of GeminiUrl in template.yaml
API_VERSION = "v1beta"  #: of tokens and of the connections they open; the library's default is another
NEW_SESSION_S = 90  #: a token must be used within this time

Lock = Literal["full", "masked"]


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


def config(request: TokenRequest) -> dict[str, Any]:
    """CreateAuthTokenConfig of google-genai."""
    setup = dict(request.setup)
    if request.lock == "full":
        # Even without a handle: the field is what asks the model for handles.
        setup["session_resumption"] = {"handle": request.handle} if request.handle else {}
    return {
        "uses": 1,
        "expire_time": _time(request.expires_at),
        "new_session_expire_time": _time(request.now + NEW_SESSION_S),
        "live_connect_constraints": {"model": request.model, "config": setup},
        # Absent: the client's setup is ignored as a whole. Empty: what is set here overrides it.
        **({} if request.lock == "full" else {"lock_additional_fields": []}),
    }


def _time(epoch_s: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
