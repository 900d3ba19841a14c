"""The Gemini-shaped server that a local stack is pointed at: its address, the key that it gets, the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from cli.failure import USAGE, Failure
from simulator.server.loopback import is_loopback

MADE_UP_KEY = "made-up-key"  #: for a server of one's own that admits any


@dataclass(frozen=True, slots=True)
class GeminiServer:
    """Address, key and model. `url` empty: Google's own where there is a key, else the simulator."""

    url: str = ""
    key: str | None = field(default=None, repr=False)
    is_key_made_up: bool = False
    model: str = ""  #: that all agents talk with; empty: each with its own
    key_name: str = "GEMINI_API_KEY"  #: where the key was found

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.url or "Google"


def find_server(url: str | None, environment: Mapping[str, str], model: str = "") -> GeminiServer:
    """The server at `url` (--gemini-url), with the key in GEMINI_API_KEY. Raises Failure for no such URL."""
    key = environment.get("GEMINI_API_KEY")
    if url is None:
        return GeminiServer(key=key, model=model)
    parts = _split(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        advice = "Give an https URL; http is for this machine (http://127.0.0.1:PORT)."
        raise Failure("--gemini-url would carry the key unencrypted.", advice, USAGE)
    clean = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    is_made_up = key is None
    return GeminiServer(clean, MADE_UP_KEY if is_made_up else key, is_made_up, model)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_base = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_base = is_base and not (parts.query or parts.fragment or parts.username) and parts.port != 0
    except ValueError:  # of the port
        is_base = False
    if not is_base:
        raise Failure(
            "--gemini-url is no base URL.", "Give one like https://HOST or http://127.0.0.1:PORT.", USAGE
        )
    return parts
