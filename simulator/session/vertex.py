"""What Vertex AI has otherwise than the Developer API in a setup: the model's name."""

import re
from typing import Any

from simulator.wire import refusal

_RESOURCE = re.compile(r"projects/[^/]+/locations/[^/]+/publishers/google/models/([^/]+)")


def as_ours(raw: dict[str, Any], version: str) -> dict[str, Any]:
    """The setup with the Developer API's name of its model. Raises Refusal for one that is no resource."""
    name = raw.get("model")
    found = _RESOURCE.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise refusal.model_not_found(str(name or ""), version)
    return {**raw, "model": f"models/{found[1]}"}
