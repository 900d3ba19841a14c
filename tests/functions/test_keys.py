"""The deployment's own keys: made once, rotated without a moment in which nobody is let in."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from functions import keys as module
from functions.core.keys.rotation import EDGE_KEY, KEEP_S, PAUSE_S, Keys, KeyValueStore, Names
from records import keyring
from records.keyring import Keyring
from records.routes import read_route_of_any, sign_route

NOW = 1_800_000_000
NAMES = Names("/s/route", "/s/origin", "/s/jwt")
ADDRESS = "ec2-1.amazonaws.com:8080"


def refused(code):
    return ClientError({"Error": {"Code": code}}, "x")


class Ssm:
    """Parameters in a dict; every write is noted in `steps`. `denies` is a name that fails."""

    def __init__(self, steps):
        self.kept, self.steps, self.denies = {}, steps, ""

    def get_parameter(self, *, Name, WithDecryption):
        assert WithDecryption
        if Name not in self.kept:
            raise refused("ParameterNotFound")
        return {"Parameter": {"Value": self.kept[Name]}}

    def put_parameter(self, *, Name, Value, Type, Overwrite):
        assert Type == "SecureString"
        if Name == self.denies:
            raise refused("ThrottlingException")
        if Name in self.kept and not Overwrite:
            raise refused("ParameterAlreadyExists")
        self.kept[Name] = Value
        self.steps.append(Name)

    def delete_parameter(self, *, Name):
        if self.kept.pop(Name, None) is None:
            raise refused("ParameterNotFound")


class Edge:
    def __init__(self, steps):
        self.steps, self.told = steps, {}

    def write(self, key, value):
        assert key == EDGE_KEY
        self.told = json.loads(value)
        self.steps.append("edge")


class Deployment:
    def __init__(self, names=NAMES):
        self.steps = []
        self.ssm, self.edge, self.now = Ssm(self.steps), Edge(self.steps), NOW
        self.keys = Keys(self.ssm, self.edge, names, lambda: self.now, self.pause)

    def pause(self, seconds):
        self.steps.append(seconds)

    def ring(self, name):
        return keyring.read(self.ssm.kept[name])

    def passes(self, key):
        """Whether the edge lets a route through that is signed by `key` now."""
        accepted = [each.encode() for each in Keyring(**self.edge.told["route"]).accepted(self.now)]
        path = sign_route(key.encode(), "0", ADDRESS, self.now + 60)
        try:
            return read_route_of_any(accepted, path, self.now) == ADDRESS
        except ValueError:
            return False


@pytest.fixture
def deployment():
    made = Deployment()
    made.keys.ensure()
    return made


def test_what_is_missing_is_made_with_256_bits_each(deployment):
    assert deployment.ssm.kept.keys() == {"/s/route", "/s/origin", "/s/jwt"}
    found = {deployment.ring("/s/route").current, deployment.ring("/s/origin").current}
    assert len(found) == 2 and all(len(each) == 43 for each in found)
    assert len(deployment.ssm.kept["/s/jwt"]) >= 43
    assert deployment.edge.told["origin"] == deployment.ring("/s/origin").current
    assert deployment.passes(deployment.ring("/s/route").current)


def test_making_them_again_changes_nothing_and_tells_the_edge_again(deployment):
    before, deployment.edge.told = dict(deployment.ssm.kept), {}
    deployment.keys.ensure()
    assert deployment.ssm.kept == before
    assert deployment.passes(deployment.ring("/s/route").current)


def test_a_secret_that_was_made_goes_with_the_stack_though_the_operator_brings_another_since(deployment):
    """It would lie there as a live signing secret, and a new stack of that name would take it up."""
    later = Deployment(replace(NAMES, makes_jwt=False))
    later.ssm.kept |= deployment.ssm.kept | {"/mine": "secret"}
    later.keys.ensure()
    later.keys.remove()
    assert later.ssm.kept == {"/mine": "secret"}


def test_a_secret_that_the_operator_brings_is_neither_made_nor_removed():
    deployment = Deployment(replace(NAMES, makes_jwt=False))
    deployment.ssm.kept["/mine"] = "secret"
    deployment.keys.ensure()
    deployment.keys.remove()
    assert deployment.ssm.kept == {"/mine": "secret"}


def test_a_rotation_goes_in_the_order_in_which_nobody_is_refused(deployment):
    deployment.steps.clear()
    deployment.keys.rotate()
    assert deployment.steps == ["/s/origin", "edge", PAUSE_S, "/s/route", "edge"]


def test_a_deployment_in_the_pause_of_a_rotation_locks_nobody_out(deployment):
    """It tells the edge the keys that lie in SSM, of which the new one for routes is not one yet."""
    deployment.keys = Keys(
        deployment.ssm, deployment.edge, NAMES, lambda: deployment.now, lambda _: deployment.keys.ensure()
    )
    deployment.keys.rotate()
    assert deployment.passes(deployment.ring("/s/route").current), "session signs with this one"


def test_both_keys_are_good_while_it_lasts_and_the_old_one_never_again(deployment):
    old, old_origin = (deployment.ring(name).current for name in ("/s/route", "/s/origin"))
    deployment.keys.rotate()
    new = deployment.ring("/s/route").current
    assert new != old and deployment.passes(old) and deployment.passes(new)
    assert deployment.ring("/s/origin").accepted(NOW) == (deployment.edge.told["origin"], old_origin)
    deployment.now += KEEP_S
    assert not deployment.passes(old) and deployment.passes(new)
    assert deployment.ring("/s/origin").accepted(deployment.now) == (deployment.edge.told["origin"],)


def test_the_jwt_secret_is_not_rotated(deployment):
    before = deployment.ssm.kept["/s/jwt"]
    deployment.keys.rotate()
    assert deployment.ssm.kept["/s/jwt"] == before


@pytest.mark.parametrize("step", ["/s/origin", "/s/route"])
def test_a_rotation_that_breaks_off_refuses_nobody_and_can_be_done_again(deployment, step):
    signing = deployment.ring("/s/route").current
    deployment.ssm.denies = step
    with pytest.raises(ClientError):
        deployment.keys.rotate()
    assert deployment.passes(signing), "session still signs with this one"
    deployment.ssm.denies = ""
    deployment.keys.rotate()
    assert deployment.passes(signing) and deployment.passes(deployment.ring("/s/route").current)


def test_a_rotation_that_breaks_off_is_healed_by_the_next_deployment(deployment):
    deployment.ssm.denies = "/s/route"
    with pytest.raises(ClientError):
        deployment.keys.rotate()
    deployment.ssm.denies = ""
    deployment.keys.ensure()
    deployment.now += KEEP_S
    assert deployment.passes(deployment.ring("/s/route").current)


def test_removing_forgets_all_and_can_be_repeated(deployment):
    deployment.keys.remove()
    deployment.keys.remove()
    assert deployment.ssm.kept == {}


def test_keys_are_not_shown(deployment):
    ring = deployment.ring("/s/route")
    assert ring.current not in repr(ring) and ring.current not in repr(deployment.keys)


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"current": "a"}', '{"current":"a","previous":"b","until":"x"}']
)
def test_a_broken_keyring_is_an_error_without_its_text(text):
    with pytest.raises(ValueError, match=r"^keyring$"):
        keyring.read(text)


def test_a_bare_key_is_a_ring_of_one():
    assert keyring.read("abc") == Keyring("abc")


def test_the_store_is_written_only_as_it_was_seen():
    class Client:
        def describe_key_value_store(self, **request):
            return {"ETag": f"etag of {request['KvsARN']}"}

        def update_keys(self, **request):
            self.request = request

    client = Client()
    KeyValueStore(client, "arn", lambda _: None).write("keys", "v")
    assert client.request == {
        "KvsARN": "arn",
        "IfMatch": "etag of arn",
        "Puts": [{"Key": "keys", "Value": "v"}],
    }


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ConflictException"])
def test_a_store_that_has_just_been_made_is_waited_for(code):
    """In a first deployment its data plane may not know it yet; a failure would roll everything back."""

    class Young:
        looks, puts = 0, None

        def describe_key_value_store(self, KvsARN):
            self.looks += 1
            if self.looks < 4:
                raise refused(code)
            return {"ETag": "e"}

        def update_keys(self, **request):
            self.puts = request["Puts"]

    young, pauses = Young(), []
    KeyValueStore(young, "arn", pauses.append).write("keys", "v")
    assert (young.puts, len(pauses)) == ([{"Key": "keys", "Value": "v"}], 3)


def test_a_store_that_does_not_come_is_said_to_be_missing():
    class Missing:
        def describe_key_value_store(self, KvsARN):
            raise refused("ResourceNotFoundException")

    pauses = []
    with pytest.raises(ClientError):
        KeyValueStore(Missing(), "arn", pauses.append).write("keys", "v")
    assert 5 < sum(pauses) < 13, "within the function's time"


# ---- the custom resource


@pytest.fixture
def answering(monkeypatch):
    """The handler over a deployment of the test, and EC2 with one prefix list."""
    deployment = Deployment()

    class Ec2:
        def describe_managed_prefix_lists(self, **request):
            (name,) = request["Filters"][0]["Values"]
            return {"PrefixLists": [{"PrefixListId": f"pl of {name}"}]}

    monkeypatch.setattr(module, "keys", lambda: deployment.keys)
    monkeypatch.setattr(module, "pinned", lambda image: f"{image} by its digest")
    monkeypatch.setattr(module.aws, "client", lambda service: {"ec2": Ec2()}[service])
    return deployment


def test_creating_makes_the_keys_and_tells_the_prefix_list(answering, cloudformation):
    module.handler(cloudformation.event("Create"), None)
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["RequestId"], answer["PhysicalResourceId"]) == (
        "SUCCESS",
        "request",
        "Keys",
    )
    assert answer["Data"] == {
        "CloudFrontPrefixList": f"pl of {module.CLOUDFRONT}",
        "RelayImage": "registry/image:1 by its digest",
    }
    assert answering.ssm.kept
    assert not any(key in json.dumps(answer) for key in answering.ssm.kept.values())


def test_without_an_edge_there_is_the_secret_of_users_alone(answering, cloudformation):
    """And nothing to look up, which the function then may not. What was made before goes in the end."""
    answering.keys.ensure()
    answering.keys = Keys(answering.ssm, None, NAMES, lambda: NOW, answering.pause)
    before, _ = dict(answering.ssm.kept), answering.steps.clear()
    for kind in ("Create", "Update"):
        module.handler(cloudformation.event(kind, ResourceProperties={"MakesJwtSecret": "true"}), None)
    module.handler({"rotate": True}, None)
    assert [answer["Data"] for answer in cloudformation.answers] == [{}, {}]
    assert (answering.ssm.kept, answering.steps) == (before, [])
    answering.ssm.kept.clear()
    module.handler(cloudformation.event("Create", ResourceProperties={"MakesJwtSecret": "true"}), None)
    assert answering.ssm.kept.keys() == {NAMES.jwt}
    module.handler(cloudformation.event("Delete", PhysicalResourceId="Keys"), None)
    assert answering.ssm.kept == {}


def test_an_update_keeps_the_keys_that_are_there(answering, cloudformation):
    module.handler(cloudformation.event("Create"), None)
    before = dict(answering.ssm.kept)
    module.handler(cloudformation.event("Update", PhysicalResourceId="Keys"), None)
    assert [answer["Status"] for answer in cloudformation.answers] == ["SUCCESS"] * 2
    assert answering.ssm.kept == before


def test_deleting_removes_the_keys(answering, cloudformation):
    module.handler(cloudformation.event("Create"), None)
    module.handler(cloudformation.event("Delete", PhysicalResourceId="Keys"), None)
    assert answering.ssm.kept == {}
    assert cloudformation.answers[-1]["Status"] == "SUCCESS"


def test_a_failure_is_answered_by_its_type_alone(answering, cloudformation):
    answering.ssm.denies = "/s/route"
    module.handler(cloudformation.event("Create"), None)
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "ClientError; see the function's log")


@pytest.mark.parametrize("event", [{"rotate": True}, {}])
def test_an_operator_rotates_by_invoking_the_function_with_anything(answering, event):
    """As docs/deploy.md has it, after a leak."""
    answering.keys.ensure()
    before = dict(answering.ssm.kept)
    module.handler(event, None)
    assert {name for name in before if before[name] != answering.ssm.kept[name]} == {"/s/route", "/s/origin"}


def test_the_schedule_rotates_and_an_error_of_it_is_counted_and_rises(answering, capsys):
    answering.keys.ensure()
    before = dict(answering.ssm.kept)
    module.handler({"rotate": True}, None)
    assert before["/s/route"] != answering.ssm.kept["/s/route"]
    answering.ssm.denies = "/s/origin"
    with pytest.raises(ClientError):
        module.handler({"rotate": True}, None)
    assert '"handler_failures":[1.0]' in capsys.readouterr().out
