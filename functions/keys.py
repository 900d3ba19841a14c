"""Creates and rotates the deployment's own keys; also looks up a prefix list and an image for the template.

Called by CloudFormation, as the custom resource `Keys`, and by a schedule or an operator, to rotate.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from typing import Any

from functions.core.keys.image import pinned
from functions.core.keys.rotation import Keys, KeyValueStore, Names
from functions.core.runtime import aws, custom_resource
from functions.core.runtime.config import KeysConfig
from functions.core.runtime.entry import flush, logger, metrics

#: The addresses from which CloudFront dials origins, a prefix list that each region names differently.
CLOUDFRONT = "com.amazonaws.global.cloudfront.origin-facing"


@functools.cache
def keys() -> Keys:
    config = KeysConfig.from_env(os.environ)
    return Keys(
        aws.client("ssm"),
        _edge(config.edge_store),
        Names(
            config.route_key_parameter,
            config.origin_secret_parameter,
            config.jwt_secret_parameter,
            config.makes_jwt_secret,
        ),
        time.time,
        time.sleep,
    )


def _edge(store: str) -> KeyValueStore | None:
    return KeyValueStore(aws.client("cloudfront-keyvaluestore"), store, time.sleep) if store else None


def handler(event: dict[str, Any], context: Any) -> None:
    """Handle a custom resource or a scheduled rotation. Raises errors of the latter: Lambda then retries."""
    if "ResponseURL" in event:
        custom_resource.serve(event, _answer)
    else:
        _rotate_by_schedule()


def _rotate_by_schedule() -> None:
    try:
        keys().rotate()
    except Exception:
        metrics.add_metric("handler_failures", "Count", 1)
        flush()
        raise
    logger.info("keys rotated")


def _answer(kind: str, event: Mapping[str, Any]) -> dict[str, str]:
    if kind == "Delete":
        keys().remove()
        return {}
    keys().ensure()
    image = event["ResourceProperties"].get("Image")
    if image is None:  # no relay is a task, and no edge leads to one
        return {}
    filters = [{"Name": "prefix-list-name", "Values": [CLOUDFRONT]}]
    (found,) = aws.client("ec2").describe_managed_prefix_lists(Filters=filters)["PrefixLists"]
    return {"CloudFrontPrefixList": str(found["PrefixListId"]), "RelayImage": pinned(str(image))}
