"""A shared secret, and its predecessor during a rotation.

The signer or sender uses `current`; the verifier takes any that is `accepted`. Kept as JSON in one parameter;
a value that is not JSON is a key that was never rotated.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Keyring:
    """One or two keys. Not shown by `repr`."""

    current: str
    previous: str = ""
    until: int = 0  #: epoch s up to which `previous` is accepted

    def __repr__(self) -> str:
        return "Keyring(…)"

    def accepted(self, now: int) -> tuple[str, ...]:
        """Keys that are valid now, the current one first."""
        return (self.current, self.previous) if self.previous and now < self.until else (self.current,)

    def rotated(self, fresh: str, until: int) -> Keyring:
        """A keyring with `fresh` as current; the present current key stays accepted up to `until`."""
        return Keyring(fresh, self.current, until)

    def text(self) -> str:
        """Serialized form, as `read` takes it."""
        return json.dumps(asdict(self), separators=(",", ":"))


def read(text: str) -> Keyring:
    """Parse a keyring. Raises ValueError, without a detail, for invalid text."""
    if not text.startswith("{"):
        return Keyring(text)
    try:
        found = json.loads(text)
        return Keyring(str(found["current"]), str(found["previous"]), int(found["until"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError("keyring") from None
