"""Starts relay tasks on ECS."""

from __future__ import annotations

from typing import Any, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from functions.core.fleet import start_causes
from functions.core.runtime.config import TaskConfig
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import LaunchFailed
from records.relays import Relay

STARTED_BY = "relay-"  #: prefix of the relay's id; identifies our tasks
CONTAINER = "relay"  #: its name in the task definition
DEFINED = {"cpu": "256", "memory": "512"}  #: its size there


class Ecs(Protocol):
    """Client of ECS, as far as it is used."""

    def run_task(self, **request: Any) -> Any: ...


class EcsLauncher:
    """One task per relay: the relay's id is the client token, so that a retry starts no second one."""

    def __init__(self, ecs: Ecs, config: TaskConfig, resume_s: int) -> None:
        self._ecs, self._config, self._resume_s = ecs, config, resume_s

    def launch(self, relay: Relay) -> None:
        try:
            answer = self._ecs.run_task(**self._request(relay))
        except (ClientError, HTTPClientError, ConnectionError) as error:
            cause = start_causes.of_refusal(_words(error))
            logger.error("run task failed", extra={"relay": relay.id, "said": cause.said})
            raise LaunchFailed(cause) from None
        if not answer.get("tasks"):
            cause = start_causes.of_refusal(f.get("reason", "") for f in answer.get("failures", []))
            logger.error("run task refused", extra={"relay": relay.id, "said": cause.said})
            raise LaunchFailed(cause)

    def _request(self, relay: Relay) -> dict[str, Any]:
        given = {
            "RELAY_ID": relay.id,
            "RELAY_SLOT": relay.slot,
            "RELAY_REVISION": relay.revision,
            "RELAY_CAPACITY": str(relay.capacity),
            "IDLE_SECONDS": str(self._config.idle_s),
            "RESUME_SECONDS": str(self._resume_s),
        }
        environment = [{"name": name, "value": value} for name, value in given.items()]
        network = {
            "subnets": list(self._config.subnets),
            "securityGroups": [self._config.security_group],
            "assignPublicIp": "ENABLED",  # to reach the model without a NAT
        }
        return {
            "cluster": self._config.cluster,
            "taskDefinition": self._config.definition,
            "launchType": "FARGATE",
            "count": 1,
            "propagateTags": "TASK_DEFINITION",
            "clientToken": relay.id,
            "startedBy": f"{STARTED_BY}{relay.id}",
            "networkConfiguration": {"awsvpcConfiguration": network},
            "overrides": {
                "containerOverrides": [{"name": CONTAINER, "environment": environment}],
                **self._size(),
            },
        }

    def _size(self) -> dict[str, str]:
        """CPU and memory, where they are not the definition's."""
        size = {"cpu": self._config.cpu, "memory": self._config.memory}
        return {} if size == DEFINED else size


def _words(error: Exception) -> list[str]:
    """Code and message of an error of ECS; the type of one on the way there."""
    if not isinstance(error, ClientError):
        return [type(error).__name__]
    told = error.response["Error"]
    return [str(told["Code"]), str(told.get("Message", ""))]
