"""Money: held before it is spent, counted once, given back at the end; no budget is passed together."""

from __future__ import annotations

import random

import pytest
from dynamo import NOW

from records import budgets
from records.budgets import Limits, Spent

CENT = 10_000
NONE = Limits()


@pytest.fixture
def account(table):
    def open_one(session="s1", limits=NONE, *, user="ada", agent="assistant"):
        table.transact(*budgets.open_steps(session, user, agent, limits, ends_at=NOW + 1800, now=NOW))
        return session

    return open_one


def day(table, user="ada"):
    return budgets.committed(table, user, NOW)


def test_what_is_held_is_committed_at_once_and_given_back_when_the_session_ends(table, account):
    session = account("s1", Limits(user=50 * CENT, deployment=100 * CENT))
    assert budgets.hold(table, session, NOW, 3 * CENT).held == 3 * CENT
    assert day(table) == {"user": 3 * CENT, "deployment": 3 * CENT}
    budgets.note(table, session, 1, Spent(CENT, 0, 500), wants=3 * CENT, now=NOW)
    assert day(table) == {"user": 4 * CENT, "deployment": 4 * CENT}
    for _ in range(2):
        budgets.settle(table, session)
    assert day(table) == {"user": CENT, "deployment": CENT}
    assert budgets.of_session(table, session) == CENT


def test_a_report_counts_what_is_more_however_often_it_comes(table, account):
    session = account()
    for spent in (Spent(100, 30, 1_000), Spent(100, 30, 1_000), Spent(150, 0, 2_000)):
        budgets.note(table, session, 1, spent, wants=0, now=NOW)
    budgets.note(table, session, 2, Spent(5, 0, 10), wants=0, now=NOW)
    assert budgets.of_session(table, session) == 155
    (used,) = budgets.of_day(table, NOW // budgets.DAY_S)
    assert (used.user, used.agent, used.sessions) == ("ada", "assistant", 1)
    assert used.spent == Spent(155, 0, 2_010)


def test_two_sessions_of_a_user_cannot_together_hold_more_than_his_day(table, account):
    limits = Limits(user=5 * CENT)
    one, other = account("s1", limits), account("s2", limits)
    assert budgets.hold(table, one, NOW, 3 * CENT).held == 3 * CENT
    second = budgets.hold(table, other, NOW, 3 * CENT)
    assert (second.held, second.is_last, second.scope) == (2 * CENT, True, "user")
    assert budgets.exhausted(table, "ada", limits, NOW) == "user"
    assert budgets.exhausted(table, "grace", limits, NOW) is None
    assert budgets.note(table, other, 1, Spent(2 * CENT), wants=CENT, now=NOW).held == 0
    budgets.settle(table, one)
    assert budgets.note(table, other, 1, Spent(2 * CENT), wants=CENT, now=NOW).held == CENT


def test_a_session_has_a_budget_of_its_own(table, account):
    session = account("s1", Limits(session=2 * CENT))
    assert budgets.hold(table, session, NOW, 5 * CENT).held == 2 * CENT
    left = budgets.note(table, session, 1, Spent(int(1.7 * CENT)), wants=CENT, now=NOW)
    assert (left.held, left.is_last, left.used) == (3_000, True, {"session": 85})
    # another relay goes on with what is left
    assert budgets.note(table, session, 2, Spent(1_000), wants=CENT, now=NOW).held == 2_000


def test_what_was_spent_beyond_what_was_held_is_counted_all_the_same(table, account):
    session = account("s1", Limits(user=2 * CENT))
    budgets.hold(table, session, NOW, CENT)
    left = budgets.note(table, session, 1, Spent(3 * CENT), wants=CENT, now=NOW)
    assert (left.held, left.is_last, left.used) == (0, True, {"user": 150})
    assert day(table)["user"] == 3 * CENT


def test_a_report_after_the_end_is_counted(table, account):
    session = account("s1", Limits(user=50 * CENT))
    budgets.hold(table, session, NOW, CENT)
    budgets.settle(table, session)
    late = budgets.note(table, session, 1, Spent(700), wants=CENT, now=NOW)
    assert (late.held, day(table)["user"]) == (0, 700)
    budgets.note(table, session, 1, Spent(650), wants=CENT, now=NOW)  # a correction
    assert day(table)["user"] == 650 and budgets.of_session(table, session) == 650


def test_a_session_of_before_there_was_money_has_no_limit(table):
    assert budgets.note(table, "old", 1, Spent(700), wants=CENT, now=NOW) == budgets.NO_LIMIT


def test_many_at_once_never_hold_more_than_there_is(table, account, race):
    limits = Limits(user=5 * CENT, deployment=20 * CENT)
    sessions = [account(f"s{number}", limits) for number in range(16)]

    def try_often(number):
        for _ in range(20):
            try:
                return budgets.hold(table, sessions[number], NOW, CENT).held
            except budgets.Unavailable:
                continue
        return 0

    held = race(try_often)
    assert sum(held) == 5 * CENT == day(table)["user"], held


def test_a_random_walk_of_many_sessions_adds_up(table, account):
    """What was counted is what was spent; what is committed is that and what is held."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    limits = Limits(session=4 * CENT, user=20 * CENT, deployment=50 * CENT)
    users = ["ada", "grace", "jean"]
    spent, held, sums = dict.fromkeys(users, 0), {}, {}
    owner = {f"s{number}": chance.choice(users) for number in range(12)}
    sessions = [account(session, limits, user=user) for session, user in owner.items()]
    for _ in range(300):
        session = chance.choice(sessions)
        epoch = chance.randint(1, 3)
        if chance.random() < 0.05:
            budgets.settle(table, session)
            held[session] = 0
            continue
        before = sums.get((session, epoch), 0)
        sums[session, epoch] = before + chance.randint(-min(before, 200), 3_000)
        spent[owner[session]] += sums[session, epoch] - before
        found = budgets.note(
            table, session, epoch, Spent(sums[session, epoch]), wants=chance.choice((0, CENT)), now=NOW
        )
        held[session] = found.held
    for user in users:
        mine = sum(held.get(session, 0) for session in sessions if owner[session] == user)
        assert day(table, user)["user"] == spent[user] + mine
    assert day(table)["deployment"] == sum(spent.values()) + sum(held.values())
    listed = sum(used.spent.total for used in budgets.of_day(table, NOW // budgets.DAY_S))
    assert listed == sum(spent.values()) == sum(budgets.of_session(table, each) for each in sessions)
