"""By which host and port a client came here: its own way may lead through a forwarded port, and TLS."""

import re
from dataclasses import dataclass

from simulator.server.loopback import Header

_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")


@dataclass(frozen=True, slots=True)
class Site:
    """What stands in the client's address bar, or would. `host` has its port, when it is not the scheme's."""

    host: str
    is_secure: bool

    @property
    def page(self) -> str:
        """Its origin, as a page of it sends it."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}"

    @property
    def socket(self) -> str:
        """Where its WebSockets are."""
        return f"{'wss' if self.is_secure else 'ws'}://{self.host}"


def came_by(header: Header) -> Site:
    """The site that a request's headers name: the nearest of its forwarders that says so, else its `Host`.

    TLS ends at the forwarder when that says so, or when the request's page came by https from there.
    """
    host = _first(header("X-Forwarded-Host")) or _first(header("Host"))
    proto = _first(header("X-Forwarded-Proto"))
    is_secure = proto in {"https", "wss"} if proto else header("Origin") == f"https://{host}"
    return Site(host, is_secure)


def _first(value: str | None) -> str:
    """The first of a list, as each forwarder appends to it; "" for what is no host and no scheme."""
    first = (value or "").partition(",")[0].strip()
    return first if _HOST.fullmatch(first) else ""
