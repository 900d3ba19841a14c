"""The judge, fed what must never happen, says so; fed a good conversation, it says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.faults.judge import STUCK, ClientEvent, ClientRecord, StoredTurn, judge

ASKED = ["ask1x1", "ask1x2", "ask1x3"]


def conversation(turns: int = 3, epoch: int = 1) -> list[ClientEvent]:
    """Each question answered in its turn."""
    told: list[ClientEvent] = []
    for turn in range(1, turns + 1):
        for kind, role, text in (
            ("turn.started", "user", ""),
            ("transcript", "user", ""),
            ("turn.ended", "user", ""),
            ("turn.started", "agent", ""),
            ("transcript", "agent", "You wrote: "),
            ("transcript", "agent", f"ask1x{turn}"),
            ("transcript", "agent", ""),
            ("turn.ended", "agent", ""),
        ):
            told.append(ClientEvent(epoch, len(told) + 1, kind, turn, role, text))
    return told


TOLD = conversation()
KEPT = [StoredTurn(turn, f"ask1x{turn}", f"You wrote: ask1x{turn}") for turn in (1, 2, 3)]
ANSWERED = [turn.agent_text for turn in KEPT]
SEEN = ClientRecord(ASKED, TOLD)


def renumbered(told: list[ClientEvent]) -> list[ClientEvent]:
    return [replace(event, n=n) for n, event in enumerate(told, 1)]


def test_a_good_conversation_has_no_findings() -> None:
    verdict = judge(SEEN, KEPT, ANSWERED)
    assert verdict.findings == [] and verdict.finished == 3


def test_a_lost_turn_is_reported() -> None:
    assert judge(SEEN, KEPT[:1] + KEPT[2:], ANSWERED).lost == ["turn 2: told as finished, not kept"]


def test_a_turn_that_is_kept_otherwise_is_lost() -> None:
    kept = [KEPT[0], replace(KEPT[1], agent_text="You wrote:"), KEPT[2]]
    assert judge(SEEN, kept, ANSWERED).lost == ["turn 2: kept otherwise than it was told"]


def test_words_that_come_after_a_turns_end_are_its_own() -> None:
    late = ClientEvent(1, 0, "transcript", 2, "agent", ", you know")
    told = renumbered([*TOLD, late])
    kept = [KEPT[0], replace(KEPT[1], agent_text=KEPT[1].agent_text + ", you know"), KEPT[2]]
    assert judge(replace(SEEN, events=told), kept, ANSWERED).findings == []
    amended_never = judge(replace(SEEN, events=told), KEPT, ANSWERED)
    assert amended_never.lost == ["turn 2: kept otherwise than it was told"]


def test_words_that_are_told_anew_take_the_place_of_all_before() -> None:
    anew = ClientEvent(1, 0, "transcript", 2, "agent", "You wrote: ask1x2, so", whole=True)
    told = renumbered([*TOLD, anew])
    kept = [KEPT[0], replace(KEPT[1], agent_text=anew.text), KEPT[2]]
    assert judge(replace(SEEN, events=told), kept, ANSWERED).findings == []


def test_a_finished_turn_that_a_relay_names_as_lost_is_lost() -> None:
    verdict = judge(replace(SEEN, lost_turns=frozenset({3, 4})), KEPT, ANSWERED)
    assert verdict.lost == ["turn 3: told as finished, named as lost"]


def test_a_doubled_turn_is_reported() -> None:
    kept = [*KEPT, StoredTurn(4, "ask1x3", "You wrote: ask1x3")]
    assert judge(SEEN, kept, ANSWERED).doubled == ["ask1x3: asked twice", "ask1x3: kept answer twice"]
    assert judge(SEEN, [*KEPT, KEPT[2]], ANSWERED).doubled[0] == "turn 3 kept twice"


def test_an_answer_that_was_told_twice_is_doubled() -> None:
    again = [replace(event, turn=4) for event in conversation()[16:]]
    told = renumbered(TOLD + again)
    kept = [*KEPT, StoredTurn(4, "", "You wrote: ask1x3")]
    assert "ask1x3: told answer twice" in judge(ClientRecord(ASKED, told), kept, ANSWERED).doubled


def test_an_answer_that_broke_off_may_be_given_again() -> None:
    again = [replace(event, turn=4) for event in conversation()[16:]]
    kept = [*KEPT[:2], replace(KEPT[2], outcome="lost"), StoredTurn(4, "", "You wrote: ask1x3")]
    assert judge(ClientRecord(ASKED, renumbered(TOLD + again)), kept, ANSWERED).findings == []


def test_a_turn_that_ends_twice_is_doubled() -> None:
    told = renumbered([*TOLD, TOLD[-1]])
    assert judge(ClientRecord(ASKED, told), KEPT, ANSWERED).doubled == ["turn 3 ended twice"]


def test_an_answer_that_the_model_never_gave_is_reported() -> None:
    verdict = judge(SEEN, KEPT, ANSWERED[:2])
    assert verdict.doubled == ["ask1x3: answered, and not by the model"]


def test_reordered_turns_are_reported() -> None:
    kept = [KEPT[1], KEPT[0], KEPT[2]]
    assert judge(SEEN, kept, ANSWERED).reordered[0] == "kept in the order [2, 1, 3]"
    swapped = [
        replace(KEPT[0], user_text="ask1x2", agent_text="You wrote: ask1x1"),
        replace(KEPT[1], user_text="ask1x1", agent_text="You wrote: ask1x2"),
        KEPT[2],
    ]
    verdict = judge(SEEN, swapped, ANSWERED)
    assert verdict.reordered == ["asked in the order ['ask1x2', 'ask1x1', 'ask1x3']"]


def test_a_turn_that_ends_after_a_later_one_is_reordered() -> None:
    told = renumbered(TOLD[:7] + TOLD[8:16] + TOLD[7:8] + TOLD[16:])
    assert judge(ClientRecord(ASKED, told), KEPT, ANSWERED).reordered == ["turn 1 ended after 2"]


@pytest.mark.parametrize(
    ("events", "finding", "where"),
    [
        (TOLD[:5] + TOLD[6:], "event before 1.7, after 1.5", "lost"),
        (TOLD[1:], "event before 1.2, after 0.0", "lost"),
        (TOLD[:6] + TOLD[5:], "event 1.6 after 1.6", "doubled"),
        ([*TOLD[:5], TOLD[6], TOLD[5], *TOLD[7:]], "event 1.6 after 1.7", "reordered"),
    ],
    ids=["a gap", "no beginning", "twice", "swapped"],
)
def test_events_come_once_and_in_order(events: list[ClientEvent], finding: str, where: str) -> None:
    assert finding in getattr(judge(ClientRecord(ASKED, events), KEPT, ANSWERED), where)


def test_another_relay_counts_from_one() -> None:
    after = [replace(event, turn=event.turn + 2) for event in conversation(1, epoch=2)]
    after = [replace(event, text=event.text.replace("ask1x1", "ask1x3")) for event in after]
    verdict = judge(ClientRecord(ASKED, [*TOLD[:16], *after]), KEPT, ANSWERED)
    assert verdict.findings == [] and verdict.finished == 3


def test_an_old_relay_that_speaks_on_is_reordered() -> None:
    told = [*TOLD[:8], replace(TOLD[0], e=2, n=1), *TOLD[8:]]
    assert judge(ClientRecord(ASKED, told), KEPT, ANSWERED).reordered[0] == "event 1.9 after 2.1"


def test_a_stuck_session_is_reported() -> None:
    assert judge(replace(SEEN, outcome=STUCK), KEPT, ANSWERED).stuck == ["neither went on nor ended"]


def test_missing_sound_is_lost() -> None:
    assert judge(replace(SEEN, missing_frames=2), KEPT, ANSWERED).lost == ["2 frames of the agent's voice"]


def test_a_question_that_is_in_no_turn_is_reported() -> None:
    seen = ClientRecord(ASKED, conversation(2))
    assert judge(seen, KEPT[:2], ANSWERED).findings == ["ask1x3: typed, and in no turn"]
    assert judge(replace(seen, outcome="store_unavailable"), KEPT[:2], ANSWERED).findings == []


def test_an_answer_that_nobody_asked_for_is_said_to_nothing() -> None:
    """As a noise brings it forth; but what broke off may be given again, once."""
    lost = StoredTurn(4, "ask1x4", "You", "lost")
    again = [StoredTurn(number, "", "You wrote: ask1x4") for number in (5, 6)]
    assert judge(SEEN, [*KEPT, lost, again[0]], ANSWERED).to_nothing == []
    expected = ["turn 6: 'You wrote: ask1x4', said to nothing"]
    assert judge(SEEN, [*KEPT, lost, *again], ANSWERED).to_nothing == expected
