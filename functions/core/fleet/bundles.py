"""The relay's bundles: versions of a layer, which CloudFormation leaves to us.

A task that was started by an old `session` fetches its bundle up to a minute later. CloudFormation deletes
what was replaced at the end of a deployment, or of its rollback, and would take that bundle away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from functions.core.runtime.entry import logger, place_of

KEPT = 5  #: newest versions that stay; several deployments cannot pass within one start of a task


class Lambda(Protocol):
    """Client of Lambda, as far as it is used."""

    def list_layer_versions(self, **request: Any) -> Any: ...

    def delete_layer_version(self, **request: Any) -> Any: ...


def prune(client: Lambda, arn: str, before: str) -> None:
    """Delete old versions, but neither `arn` nor the one deployed `before`.

    A failure is only logged: the next deployment does it.
    """
    used = {version_of(each) for each in (arn, before) if each}
    try:
        newest_first = sorted(_versions(client, layer_of(arn)), reverse=True)
        _delete(client, layer_of(arn), [each for each in newest_first[KEPT:] if each not in used])
    except (ClientError, HTTPClientError, ConnectionError) as error:
        logger.warning("old bundles stay", extra=place_of(error))


def remove_all(client: Lambda, arn: str) -> None:
    """Delete every version of the layer that `arn` is one of. Raises errors of AWS."""
    _delete(client, layer_of(arn), list(_versions(client, layer_of(arn))))


def layer_of(arn: str) -> str:
    """The name in a version's ARN, `arn:…:layer:NAME:VERSION`."""
    return arn.split(":")[-2]


def version_of(arn: str) -> int:
    """The number at its end."""
    return int(arn.rpartition(":")[2])


def _versions(client: Lambda, layer: str) -> Iterator[int]:
    following: dict[str, str] = {}
    while True:
        answer = client.list_layer_versions(LayerName=layer, **following)
        yield from (int(each["Version"]) for each in answer["LayerVersions"])
        if not answer.get("NextMarker"):
            return
        following = {"Marker": answer["NextMarker"]}


def _delete(client: Lambda, layer: str, versions: list[int]) -> None:
    for version in versions:
        client.delete_layer_version(LayerName=layer, VersionNumber=version)
    if versions:
        logger.info("bundles deleted", extra={"versions": versions})
