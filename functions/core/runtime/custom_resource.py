"""Protocol of a CloudFormation custom resource: one response, to the URL of the event."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from functions.core.runtime.entry import logger, place_of

TIMEOUT_S = 5

Work = Callable[[str, Mapping[str, Any]], dict[str, str]]


def serve(event: Mapping[str, Any], work: Work) -> None:
    """Do the work of `event` and answer. `work` gets the kind (Create, Update, Delete) and the event.

    Its result can be read by Fn::GetAtt. When it raises, the deployment fails with the error's type.
    """
    try:
        data, reason = work(str(event["RequestType"]), event), ""
    except Exception as error:  # without an answer, CloudFormation waits for an hour
        logger.error("custom resource failed", extra=place_of(error))
        data, reason = {}, type(error).__name__
    answer = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason and f"{reason}; see the function's log",
        "PhysicalResourceId": event.get("PhysicalResourceId") or str(event["LogicalResourceId"]),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    request.add_header("Content-Type", "")  # the address is signed for none
    urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
