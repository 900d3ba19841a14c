"""Lambda MicroVMs as far as functions use them: states, quotas and errors, without a machine behind."""

import datetime

from botocore.exceptions import ClientError
from deployment import CONTEXT

from functions import session as session_function
from functions import sweep as sweep_function
from functions.core.runtime.config import MicrovmConfig
from records import relays

IMAGE = MicrovmConfig("arn:image", "3", "arn:role", "/logs", capacity=2)


class FakeMicrovms:
    """Stands for boto3's client. `clock` is the deployment's."""

    def __init__(self, clock):
        self.clock = clock
        self.machines = {}  #: id to what GetMicrovm tells
        self.requests = []  #: of RunMicrovm
        self.refusal = None  #: code that answers the next launches
        self.token_refusal = None  #: code that answers the next requests for a token
        self.falls_asleep = True  #: SUSPENDING becomes SUSPENDED at once

    def run_microvm(self, **request):
        if self.refusal:
            raise _error(self.refusal)
        self.requests.append(request)
        id = f"microvm-{len(self.machines)}"
        started = datetime.datetime.fromtimestamp(self.clock(), datetime.UTC)
        self.machines[id] = {
            "microvmId": id,
            "state": "RUNNING",
            "endpoint": f"{id}.lambda-microvm.eu-west-1.on.aws",
            "startedAt": started,
        }
        return self.machines[id]

    def get_microvm(self, *, microvmIdentifier):
        return self._known(microvmIdentifier)

    def list_microvms(self, *, imageIdentifier, maxResults, nextToken="0"):
        start, machines = int(nextToken), list(self.machines.values())
        following = {"nextToken": str(start + 2)} if start + 2 < len(machines) else {}
        return {"items": machines[start : start + 2], **following}  # small pages

    def suspend_microvm(self, *, microvmIdentifier):
        self._move(microvmIdentifier, "RUNNING", "SUSPENDED" if self.falls_asleep else "SUSPENDING")

    def resume_microvm(self, *, microvmIdentifier):
        self._move(microvmIdentifier, "SUSPENDED", "RUNNING")

    def terminate_microvm(self, *, microvmIdentifier):
        self._known(microvmIdentifier)["state"] = "TERMINATED"

    def create_microvm_auth_token(self, *, microvmIdentifier, expirationInMinutes, allowedPorts):
        if self.token_refusal:
            raise _error(self.token_refusal)
        if self._known(microvmIdentifier)["state"] == "TERMINATED":
            raise _error("ConflictException")
        assert (expirationInMinutes, allowedPorts) == (5, [{"port": 8080}])
        return {"authToken": {"X-aws-proxy-auth": f"jwe.of.{microvmIdentifier}"}}

    def states(self):
        return [machine["state"] for machine in self.machines.values()]

    def _known(self, id):
        if id not in self.machines:
            raise _error("ResourceNotFoundException")
        return self.machines[id]

    def _move(self, id, was, to):
        machine = self._known(id)
        if machine["state"] != was:
            raise _error("ConflictException")
        machine["state"] = to


def _error(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


def the_relays(table):
    return relays.load_all(table, relays.pool(table).slots.values())


def become_ready(table, clock, relay):
    """What a relay does when its MicroVM runs, or is awake again."""
    relays.ready(table, relay, "" if relays.load(table, relay).vm else f"{relay}.example:8080", int(clock()))
    return session_function.handler({"relay_ready": relay}, CONTEXT)["told"]


def sweep():
    return sweep_function.handler({}, CONTEXT)
