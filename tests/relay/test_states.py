"""The relay's own tables of states: every row is there and reached, and every pair is a move or refused."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from protocol.errors import LocalProtocolError
from protocol.schema import events_of
from protocol.states import advance
from relay.call.states import ANSWER, AnswerState
from relay.model.states import LEG, LegState

TABLES: dict[str, tuple[type[Enum], dict[Any, dict[str, Any]]]] = {
    "leg": (LegState, LEG),
    "answer": (AnswerState, ANSWER),
}
PAIRS = [(name, s, e) for name, (_, table) in TABLES.items() for s in table for e in events_of(table)]


@pytest.mark.parametrize(("name", "state", "event"), PAIRS, ids=[f"{n}-{s.value}-{e}" for n, s, e in PAIRS])
def test_every_pair_is_a_move_or_refused_by_name(name: str, state: Any, event: str) -> None:
    _, table = TABLES[name]
    if event in table[state]:
        assert advance(table, state, event) is table[state][event]
    else:
        with pytest.raises(LocalProtocolError, match="out_of_order") as caught:
            advance(table, state, event)
        assert caught.value.ref == f"{state.value}+{event}"


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_state_has_a_row_and_can_be_reached(name: str) -> None:
    states, table = TABLES[name]
    assert set(table) == set(states)
    reached = [next(iter(table))]
    for state in reached:
        reached += [after for after in table[state].values() if after not in reached]
    assert set(reached) == set(table)


@pytest.mark.parametrize("state", AnswerState)
def test_another_leg_knows_nothing_of_the_turn(state: AnswerState) -> None:
    assert advance(ANSWER, state, "leg") is AnswerState.NONE


@pytest.mark.parametrize("state", LegState)
def test_a_model_side_can_be_stopped_in_every_state(state: LegState) -> None:
    assert advance(LEG, state, "stopped") is LegState.OVER
