"""Keys of the deployment: created once, rotated by a schedule, deleted with the stack.

    route    signed by session, checked by the edge
    origin   sent by the edge, checked by relays
    jwt      the HS256 secret of users' tokens, when the operator brings none; never rotated here

The verifying side must know a key before the other side uses it, so a rotation goes

    parameter of origin ──▶ the edge's store (both) ──▶ a pause, while it spreads ──▶ parameter of route
        ──▶ the edge's store again, which a deployment in the pause told what was before

and the previous key stays accepted for KEEP_S. After a failed step the whole rotation can be retried.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from records import keyring
from records.keyring import Keyring

PAUSE_S = 15.0  #: propagation of the edge's store takes seconds
KEEP_S = 900  #: more than PAUSE_S, a function's memory of a secret (300 s) and a route's life (60 s)
WAITS_S = (1.0, 2.0, 3.0, 4.0)  #: retries for a store that was just created, or that another writer changes
UNREADY = {"ResourceNotFoundException", "ConflictException"}
EDGE_KEY = "keys"  #: the one entry of the edge's store


class Parameters(Protocol):
    """Client of SSM, as far as it is used."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any: ...
    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool) -> Any: ...
    def delete_parameter(self, *, Name: str) -> Any: ...


class EdgeStore(Protocol):
    """Key value store of the edge."""

    def write(self, key: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Names:
    """Parameter names of the keys."""

    route: str
    origin: str
    jwt: str
    makes_jwt: bool = True  #: False: the operator brings the secret, under another name


class KeyValueStore:
    """CloudFront's store by its ARN."""

    def __init__(self, client: Any, arn: str, pause: Callable[[float], None]) -> None:
        self._client = client
        self._arn = arn
        self._pause = pause

    def write(self, key: str, value: str) -> None:
        """Write one entry; retry for some seconds while the store is not ready. Raises ClientError."""
        for wait_s in WAITS_S:
            try:
                return self._write(key, value)
            except ClientError as error:
                if _code(error) not in UNREADY:
                    raise
            self._pause(wait_s)
        return self._write(key, value)

    def _write(self, key: str, value: str) -> None:
        seen = self._client.describe_key_value_store(KvsARN=self._arn)["ETag"]
        puts = [{"Key": key, "Value": value}]
        self._client.update_keys(KvsARN=self._arn, IfMatch=seen, Puts=puts)


class Keys:
    """Creates, rotates and deletes the keys in SSM and the edge's store; without an edge users' secret."""

    def __init__(
        self,
        parameters: Parameters,
        edge: EdgeStore | None,
        names: Names,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._parameters = parameters
        self._edge = edge
        self._names = names
        self._clock = clock
        self._pause = pause

    def ensure(self) -> None:
        """Create missing keys and publish to the edge; existing keys stay."""
        if self._names.makes_jwt:
            self._make(self._names.jwt, secrets.token_urlsafe(48))
        if self._edge is None:
            return
        for name in (self._names.route, self._names.origin):
            self._make(name, Keyring(_fresh()).text())
        self._publish(self._edge, self._ring(self._names.route), self._ring(self._names.origin))

    def rotate(self) -> None:
        """Replace the keys for route and origin. The old ones stay accepted for KEEP_S."""
        if self._edge is None:
            return
        until = int(self._clock()) + KEEP_S
        origin = self._ring(self._names.origin).rotated(_fresh(), until)
        route = self._ring(self._names.route).rotated(_fresh(), until)
        self._put(self._names.origin, origin)
        self._publish(self._edge, route, origin)
        self._pause(PAUSE_S)
        self._put(self._names.route, route)
        self._publish(self._edge, route, origin)

    def remove(self) -> None:
        """Delete every key that `ensure` may have created, now or under earlier settings."""
        for name in (self._names.route, self._names.origin, self._names.jwt):
            try:
                self._parameters.delete_parameter(Name=name)
            except ClientError as error:
                if _code(error) != "ParameterNotFound":
                    raise

    def _make(self, name: str, value: str) -> None:
        try:
            self._parameters.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=False)
        except ClientError as error:
            if _code(error) != "ParameterAlreadyExists":
                raise

    def _ring(self, name: str) -> Keyring:
        answer = self._parameters.get_parameter(Name=name, WithDecryption=True)
        return keyring.read(str(answer["Parameter"]["Value"]))

    def _put(self, name: str, ring: Keyring) -> None:
        self._parameters.put_parameter(Name=name, Value=ring.text(), Type="SecureString", Overwrite=True)

    @staticmethod
    def _publish(edge: EdgeStore, route: Keyring, origin: Keyring) -> None:
        keys = {"route": json.loads(route.text()), "origin": origin.current}
        edge.write(EDGE_KEY, json.dumps(keys, separators=(",", ":")))


def _fresh() -> str:
    """A new key of 256 bits."""
    return secrets.token_urlsafe(32)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
