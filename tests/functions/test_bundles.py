"""Bundles of relays: those that a task may still fetch stay, the others go; and all go with the stack."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions import sweep as sweep_function
from functions.core.fleet import bundles

LAYER = "arn:aws:lambda:eu-west-1:1:layer:viva-relay"


class Lambda:
    """Versions of one layer, listed in small pages. `refuses` makes every call fail."""

    def __init__(self, *versions):
        self.versions, self.refuses = list(versions), False

    def list_layer_versions(self, *, LayerName, Marker="0"):
        self._look(LayerName)
        start, known = int(Marker), sorted(self.versions, reverse=True)
        more = {"NextMarker": str(start + 2)} if start + 2 < len(known) else {}
        return {"LayerVersions": [{"Version": each} for each in known[start : start + 2]]} | more

    def delete_layer_version(self, *, LayerName, VersionNumber):
        self._look(LayerName)
        self.versions.remove(VersionNumber)

    def _look(self, layer):
        assert layer == "viva-relay"
        if self.refuses:
            raise ClientError({"Error": {"Code": "ServiceException"}}, "x")


def test_the_newest_stay_with_the_one_in_use_and_the_one_before_it():
    client = Lambda(*range(1, 13))
    bundles.prune(client, f"{LAYER}:2", f"{LAYER}:4")  # a deployment of what was there before
    assert client.versions == [2, 4, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("count", range(1, bundles.KEPT + 1))
def test_the_first_deployments_delete_nothing(count):
    client = Lambda(*range(1, count + 1))
    bundles.prune(client, f"{LAYER}:{count}", "")
    assert len(client.versions) == count


def test_a_deployment_goes_on_where_old_bundles_cannot_be_deleted():
    client = Lambda(*range(1, 13))
    client.refuses = True
    bundles.prune(client, f"{LAYER}:12", f"{LAYER}:11")
    assert len(client.versions) == 12


# ---- the custom resource


@pytest.fixture
def layers(monkeypatch, edges, table):
    """The layer of a stack that was deployed many times."""
    made, client = Lambda(*range(1, 13)), sweep_function.aws.client
    monkeypatch.setattr(
        sweep_function.aws, "client", lambda service: made if service == "lambda" else client(service)
    )
    return made


def answered(cloudformation, kind, version, **more):
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 200_000)
    given = {
        "LogicalResourceId": "Fleet",
        "ResourceProperties": {"Cluster": "arn:cluster", "Bundle": f"{LAYER}:{version}"},
    }
    sweep_function.handler(cloudformation.event(kind, **given, **more), context)
    return cloudformation.answers[-1]["Status"]


def test_a_deployment_keeps_what_its_rollback_would_start(layers, cloudformation):
    before = {"OldResourceProperties": {"Bundle": f"{LAYER}:3"}}
    assert answered(cloudformation, "Update", 12, **before) == "SUCCESS"
    assert {3, 12} < set(layers.versions) and 1 not in layers.versions


def test_no_bundle_outlives_the_stack(layers, cloudformation):
    assert answered(cloudformation, "Delete", 12) == "SUCCESS"
    assert layers.versions == []


def test_bundles_that_could_not_be_deleted_with_the_stack_are_told(layers, cloudformation):
    layers.refuses = True
    assert answered(cloudformation, "Delete", 12) == "FAILED"
