"""Sees what every client of the suite receives and what every process of it logs, and judges both at the end.

A client must never receive Google's names, a prompt, a key or a token of the model; a log must never hold a
secret, a ticket, a transcript or audio. Patterns stand for what is made anew in every run; what is known (the
prompts, the shipped samples' words) is searched as it is.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]

GOOGLES_WORDS = (
    "gemini", "google", "bidigenerate", "generativelanguage", "servercontent", "modelturn", "inlinedata",
    "usagemetadata", "sessionresumption", "setupcomplete", "functioncall", "realtimeinput", "goaway",
    "generationcomplete", "interactionstatus", "auth_tokens/", "access_token",
)  # fmt: skip
SECRETS = {
    "a JWT": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\."),
    "a credential entry": re.compile(r"vivavoce\.(?:jwt|ticket)\.[\w.~-]{16,}"),
    "a model token": re.compile(r"auth_tokens/[\w-]{8,}"),
    "a resume key": re.compile(r"resume_key\W{1,8}[\w-]{16,}"),
    "a ticket": re.compile(r"ticket\W{1,8}[\w-]{24,}"),
    "audio": re.compile(r"[A-Za-z0-9+/_-]{200,}|(?:\\x[0-9a-f]{2}){40,}"),
}
#: what clients are rightly given, and no log may hold under whatever name
GIVEN = {
    "a ticket": re.compile(r'"ticket":"([\w-]{24,})"'),
    "a resume key": re.compile(r'"resume_key":"([\w-]{16,})"'),
    "a transcript": re.compile(r'"type":"transcript"[^{}]*?"text":"([^"\\]{4,})"'),
}
SHORTEST_WORD = 4  #: letters
CANARY = "planted-canary"  #: in whatever a test wants to be sure is never passed on


@dataclass
class Witness:
    """What was seen. `findings` is empty when all is well."""

    received: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)  #: secret of this run to what it is

    def receives(self, data: str | bytes) -> None:
        """A client of ours received this. Audio frames are remembered by their header only."""
        text = data if isinstance(data, str) else ""
        self.received.append(text)
        for what, pattern in GIVEN.items():
            for given in pattern.findall(text):
                self.secrets.update(dict.fromkeys(_traces(given), what))

    def logs(self, lines: Iterable[str]) -> None:
        self.logged += lines

    def keeps(self, secret: str, what: str) -> None:
        """Have this searched in both."""
        self.secrets[secret] = what

    def findings(self) -> list[str]:
        return sorted({*self._in_received(), *self._in_logs()})

    def _in_received(self) -> Iterator[str]:
        words = dict.fromkeys(GOOGLES_WORDS, "a name of Google's") | prompts()
        text = "\n".join(self.received)
        lower = text.lower()
        yield from (f"a client received {what}: {word!r}" for word, what in words.items() if word in lower)
        for secret, what in self.secrets.items():
            if what not in GIVEN and secret in text:
                yield f"a client received {what}"

    def _in_logs(self) -> Iterator[str]:
        text = "\n".join(self.logged)
        for what, pattern in SECRETS.items():
            if found := pattern.search(text):
                yield f"a log holds {what}: {found[0][:60]}"
        lower = text.lower()
        for secret, what in (self.secrets | spoken() | prompts()).items():
            if secret.lower() in lower:
                yield f"a log holds {what}: {secret[:30]}"


def _traces(given: str) -> tuple[str, ...]:
    """What a log would show of it: a single word is looked for as a whole value only; modules have names too.

    The shortest typed ones are not looked for: "open" or "1" is a log's own word as often as somebody's.
    A piece of speech is told apart by the space before it.
    """
    words = given.strip()
    if len(given) <= SHORTEST_WORD and given == words:
        return ()
    return (words,) if " " in words or len(words) > 16 else (f'"{given}"', f"'{given}'")


def prompts() -> dict[str, str]:
    """The longest line of every agent's instructions, in lower case: short ones might be said by chance."""
    texts = (yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / "agents").glob("*.yaml"))
    lines = (max(text["instructions"].splitlines(), key=len).strip().lower() for text in texts)
    return dict.fromkeys(lines, "a prompt")


def spoken() -> dict[str, str]:
    """The words of the shipped samples."""
    sidecars = (json.loads(path.read_text("utf-8")) for path in (ROOT / "simulator/samples").glob("*.json"))
    return {sidecar["text"]: "a transcript" for sidecar in sidecars}


class LogEar(logging.Handler):
    """Hands every record to the witness, with its extras, as a JSON formatter would print them."""

    def __init__(self, witness: Witness) -> None:
        super().__init__(logging.DEBUG)
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        extras = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        self._witness.logs([f"{record.name} {record.getMessage()} {extras!r} {record.exc_text or ''}"])


_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

WITNESS = Witness()
