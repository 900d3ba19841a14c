"""Each function and the relay do their work under exactly the template's policies, and under nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws.emulator import MINISTACK, UNNOTICED, Emulator, Statement, serving
from tests.aws.walks import WALKS, Outside, Walker


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    if not MINISTACK.exists():
        pytest.skip("make aws-check installs MiniStack")
    with serving() as url:
        yield Emulator(url)


@pytest.fixture(scope="module")
def outside(emulator: Emulator) -> Iterator[Outside]:
    made = Outside(emulator)
    yield made
    made.close()


@pytest.fixture
def walker(emulator: Emulator, outside: Outside) -> Walker:
    return Walker(emulator, outside)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def fails(walker: Walker, name: str, statements: list[Statement]) -> bool:
    """Whether the walk is hindered when its role may do only this."""
    role, _ = WALKS[name]
    walker.emulator.allow(role, statements)
    try:
        walker.walk(name)
    except Exception:
        return True
    return False


@pytest.mark.parametrize("name", WALKS)
def test_the_policy_of_the_template_is_enough(name: str, walker: Walker) -> None:
    role, _ = WALKS[name]
    walker.emulator.allow(role, walker.emulator.policies[role])
    walker.walk(name)


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_can_be_repeated(name: str, walker: Walker) -> None:
    """Else what the tests below take for a lack of rights could be what an earlier walk left."""
    role, _ = WALKS[name]
    assert [fails(walker, name, walker.emulator.policies[role]) for _ in range(3)] == [False] * 3


@pytest.mark.parametrize("name", WALKS)
def test_every_statement_is_needed(name: str, walker: Walker) -> None:
    role, _ = WALKS[name]
    policy = walker.emulator.policies[role]
    idle = [
        each["Sid"]
        for each in policy
        if not fails(walker, name, [other for other in policy if other is not each])
    ]
    assert set(idle) <= UNNOTICED, idle
    assert set(idle) == {each["Sid"] for each in policy} & UNNOTICED, "the emulator notices more than it did"


@pytest.mark.parametrize("name", WALKS)
def test_every_action_is_needed(name: str, walker: Walker) -> None:
    role, _ = WALKS[name]
    policy = walker.emulator.policies[role]
    idle = []
    for each in policy:
        actions = listed(each["Action"])
        if each["Sid"] in UNNOTICED or len(actions) < 2:
            continue
        for action in actions:
            less = each | {"Action": [other for other in actions if other != action]}
            if not fails(walker, name, [less if other is each else other for other in policy]):
                idle.append(f"{each['Sid']}: {action}")
    assert idle == []


@pytest.mark.parametrize("name", WALKS)
def test_every_resource_is_needed_and_is_the_one_that_is_named(name: str, walker: Walker) -> None:
    """Another table, parameter, function or API of the same kind does not do."""
    role, _ = WALKS[name]
    policy = walker.emulator.policies[role]
    idle = []
    for each in policy:
        named = [resource for resource in listed(each["Resource"]) if resource != "*"]
        if each["Sid"] in UNNOTICED:
            continue
        for resource in named:
            others = [kept for kept in listed(each["Resource"]) if kept != resource]
            wrong = each | {"Resource": [*others, f"{resource}-of-another"]}
            if not fails(walker, name, [wrong if other is each else other for other in policy]):
                idle.append(f"{each['Sid']}: {resource}")
    assert idle == []
