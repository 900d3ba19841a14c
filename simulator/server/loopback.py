"""Origin check of loopback listeners: tells local requests from those of foreign web pages. Pure.

What listens on loopback is reached by any page that a browser here has open: under its own `Origin`, or under
a name of its own that it lets resolve to 127.0.0.1 (DNS rebinding), which shows in `Host`. A plain GET, as of
an image, has neither. That a page sent it shows in `Sec-Fetch-Site` alone, which no page can set or omit.
"""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

#: Gives a header of a request by its name; None when it was not sent.
Header = Callable[[str], str | None]


def is_foreign(header: Header, *, pages: bool = True) -> bool:
    """Whether a request comes from a foreign page.

    `pages`: accept requests of pages that this machine serves. Without it no page's request is accepted; one
    typed into the address bar (`Sec-Fetch-Site: none`) is not a page's.
    """
    origin = header("Origin")
    if origin is not None and not (pages and is_loopback(_name(origin))):
        return True
    if not pages and header("Sec-Fetch-Site") not in {None, "none"}:
        return True
    return not is_host_of_loopback(header("Host"))


def is_host_of_loopback(host: str | None) -> bool:
    """Whether a `Host` header, with or without a port, names this machine and no other."""
    return is_loopback(_name(f"//{host or ''}"))


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
