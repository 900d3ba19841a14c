"""Relays in Lambda MicroVMs: launched from a snapshot, woken, suspended, ended, and opened to clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from functions.core.runtime.config import MicrovmConfig
from functions.core.runtime.entry import logger
from functions.core.runtime.ports import Launched, LaunchFailed, TasksUnknown, Vm, VmGone
from records.relays import Relay
from records.start_failures import Cause

LONGEST_S = 28_800  #: the platform's limit, from the launch on, asleep or awake
TOKEN_MINUTES = 5  #: only the handshake needs it
SUSPEND_POLL_S, SUSPEND_POLLS = 0.5, 8
OVER = ("TERMINATING", "TERMINATED")
#: what is answered about a VM that is no more, or does not run; which of the two when is not documented
NOT_THERE = ("ResourceNotFoundException", "ConflictException")

#: error of the API to our words; they pass by waiting
PASSING = {
    "ServiceQuotaExceededException": "the account's quota of MicroVMs is used up",
    "InsufficientCapacityException": "Lambda has no capacity for MicroVMs now",
    "ThrottlingException": "Lambda is asked for MicroVMs too often",
}


class Microvms(Protocol):
    """Client of lambda-microvms, as far as it is used."""

    def run_microvm(self, **request: Any) -> Any: ...

    def get_microvm(self, **request: Any) -> Any: ...

    def list_microvms(self, **request: Any) -> Any: ...

    def suspend_microvm(self, **request: Any) -> Any: ...

    def resume_microvm(self, **request: Any) -> Any: ...

    def terminate_microvm(self, **request: Any) -> Any: ...

    def create_microvm_auth_token(self, **request: Any) -> Any: ...


class MicrovmLauncher:
    """One VM per relay. No idle policy: whether a WebSocket's frames count as traffic is not documented."""

    def __init__(self, client: Microvms, config: MicrovmConfig, resume_s: int) -> None:
        self._client, self._config, self._resume_s = client, config, resume_s

    def launch(self, relay: Relay) -> Launched | None:
        try:
            if relay.vm:
                self._wake(relay)
                return None
            answer = self._client.run_microvm(**self._request(relay))
        except (ClientError, HTTPClientError, ConnectionError) as error:
            logger.error("microvm not started", extra={"relay": relay.id, "code": _code(error)})
            raise LaunchFailed(_cause(error)) from None
        return Launched(str(answer["microvmId"]), str(answer["endpoint"]))

    def _wake(self, relay: Relay) -> None:
        try:
            self._client.resume_microvm(microvmIdentifier=relay.vm)
        except ClientError as error:
            if _code(error) != "ConflictException":
                raise
            state = self._client.get_microvm(microvmIdentifier=relay.vm)["state"]
            if state not in ("RUNNING", "PENDING"):  # somebody has woken it: this wake is repeated
                raise

    def _request(self, relay: Relay) -> dict[str, Any]:
        config = self._config
        given = {
            "RELAY_ID": relay.id,
            "RELAY_SLOT": relay.slot,
            "RELAY_REVISION": relay.revision,
            "RELAY_CAPACITY": str(relay.capacity),
            "RESUME_SECONDS": str(self._resume_s),
        }
        return {
            "imageIdentifier": config.image,
            "imageVersion": config.version,
            "executionRoleArn": config.role,
            "maximumDurationInSeconds": LONGEST_S,
            "runHookPayload": json.dumps(given),
            "logging": {"cloudWatch": {"logGroup": config.log_group}},
            "clientToken": relay.id,
        }


class MicrovmDoor:
    """Tokens of the proxy that stands before every VM."""

    def __init__(self, client: Microvms, config: MicrovmConfig) -> None:
        self._client, self._port = client, config.port

    def protocols(self, vm: str) -> list[str]:
        try:
            answer = self._client.create_microvm_auth_token(
                microvmIdentifier=vm,
                expirationInMinutes=TOKEN_MINUTES,
                allowedPorts=[{"port": self._port}],
            )
        except (ClientError, HTTPClientError, ConnectionError) as error:
            logger.error("no token for a microvm", extra={"vm": vm, "code": _code(error)})
            raise (VmGone() if _code(error) in NOT_THERE else LaunchFailed(_cause(error))) from None
        token = answer["authToken"]["X-aws-proxy-auth"]
        base = "lambda-microvms"
        return [base, f"{base}.authentication.{token}", f"{base}.port.{self._port}"]


class MicrovmList:
    """All VMs of the image, whatever version they run."""

    def __init__(self, client: Microvms, image: str, pause: Callable[[float], None]) -> None:
        self._client, self._image, self._pause = client, image, pause

    def alive(self) -> Sequence[Vm]:
        return [vm for vm in self._listed() if vm.state not in OVER]

    def suspend(self, vm: str) -> bool:
        """One that is suspended already, or on its way, is no failure."""
        try:
            self._client.suspend_microvm(microvmIdentifier=vm)
        except (ClientError, HTTPClientError, ConnectionError) as error:
            if _code(error) != "ConflictException":
                raise self._unknown("suspend", error) from None
        for _ in range(SUSPEND_POLLS):
            if self._call("get_microvm", microvmIdentifier=vm)["state"] == "SUSPENDED":
                return True
            self._pause(SUSPEND_POLL_S)
        return False

    def terminate(self, vm: str) -> None:
        self._call("terminate_microvm", microvmIdentifier=vm)

    def reason(self, vm: str) -> str:
        try:
            return str(self._call("get_microvm", microvmIdentifier=vm).get("stateReason", ""))
        except TasksUnknown:  # one that is gone from the API has no words, and is given up all the same
            return ""

    def _listed(self) -> Iterator[Vm]:
        following: dict[str, str] = {}
        while True:
            answer = self._call("list_microvms", imageIdentifier=self._image, maxResults=50, **following)
            for item in answer["items"]:
                yield Vm(item["microvmId"], item["state"], int(item["startedAt"].timestamp()))
            if not answer.get("nextToken"):
                return
            following = {"nextToken": answer["nextToken"]}

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(**request)
        except (ClientError, HTTPClientError, ConnectionError) as error:
            raise self._unknown(operation, error) from None

    def _unknown(self, operation: str, error: Exception) -> TasksUnknown:
        logger.error("microvms unknown", extra={"operation": operation, "code": _code(error)})
        return TasksUnknown()


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def _cause(error: Exception) -> Cause:
    code = _code(error)
    message = str(error.response["Error"].get("Message", "")) if isinstance(error, ClientError) else ""
    said = f"{code}: {message}" if message else code
    return Cause(PASSING.get(code, "Lambda refuses to start it"), said, passes=code in PASSING)
