"""The tables of states: every pair visited, every state can end, diagrams say what the tables say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from protocol.errors import LocalProtocolError
from protocol.schema import events_of
from protocol.states import TABLES, ClientState, ServerState, TurnState, advance, mermaid

ENUMS = {"server": ServerState, "client": ClientState, "turn": TurnState}
PAIRS = [
    (name, state, event) for name, table in TABLES.items() for state in table for event in events_of(table)
]


@pytest.mark.parametrize(("name", "state", "event"), PAIRS, ids=[f"{n}-{s.value}-{e}" for n, s, e in PAIRS])
def test_every_pair_is_legal_or_refused_by_name(name: str, state: Any, event: str) -> None:
    table = TABLES[name]
    if event in table[state]:
        assert advance(table, state, event) is table[state][event]
    else:
        with pytest.raises(LocalProtocolError) as caught:
            advance(table, state, event)
        assert (caught.value.code, caught.value.ref) == ("out_of_order", f"{state.value}+{event}")


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_state_has_a_row_and_can_be_reached(name: str) -> None:
    table = TABLES[name]
    assert set(table) == set(ENUMS[name])
    reached = [next(iter(table))]
    for state in reached:
        reached += [after for after in table[state].values() if after not in reached]
    assert set(reached) == set(table)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_state_can_end_at_once(name: str) -> None:
    ended = ENUMS[name]["ENDED"]
    for state, moves in TABLES[name].items():
        assert state is ended or moves["end"] is ended


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_end_is_the_end(name: str) -> None:
    ended = ENUMS[name]["ENDED"]
    assert set(TABLES[name][ended].values()) <= {ended}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_diagram_has_every_move_once(name: str) -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+): (\w+)$", mermaid(TABLES[name]), re.MULTILINE)
    moves = [
        (state.value, after.value, event)
        for state, row in TABLES[name].items()
        for event, after in row.items()
    ]
    assert sorted(drawn) == sorted(moves)
