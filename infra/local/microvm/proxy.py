"""The proxy before every VM: checks the token, strips its own subprotocols and headers, joins the sockets.

Source: networking page of AWS's skill for Lambda MicroVMs (docs/sources.md#microvms): a browser sends
`lambda-microvms`, `lambda-microvms.authentication.TOKEN` and `lambda-microvms.port.N` as subprotocols, others
`X-aws-proxy-auth` and `X-aws-proxy-port`; none of them reaches the program.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.local.microvm.machine import Machine
from infra.local.splice import Head, Pair, Refused, dial
from protocol.credentials import offered

BASE = "lambda-microvms"
HEADER = "x-aws-proxy-"


@dataclass(frozen=True, slots=True)
class Token:
    """What CreateMicrovmAuthToken granted."""

    machine: str
    expires_at: float  #: epoch s
    ranges: Sequence[tuple[int, int]]  #: ports, both ends included

    def admits(self, machine: str, port: int, now: float) -> bool:
        in_range = any(low <= port <= high for low, high in self.ranges)
        return machine == self.machine and in_range and now < self.expires_at


class Proxy:
    """Door to all VMs: the path's second part is the id, the rest is the program's."""

    def __init__(self, find: Callable[[str], Machine | None]) -> None:
        self._find = find
        self._tokens: dict[str, Token] = {}

    def grant(self, token: Token) -> str:
        """A secret that admits so."""
        secret = f"eyJ{secrets.token_urlsafe(600)}"  # a JWE of theirs is long
        self._tokens[secret] = token
        return secret

    async def attend(self, head: Head, client: Pair) -> None:
        """Join the client to the VM's program until one of them ends, or a snapshot cuts. Raises Refused."""
        _, _, id, *rest = head.path.split("/")
        machine = self._find(id)
        secret, port = _asked(head)
        token = self._tokens.get(secret)
        if machine is None or token is None or not token.admits(id, port, time.time()):
            raise Refused(403)
        if machine.state != "RUNNING" or machine.snapshot is None:
            raise Refused(502)  # no idle policy here, so that nothing wakes by being asked
        try:
            guest = await dial("127.0.0.1", machine.snapshot.ports.of_guest[port])
        except (OSError, KeyError):
            raise Refused(502) from None
        guest[1].write(_onward(head, "/" + "/".join(rest)).encode())
        await machine.snapshot.network.attend(client, guest)


def _asked(head: Head) -> tuple[str, int]:
    """The secret and the port that a request names, by header or by subprotocol."""
    entries = offered(head.get("Sec-WebSocket-Protocol"))
    told = _told(entries) if BASE in entries else {}
    secret = head.get(f"{HEADER}auth") or told.get("authentication", "")
    port = head.get(f"{HEADER}port") or told.get("port", "8080")
    if not port.isdecimal():
        raise Refused(400)
    return secret, int(port)


def _told(entries: Sequence[str]) -> Mapping[str, str]:
    told = (entry.removeprefix(f"{BASE}.") for entry in entries if entry.startswith(f"{BASE}."))
    return {name: value for name, _, value in (each.partition(".") for each in told)}


def _onward(head: Head, path: str) -> Head:
    left = [entry for entry in offered(head.get("Sec-WebSocket-Protocol")) if not _is_ours(entry)]
    for name, _ in head.headers:
        if name.lower().startswith(HEADER):
            head = head.put(name, None)
    head = head.put("Sec-WebSocket-Protocol", ", ".join(left) or None)
    return Head(head.method, path, head.version, head.headers)


def _is_ours(entry: str) -> bool:
    return entry == BASE or entry.startswith(f"{BASE}.")
