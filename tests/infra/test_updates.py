"""A cold start while the stack is updated, and while an update is rolled back: it works at every instant.

CloudFormation updates a resource after all that it refers to, and deletes what was replaced at the end. Here
every order that this allows is gone through, step by step. At each instant `session` may start a task of the
revision that it knows, and that task may fetch its bundle at that instant or at any later one.
"""

from __future__ import annotations

import copy
import fnmatch
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from functions.core.fleet import bundles
from infra.deploy.embed import TEMPLATE
from infra.local.template import decide, transform
from tests.infra.test_deployment import FORMS, listed, references, statements

Resources = dict[str, Any]
Names = frozenset[str]

GUIDE = (TEMPLATE.parent / "docs/deploy.md").read_text()
MOVES = list(itertools.permutations(["edge", "alb", "both", "microvm"], 2))  #: from form to form
BEFORE, AFTER = 17, 18  #: versions of the layer; a deployment's number stands for its task definition too
STARTERS = ("SessionFunction", "SweepFunction")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return transform(TEMPLATE)


@pytest.fixture(scope="module", params=["edge", "alb", "both"])
def resources(made: dict[str, Any], request: pytest.FixtureRequest) -> Resources:
    """Of each form in which tasks fetch a bundle."""
    return dict(decide(made, FORMS[request.param])["Resources"])


@dataclass(frozen=True)
class Instant:
    """What is true between two steps. Versions are `BEFORE` or `AFTER`."""

    starts: tuple[tuple[str, int], ...]  #: whoever may start a task now, and of which revision
    role: int  #: of which version the role is that a task takes on
    bundles: frozenset[int]
    definitions: frozenset[int]


class Update:
    """One deployment of a new bundle: what changes, and in which orders."""

    def __init__(self, resources: Resources, layer: str = "") -> None:
        self.resources = resources
        layers = (n for n, r in resources.items() if r["Type"] == "AWS::Lambda::LayerVersion")
        self.layer = layer or next(layers)  #: what has changed
        self.needs = {name: self._needs(name) for name in resources}
        self.changed = self._changed()
        self.keeps = resources[self.layer].get("DeletionPolicy") == "Retain"

    def _needs(self, name: str) -> set[str]:
        resource = self.resources[name]
        return (
            set(references(resource)) | set(listed(resource.get("DependsOn", [])))
        ) & self.resources.keys()

    def _changed(self) -> Names:
        """The layer, and what refers to something that changes; of these, what a cold start depends on."""
        found = {self.layer}
        while more := {n for n in self.resources if set(references(self.resources[n])) & found} - found:
            found |= more
        parts = {self.layer, "RelayRole", "RelayTask", "Fleet", *STARTERS}
        return frozenset(found & parts)

    def reached(self, name: str) -> set[str]:
        """All that must be done before `name`, over whatever else stands between."""
        found, waiting = set[str](), [name]
        while waiting:
            for each in self.needs[waiting.pop()] - found:
                found.add(each)
                waiting.append(each)
        return found

    def prefixes(self, of: Names) -> list[Names]:
        """Every set of finished steps among `of`, in any allowed order."""
        before = {name: self.reached(name) & of for name in of}
        sets = itertools.chain.from_iterable(
            itertools.combinations(sorted(of), size) for size in range(len(of) + 1)
        )
        return [frozenset(done) for done in sets if all(before[name] <= set(done) for name in done)]

    def instant(self, new: Names, bundles: frozenset[int], definitions: frozenset[int]) -> Instant:
        """`new`: the resources that are as the new deployment has them."""
        version = {name: AFTER if name in new else BEFORE for name in self.resources}
        starts = tuple((name, version[name]) for name in STARTERS)
        return Instant(starts, version["RelayRole"], bundles, definitions)

    def permits(self, role: int, bundle: int) -> bool:
        """Whether the role of that version may fetch that bundle."""
        properties = self.resources["RelayRole"]["Properties"]
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "lambda:GetLayerVersion" in listed(statement["Action"]):
                    named = statement["Resource"]
                    pattern = named.get("Fn::Sub", "").rpartition(":")[2] if "Fn::Sub" in named else str(role)
                    return fnmatch.fnmatchcase(str(bundle), pattern)
        return False


class Layers:
    """The layer's versions, as `Fleet` finds them."""

    def __init__(self, versions: frozenset[int]) -> None:
        self.versions = set(versions)

    def list_layer_versions(self, **_: Any) -> Any:
        return {"LayerVersions": [{"Version": each} for each in self.versions]}

    def delete_layer_version(self, *, LayerName: str, VersionNumber: int) -> None:
        self.versions.remove(VersionNumber)


def pruned(versions: frozenset[int], now: int, before: int) -> frozenset[int]:
    layers = Layers(versions)
    bundles.prune(layers, f"arn:layer:viva-relay:{now}", f"arn:layer:viva-relay:{before}")
    return frozenset(layers.versions)


def instants(update: Update, end: str) -> Iterator[list[Instant]]:
    """Ways through a deployment that succeeds, or is rolled back after any step: instants in order."""
    old = frozenset(range(1, BEFORE + 1))
    full = old | {AFTER}
    both = frozenset({BEFORE, AFTER})
    for done in update.prefixes(update.changed):
        if end == "success" and done != update.changed:
            continue
        way = _forward(update, done, full, both)
        held, last = way[-1].bundles, update.changed
        if end == "rollback":
            for undone in sorted(update.prefixes(done), key=len):
                if "Fleet" in undone:
                    held = pruned(held, BEFORE, AFTER)
                way.append(update.instant(done - undone, held, both))
            last = frozenset()
        gone = BEFORE if end == "success" else AFTER
        way.append(update.instant(last, held if update.keeps else held - {gone}, both - {gone}))
        yield way


def _forward(update: Update, done: Names, full: frozenset[int], both: frozenset[int]) -> list[Instant]:
    """Through every instant on the way to `done`."""
    held, way = full, [update.instant(frozenset(), full - {AFTER}, frozenset({BEFORE}))]
    for prefix in sorted((each for each in update.prefixes(done) if each), key=len):
        if "Fleet" in prefix:
            held = pruned(held, AFTER, BEFORE)
        way.append(update.instant(prefix, held, both))
    return way


def failures(update: Update, end: str) -> set[str]:
    """Starts that fail, each with the reason."""
    found = set()
    for way in instants(update, end):
        for at, instant in enumerate(way):
            for name, revision in instant.starts:
                if revision not in instant.definitions:
                    found.add(f"{name} starts what is not defined")
                for later in way[at:]:
                    if revision not in later.bundles:
                        found.add(f"{name}: the bundle is gone")
                    elif not update.permits(later.role, revision):
                        found.add(f"{name}: the role may not fetch it")
    return found


@pytest.mark.parametrize("end", ["success", "rollback"])
def test_a_cold_start_works_at_every_instant_of_a_deployment(resources: Resources, end: str) -> None:
    assert failures(Update(resources), end) == set()


@pytest.mark.parametrize("end", ["success", "rollback"])
def test_a_bundle_that_is_deleted_with_what_was_replaced_would_fail_starts(
    resources: Resources, end: str
) -> None:
    without = copy.deepcopy(resources)
    update = Update(without)
    update.resources[update.layer]["DeletionPolicy"] = "Delete"
    assert "SessionFunction: the bundle is gone" in failures(Update(without), end)


def test_a_role_for_the_newest_bundle_alone_would_fail_starts(resources: Resources) -> None:
    without = copy.deepcopy(resources)
    layer = Update(without).layer
    for policy in without["RelayRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Sid"] == "FetchBundle":
                statement["Resource"] = {"Ref": layer}
    assert "SessionFunction: the role may not fetch it" in failures(Update(without), "success")


def test_session_starts_the_new_revision_last(resources: Resources) -> None:
    """After whatever a task of it needs, and after `Fleet`, which may have deleted old bundles."""
    update = Update(resources)
    assert {update.layer, "RelayTask", "Fleet"} <= update.reached("SessionFunction")
    assert {update.layer, "RelayTask"} <= update.reached("SweepFunction")


@pytest.mark.parametrize("form", ["both", "microvm"])
def test_a_microvm_of_the_version_that_is_known_can_be_launched_at_every_instant(
    made: dict[str, Any], form: str
) -> None:
    """An image is updated in place, by its name, before those who launch it; no version of it is deleted.

    That AWS keeps the version before until then, and takes the role of both, is not ours to show.
    """
    resources = decide(made, FORMS[form])["Resources"]
    update = Update(resources, layer="RelaySnapshot")
    image = resources["RelaySnapshot"]["Properties"]
    assert image["Name"] == {"Fn::Sub": "${AWS::StackName}-relay"}
    for starter in STARTERS:
        assert {"RelaySnapshot", "MicrovmRole", "MicrovmLogs"} <= update.reached(starter)
        variables = resources[starter]["Properties"]["Environment"]["Variables"]
        assert variables["MICROVM_IMAGE"] == {"Fn::GetAtt": ["RelaySnapshot", "ImageArn"]}
        assert variables["MICROVM_VERSION"] == {"Fn::GetAtt": ["RelaySnapshot", "LatestActiveImageVersion"]}
    actions = {
        action for _, each in statements({"Resources": resources}) for action in listed(each["Action"])
    }
    assert not [action for action in actions if "MicrovmImage" in action]


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_home_that_a_deployment_gives_up_is_there_until_nobody_starts_relays_in_it(
    made: dict[str, Any], before: str, after: str
) -> None:
    """CloudFormation deletes what is in the new template no more once all the rest is updated: first `Fleet`
    or `Machines`, which end what lives there, with the sweep's new policy, then what those depended on."""
    old, new = (decide(made, FORMS[name])["Resources"] for name in (before, after))
    gone = old.keys() - new.keys()
    ends = gone & {"Fleet", "Machines"}
    assert ends == ({"Fleet"} if after == "microvm" else set()) | (
        {"Machines"} if before in ("both", "microvm") and after in ("edge", "alb") else set()
    )
    for starter in STARTERS:
        assert not set(references(new[starter])) & gone
    needs = Update(old, layer="SweepFunction").needs
    for end in ends:
        others = gone - ends - {"TaskStoppedPermission", "TaskStopped", "BalancerOrigin", "Distribution"}
        users = {name for name in others if end in needs[name]}
        assert users == set(), "what is deleted before it"
        assert "SweepFunction" in needs[end] and "SweepFunction" in new


STARTS = {"fargate": "ecs:RunTask", "microvm": "lambda:RunMicrovm"}


def homes_and_rights(form: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The homes that `session` starts relays in, and those that its role lets it start them in."""
    has = {each["Type"] for each in form["Resources"].values()}
    homes = {"fargate"} if "AWS::ECS::TaskDefinition" in has else set()
    homes |= {"microvm"} if "AWS::Lambda::MicrovmImage" in has else set()
    said = [each for role, each in statements(form) if role == "SessionFunctionRole"]
    actions = {action for each in said for action in listed(each["Action"])}
    return homes, {home for home, action in STARTS.items() if action in actions}


def test_only_a_move_straight_between_tasks_and_microvms_refuses_calls_for_a_moment(
    made: dict[str, Any],
) -> None:
    """A role changes before its function: until then `session` starts what it may not start any more. By way
    of `both`, which the guide has, there is always a home that it knows and may use."""
    gaps = set()
    for before, after in MOVES:
        homes, _ = homes_and_rights(decide(made, FORMS[before]))
        _, rights = homes_and_rights(decide(made, FORMS[after]))
        if not homes & rights:
            gaps.add((before, after))
    tasks = ("edge", "alb")
    assert gaps == {(t, "microvm") for t in tasks} | {("microvm", t) for t in tasks}
    assert "by way of `both`" in GUIDE
