"""Where this task can be reached, as ECS and EC2 tell it, and its place behind a load balancer.

The task's own metadata knows its network interface but no public name; EC2 knows that. Blocking.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

TIMEOUT_S = 5
PATIENCE_S = 90.0  #: a load balancer needs two good answers, five seconds apart, and some seconds more
POLL_S = 2.0


class AddressUnknown(Exception):
    """This task cannot be reached. The text says what was missing."""


def network_interface(metadata_url: str) -> tuple[str, str]:
    """MAC and private address of the task's network interface. Raises AddressUnknown."""
    try:
        with urllib.request.urlopen(f"{metadata_url}/task", timeout=TIMEOUT_S) as answer:
            network = json.load(answer)["Containers"][0]["Networks"][0]
        return str(network["MACAddress"]), str(network["IPv4Addresses"][0])
    except (OSError, ValueError, LookupError):
        raise AddressUnknown("task metadata") from None


def public_name(ec2: Any, mac: str) -> str:
    """The public DNS name of the interface with that MAC. Raises AddressUnknown, or what boto3 raises."""
    filters = [{"Name": "mac-address", "Values": [mac]}]
    found = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    name = found[0].get("Association", {}).get("PublicDnsName", "") if found else ""
    if not name:
        raise AddressUnknown("public DNS name")
    return str(name)


class TargetGroup:
    """The load balancer's target groups, one for each slot; `slot` is ours alone."""

    def __init__(self, balancer: Any, groups: Sequence[str], slot: str) -> None:
        self._balancer = balancer
        self._group = groups[int(slot)]
        self._entered: dict[str, Any] = {}

    def enter(
        self, host: str, port: int, *, now: Callable[[], float] = time.monotonic, pause: Any = time.sleep
    ) -> None:
        """Returns when requests reach us, and nobody else in this slot. Raises AddressUnknown."""
        self._entered = {"Id": host, "Port": port}
        ours, others = self._look()
        if others:  # of a relay that had this slot and went without a word
            self._balancer.deregister_targets(TargetGroupArn=self._group, TargetGroup=others)
        self._balancer.register_targets(TargetGroupArn=self._group, TargetGroup=[self._entered])
        deadline = now() + PATIENCE_S
        while ours != "healthy":
            if now() > deadline:
                raise AddressUnknown("load balancer")
            pause(POLL_S)
            ours, _ = self._look()

    def leave(self) -> None:
        """No new request reaches us; those under way go on."""
        if self._entered:
            self._balancer.deregister_targets(TargetGroupArn=self._group, TargetGroup=[self._entered])

    def _look(self) -> tuple[str, list[dict[str, Any]]]:
        """Our health, and who else is registered."""
        told = self._balancer.describe_target_health(TargetGroupArn=self._group)
        health, others = "", []
        for each in told["TargetHealthDescriptions"]:
            target = {key: each["Target"][key] for key in ("Id", "Port")}
            if target == self._entered:
                health = str(each["TargetHealth"]["State"])
            else:
                others.append(target)
        return health, others
