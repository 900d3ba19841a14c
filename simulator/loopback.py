"""Tells this machine's own requests from those of web pages elsewhere. Pure.

What listens on loopback is reached by any page that a browser here has open: under its own `Origin`, or under
a name of its own that it lets resolve to 127.0.0.1 (DNS rebinding), which shows in `Host`.
"""

import ipaddress
from urllib.parse import urlsplit


def is_foreign(host: str, origin: str | None, *, pages: bool = True) -> bool:
    """Whether a request with these headers is none of this machine's own.

    `pages`: those that this machine serves may ask. Else nothing that a page sends is taken.
    """
    if origin is not None and not (pages and is_loopback(_name(origin))):
        return True
    return not is_loopback(_name(f"//{host}"))


def is_loopback(name: str) -> bool:
    """A name or an address of this machine, and of no other."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
