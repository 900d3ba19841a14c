"""Failed starts are counted while they follow one another, and forgotten with the first that succeeds."""

from records import relays, start_failures, start_times
from records.start_failures import KEEP_S, SAID_CHARACTERS, Cause

CAUSE = Cause("its image cannot be pulled", "CannotPullContainerError: …")
NOW = 1_800_000_000


def test_failures_in_a_row_are_counted_and_the_last_one_is_told(table):
    assert [start_failures.note(table, "fargate", CAUSE, NOW + each) for each in range(3)] == [1, 2, 3]
    found = start_failures.last(table, "fargate")
    assert (found.cause, found.count, found.at) == (CAUSE, 3, NOW + 2)


def test_a_failure_of_long_ago_says_nothing_about_the_next(table):
    start_failures.note(table, "fargate", CAUSE, NOW)
    assert start_failures.note(table, "fargate", CAUSE, NOW + KEEP_S) == 1


def test_a_relay_that_becomes_ready_ends_the_row(table):
    start_failures.note(table, "fargate", CAUSE, NOW)
    relays.register(table, "r1", slot="0", revision="1", capacity=5, now=NOW)
    relays.ready(table, "r1", "host:1", NOW + 20)
    assert start_failures.last(table, "fargate") is None
    assert start_failures.note(table, "fargate", CAUSE, NOW + 30) == 1


def test_a_failure_leaves_the_measured_start_alone(table):
    start_times.expect(table, "fargate", 12_000)
    start_failures.note(table, "fargate", Cause("x", "y" * 2 * SAID_CHARACTERS), NOW)
    assert start_times.eta_ms(table, "fargate", NOW, NOW) == 12_000
    assert len(start_failures.last(table, "fargate").cause.said) == SAID_CHARACTERS
