"""A user's minutes of the day: reserved at the start, settled at the end, counted once."""

from __future__ import annotations

import pytest
from dynamo import NOW

from records import minutes, sessions, standings
from records.table import Fenced

LIMIT = 600


def reserve(table, want_s=300, now=NOW):
    return minutes.reserve(table, "ada", want_s=want_s, limit_s=LIMIT, now=now)


def test_what_is_reserved_counts_at_once_and_no_more_than_is_left_is_given(table):
    assert [reserve(table), reserve(table, 200), reserve(table), reserve(table)] == [300, 200, 100, 0]
    assert minutes.seconds_today(table, "ada", NOW) == LIMIT
    assert minutes.seconds_today(table, "grace", NOW) == 0.0
    assert reserve(table, now=NOW + minutes.DAY_S) == 300


def test_starts_at_the_same_time_cannot_all_have_what_is_left(table, race):
    given = race(lambda _: reserve(table), 8)
    assert sum(given) <= LIMIT and minutes.seconds_today(table, "ada", NOW) == sum(given)


def test_an_ended_session_counts_the_time_that_its_model_was_connected_over_all_relays(table, open_session):
    session = open_session(reserved_s=reserve(table))
    minutes.note_connected(table, session.id, 0, 10.0, NOW)
    minutes.note_connected(table, session.id, 0, 61.5, NOW)
    sessions.finish(table, session.id, 0, "client", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 61.5
    sessions.finish(table, session.id, 0, "client", NOW)
    minutes.settle(table, session.id)
    assert minutes.seconds_today(table, "ada", NOW) == 61.5, "settled once"


def test_a_session_whose_relay_died_counts_what_was_noted_and_gives_the_rest_back(table, open_session):
    session = open_session(reserved_s=reserve(table))
    minutes.note_connected(table, session.id, 0, 60.0, NOW)
    (seen,) = standings.load_all(table, [session.id]).values()
    assert standings.end(table, seen, "abandoned", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 60.0


def test_a_session_that_goes_on_past_midnight_counts_on_the_day_of_its_start(table, open_session):
    session = open_session(reserved_s=reserve(table))
    minutes.note_connected(table, session.id, 0, 200.0, NOW + minutes.DAY_S)
    sessions.finish(table, session.id, 0, "client", NOW + minutes.DAY_S)
    assert minutes.seconds_today(table, "ada", NOW) == 200.0
    assert minutes.seconds_today(table, "ada", NOW + minutes.DAY_S) == 0.0


def test_an_open_session_is_not_settled_and_a_fenced_relay_notes_nothing(table, open_session):
    session = open_session(reserved_s=reserve(table))
    minutes.settle(table, session.id)
    with pytest.raises(Fenced):
        minutes.note_connected(table, session.id, 7, 1.0, NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 300.0 and minutes.connected(table, session.id) == 0.0
