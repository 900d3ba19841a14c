"""A user's minutes of the day: reserved at the start, settled at the end, counted once."""

from __future__ import annotations

import pytest
from dynamo import NOW

from records import minutes, session_status, sessions
from records.table import ConditionFailed

LIMIT = 600


def reserve(table, seconds=300, now=NOW):
    table.transact(minutes.reserve_step("ada", seconds, limit_s=LIMIT, now=now))
    return seconds


def test_what_is_reserved_counts_at_once_and_no_more_than_is_left_is_given(table):
    reserve(table)
    reserve(table, 200)
    with pytest.raises(ConditionFailed):
        reserve(table, 101)
    reserve(table, 100)
    assert minutes.seconds_today(table, "ada", NOW) == LIMIT
    assert minutes.seconds_today(table, "grace", NOW) == 0.0
    reserve(table, now=NOW + minutes.DAY_S)


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
    (seen,) = session_status.load_all(table, [session.id]).values()
    assert session_status.end(table, seen, "abandoned", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 60.0


def test_a_session_that_goes_on_past_midnight_counts_on_the_day_of_its_start(table, open_session):
    session = open_session(reserved_s=reserve(table))
    minutes.note_connected(table, session.id, 0, 200.0, NOW + minutes.DAY_S)
    sessions.finish(table, session.id, 0, "client", NOW + minutes.DAY_S)
    assert minutes.seconds_today(table, "ada", NOW) == 200.0
    assert minutes.seconds_today(table, "ada", NOW + minutes.DAY_S) == 0.0


def test_an_open_session_is_not_settled(table, open_session):
    session = open_session(reserved_s=reserve(table))
    minutes.settle(table, session.id)
    assert minutes.seconds_today(table, "ada", NOW) == 300.0


def test_a_relay_that_lost_its_session_still_counts_what_it_had_connected(table, open_session):
    """Else who moves on every 59 s would use none of his minutes."""
    session = open_session(reserved_s=reserve(table))
    for epoch in range(1, 4):
        table.update(sessions.key(session.id), "SET #epoch = :epoch", epoch=epoch)
        minutes.note_connected(table, session.id, epoch - 1, 59.0, NOW)
    sessions.finish(table, session.id, 3, "client", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 177.0


def test_what_a_relay_notes_after_the_end_is_counted_too_and_once(table, open_session):
    """`end` on the control road comes before the relay's own last note."""
    session = open_session(reserved_s=reserve(table))
    minutes.note_connected(table, session.id, 0, 60.0, NOW)
    sessions.cancel(table, session.id, "client", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 60.0
    for _ in range(2):
        minutes.note_connected(table, session.id, 0, 95.5, NOW)
        sessions.finish(table, session.id, 0, "client", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 95.5


def test_what_is_noted_for_a_session_that_reserved_nothing_is_counted_as_it_comes(table, open_session):
    session = open_session()
    minutes.note_connected(table, session.id, 0, 60.0, NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 60.0


def test_an_older_note_that_comes_late_takes_nothing_back(table, open_session):
    session = open_session(reserved_s=reserve(table))
    assert minutes.note_connected(table, session.id, 0, 120.0, NOW) == 120.0
    assert minutes.note_connected(table, session.id, 0, 60.0, NOW) == 0.0
    sessions.finish(table, session.id, 0, "client", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == 120.0


def test_fractions_of_a_second_do_not_keep_a_session_from_being_settled(table, open_session):
    session = open_session(reserved_s=reserve(table))
    for tenth in range(1, 8):
        minutes.note_connected(table, session.id, 0, tenth * 10 / 7, NOW)
    sessions.finish(table, session.id, 0, "client", NOW)
    assert minutes.seconds_today(table, "ada", NOW) == pytest.approx(10.0, abs=0.01)


def test_an_end_and_notes_of_two_relays_at_once_count_everything_once(table, open_session, race):
    for number in range(6):
        before = minutes.seconds_today(table, "ada", NOW)
        session = open_session(f"s{number}", reserved_s=reserve(table, 60))
        both = [
            lambda id=session.id: minutes.note_connected(table, id, 0, 20.0, NOW),
            lambda id=session.id: minutes.note_connected(table, id, 1, 30.0, NOW),
            lambda id=session.id: sessions.cancel(table, id, "client", NOW),
        ]
        race(lambda place, both=both: both[place](), 3)
        assert minutes.seconds_today(table, "ada", NOW) == before + 50.0
