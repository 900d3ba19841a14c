"""The catalogue of public failures: complete, playable, and each with its source."""

import pytest

from simulator.failures.catalogue import FOLDER, Failure, load
from simulator.server.cases import PREFIX

FAILURES = load()
STEPS = {"speak", "barge_in", "push_to_talk", "type", "remark", "wait"}


def test_there_are_more_than_forty() -> None:
    assert len(FAILURES) > 40


def test_every_file_of_the_folder_is_read() -> None:
    named = sum(path.read_text("utf-8").count("\n- name: ") for path in FOLDER.glob("*.yaml"))
    assert named == len(FAILURES)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failure_says_where_it_was_reported_and_what_a_user_does(failure: Failure) -> None:
    assert all(url.startswith("https://") for url in failure.urls)
    assert {step.partition(" ")[0] for step in failure.user} <= STEPS
    assert failure.answer is not bool(failure.told), "where no answer is possible, a code tells it"
    assert (
        failure.scenario.faults
        or failure.scenario.turns
        or failure.scenario.signals
        or (failure.scenario.settings)
    )
    assert len(f"{PREFIX}{failure.name}") <= 64, "a voice's name is no longer"


def test_no_two_failures_are_the_same() -> None:
    scenarios = [(repr(failure.scenario), failure.user) for failure in FAILURES.values()]
    assert len({*scenarios}) == len(scenarios)
