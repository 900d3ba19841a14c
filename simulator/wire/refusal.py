"""Refusals of Google: WebSocket close codes with their reason texts.

Texts marked (reported) were quoted by others from the real service; the rest are
our invention, worded alike, where only the fact of a refusal is known.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Close:
    """A close frame. Its reason is cut to the 123 bytes that fit when it is sent."""

    code: int
    reason: str


class Refusal(Exception):
    """Raised to close the connection with `close`."""

    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


def invalid(reason: str = "Request contains an invalid argument.") -> Refusal:
    """1007, the answer to most malformed requests (reported)."""
    return Refusal(Close(1007, reason))


def unknown_name(name: str, where: str) -> Refusal:
    """A field that no message has (reported)."""
    place = f" at '{where}'" if where else ""
    return invalid(f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')


def model_not_found(name: str, version: str) -> Refusal:
    """(reported)"""
    text = f"{name or 'models/'} is not found for API version {version}"
    return Refusal(Close(1008, f"{text}, or is not supported for bidiGenerateContent."))


SETUP_FIRST = Close(1007, "setup must be the first message and only the first")  #: (reported)
TEXT_MODALITY = Close(
    1007, "The requested combination of response modalities (TEXT) is not supported by the model"
)  #: (reported)
EXPLICIT_ACTIVITY = Close(
    1007, "Explicit activity control is not supported when automatic activity detection is enabled."
)  #: (reported)
BAD_KEY = Close(1007, "API key not valid. Please pass a valid API key.")  #: text known from REST
UNREGISTERED = Close(
    1008,
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API.",
)  #: (reported); a close frame has room for its first 123 bytes only
TOKEN_SPENT = Close(1011, "Token has been used too many times")  #: (reported)
TOKEN_EXPIRED = Close(1011, "Token has expired")  #: (reported), at connect
TOKEN_RAN_OUT = Close(1011, "auth token has expired")  #: (reported), in a running session
TOKEN_TOO_LATE = Close(1011, "Token's new session window has expired")  #: invented
HANDLE_UNKNOWN = Close(1008, "BidiGenerateContent session not found")  #: invented
HANDLE_LOCKED = Close(
    1007, "Request contains an invalid argument."
)  #: invented: what `locked_handle: reject` says
OLD_STILL_OPEN = Close(1011, "Internal error encountered.")  #: code reported, text invented
CONTEXT_FULL = Close(1007, "Request contains an invalid argument.")  #: 1007 with the usual text (reported)
DEADLINE = Close(1011, "Deadline expired before operation could complete.")  #: (reported)
SERVER_RESET = Close(1000, "server reset")  #: after goAway (reported)
INTERNAL = Close(1011, "Internal error encountered.")  #: (reported)
