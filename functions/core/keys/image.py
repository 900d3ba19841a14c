"""The image of relay tasks, by its digest: what a tag means may change between two tasks of one deployment.

Source: OCI distribution specification, "Pulling manifests"; a digest is the SHA-256 of the manifest's bytes.
"""

from __future__ import annotations

import hashlib
import json
import urllib.parse
import urllib.request

from functions.core.runtime.entry import logger, place_of

TIMEOUT_S = 4  #: of each of two requests
#: of an image for several processors, the list of them
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)


def pinned(image: str, scheme: str = "https") -> str:
    """`HOST/NAME@sha256:…` for `HOST/NAME:TAG` of a public registry; the tag again, if it does not answer."""
    name, _, tag = image.rpartition(":")
    host, _, repository = name.partition("/")
    if not host or "@" in image:
        return image
    try:
        scope = urllib.parse.urlencode({"service": host, "scope": f"repository:{repository}:pull"})
        token = json.loads(_fetch(f"{scheme}://{host}/token/?{scope}", {}))["token"]
        headers = {"Authorization": f"Bearer {token}", "Accept": MANIFESTS}
        manifest = _fetch(f"{scheme}://{host}/v2/{repository}/manifests/{tag}", headers)
    except (OSError, ValueError, KeyError) as error:
        logger.warning("image not pinned", extra=place_of(error))
        return image
    return f"{name}@sha256:{hashlib.sha256(manifest).hexdigest()}"


def _fetch(url: str, headers: dict[str, str]) -> bytes:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        body: bytes = answer.read()
    return body
