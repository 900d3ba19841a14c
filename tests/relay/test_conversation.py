"""The turns of a call, without sockets: what the model and the client say, and what becomes of it."""

from __future__ import annotations

import pytest

from gemini import messages as model
from protocol import media
from protocol.client import ClientSession
from protocol.codec import json_codec
from protocol.control import ClientTool, Config, Scheduling
from protocol.errors import RemoteProtocolError
from protocol.media import Agent, Live, LiveLimits, Tokens
from protocol.server import ServerSession
from relay.call.conversation import AS_USUAL, Conversation
from relay.call.question import Ending
from relay.call.turns import FLUSH_WAIT_S

MS20 = bytes(960)  # 20 ms of the agent's audio


class Table:
    """A conversation with a client sitting opposite, without a wire between them."""

    def __init__(
        self, *, config: Config = AS_USUAL, tools: tuple[ClientTool, ...] = (), first_turn: int = 1
    ) -> None:
        self.session = ServerSession(epoch=1, now=0.0)
        self.talk = Conversation(self.session, list(tools), config=config, first_turn=first_turn)
        self.client = ClientSession()
        self.got: list[object] = []
        self.announced = 0
        self.session.receive_text(self.client.hello(), 0.0)
        self.session.go_live(Live("s", 1, Agent("a"), LiveLimits(1, 1)))
        self.read()
        self.got.clear()

    def model(self, *events: model.ModelEvent, now: float = 1.0) -> None:
        for event in events:
            self.talk.model_said(event, now)
        self.read()

    def says(self, message: media.ClientMessage, now: float = 1.0) -> None:
        self.talk.client_said(message, now)
        self.read()

    def read(self) -> None:
        """The call's part: what is finished is written, then announced. Then the client reads."""
        for turn in list(self.talk.finished)[self.announced :]:
            self.talk.announce(turn)
            self.announced += 1
        while (said := self.session.data_to_send()) is not None:
            self.got += self.client.receive(json_codec.encode(said))

    def events(self) -> list[tuple[object, ...]]:
        """What the client was told, without audio and numbers."""
        return [_brief(message) for message in self.got if not isinstance(message, tuple)]

    def audio(self) -> list[int]:
        """The turns of the audio frames the client got."""
        return [frame.turn for frame in self.got if isinstance(frame, tuple)]


def _brief(message: object) -> tuple[object, ...]:
    match message:
        case media.Transcript():
            return ("transcript", message.role, message.turn, message.text, message.final, message.heard)
        case media.TurnInterrupted():
            return ("interrupted", message.turn, message.cause)
        case media.TurnStarted() | media.TurnEnded() | media.TurnAudioEnd():
            return (type(message).__struct_config__.tag, message.role, message.turn)
        case _:
            return (type(message).__struct_config__.tag,)  # type: ignore[attr-defined]


def answer(table: Table, *, at: float = 2.0) -> None:
    """The model's side of one ordinary turn."""
    table.model(model.SpeechStarted(), now=0.5)
    table.model(model.SpeechEnded(), now=1.0)
    table.model(model.Heard("what time is it"), now=1.1)
    table.model(model.Audio(MS20), model.Said("ten "), model.Audio(MS20), model.Said("past"), now=at)


def test_an_ordinary_turn_is_told_in_order() -> None:
    table = Table()
    answer(table)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=3.0)
    assert table.events() == [
        ("turn.started", "user", 1),
        ("transcript", "user", 1, "what time is it", True, None),
        ("turn.ended", "user", 1),
        ("turn.started", "agent", 1),
        ("transcript", "agent", 1, "ten ", False, None),
        ("transcript", "agent", 1, "past", False, None),
        ("turn.audio_end", "agent", 1),
        ("transcript", "agent", 1, "", True, None),
        ("turn.ended", "agent", 1),
        ("metrics",),
    ]
    (turn,) = table.talk.finished
    assert (turn.user_text, turn.agent_text, turn.heard_text()) == ("what time is it", "ten past", "ten past")
    assert turn.first_audio_ms == 1000 and turn.audio_ms == 40


def test_a_late_user_transcript_joins_the_turn_that_answers_it() -> None:
    table = Table()
    table.model(model.SpeechStarted(), model.SpeechEnded(), model.Audio(MS20), model.Heard("late words"))
    table.model(model.TurnCompleted(idle=True))
    (turn,) = table.talk.finished
    assert turn.user_text == "late words" and turn.number == 1


def test_words_before_their_audio_open_the_turn() -> None:
    table = Table()
    table.model(model.SpeechStarted(), model.Heard("hi"), model.Said("hello"), model.Audio(MS20))
    assert ("turn.started", "agent", 1) in table.events() and table.audio() == [1]


def test_no_audio_of_an_interrupted_turn_follows_the_interruption() -> None:
    table = Table()
    answer(table)
    table.model(model.SpeechStarted(), model.Interrupted(), model.Audio(MS20), now=2.5)
    cut = next(i for i, m in enumerate(table.got) if isinstance(m, media.TurnInterrupted))
    assert not [m for m in table.got[cut:] if isinstance(m, tuple)]
    assert ("interrupted", 1, "user") in table.events()


def test_the_rest_of_an_interrupted_answer_is_not_taken_for_a_new_turn() -> None:
    table = Table()
    answer(table)
    table.model(
        model.SpeechStarted(), model.Interrupted(), model.Audio(MS20), model.Said(" and a half"), now=2.5
    )
    table.model(model.TurnCompleted(idle=True), now=2.6)
    table.model(model.Heard("stop"), model.Audio(MS20), model.TurnCompleted(idle=True), now=3.0)
    table.talk.handle_timeout(now=5.0)
    first, second = table.talk.finished
    assert (first.number, first.agent_text) == (1, "ten past and a half")  # generated, and not heard
    assert (second.number, second.user_text) == (2, "stop")
    assert set(table.audio()) == {1, 2}


def test_what_was_heard_is_what_the_client_played() -> None:
    table = Table()
    answer(table)
    table.model(model.SpeechStarted(), model.Interrupted(), now=2.5)
    table.says(media.Playback(1, "flushed", played_ms=20))
    assert ("transcript", "agent", 1, "", True, "ten") in table.events()
    (turn,) = table.talk.finished
    assert turn.heard_text() == "ten" and round(turn.heard_ms()) == 20


def test_without_a_report_the_clock_says_what_was_heard() -> None:
    table = Table()
    answer(table, at=2.0)
    table.model(model.Interrupted(), now=2.02)
    assert not table.talk.finished and table.talk.next_timeout() == pytest.approx(2.02 + FLUSH_WAIT_S)
    table.talk.handle_timeout(2.02 + FLUSH_WAIT_S)
    (turn,) = table.talk.finished
    assert turn.heard_ms() == pytest.approx(20) and turn.heard_text() == "ten"


def test_an_interruption_with_nothing_playing_is_ignored() -> None:
    table = Table()
    table.model(model.Interrupted(), model.TurnCompleted(idle=True))
    assert table.events() == []


def test_the_client_stops_the_agent_and_the_rest_is_dropped() -> None:
    table = Table()
    answer(table)
    table.says(media.Interrupt(1, played_ms=40), now=2.1)
    table.model(model.Audio(MS20), model.GenerationEnded(), model.TurnCompleted(idle=True), now=2.2)
    assert ("interrupted", 1, "client") in table.events() and table.audio() == [1, 1]
    assert list(table.talk.commands) == [model.StopAnswer()], "it would generate on, and be paid for it"


def test_stopping_a_turn_that_is_over_does_nothing() -> None:
    table = Table()
    answer(table)
    table.model(model.TurnCompleted(idle=True))
    before = table.events()
    table.says(media.Interrupt(1, played_ms=40))
    table.says(media.Interrupt(7, played_ms=40))
    assert table.events() == before and not table.talk.commands


def test_an_agent_that_goes_on_by_itself_keeps_its_turn_until_idle() -> None:
    table = Table()
    answer(table)
    table.model(model.TurnCompleted(idle=False))
    assert not table.talk.finished
    table.model(model.Audio(MS20), model.TurnCompleted(idle=True))
    assert [turn.number for turn in table.talk.finished] == [1]


def outcomes(table: Table) -> list[str]:
    return [each.outcome for each in table.got if isinstance(each, media.TurnEnded) and each.role == "agent"]


def test_an_answer_that_came_whole_is_completed() -> None:
    table = Table()
    answer(table)
    table.model(model.TurnCompleted(idle=True))
    assert outcomes(table) == ["completed"]


def test_an_answer_that_is_talked_over_is_interrupted() -> None:
    table = Table()
    answer(table)
    table.model(model.Interrupted(), now=2.5)
    table.says(media.Playback(1, "flushed", played_ms=20))
    assert outcomes(table) == ["interrupted"]


@pytest.mark.parametrize(("ending", "outcome"), [("again", "lost"), ("lost", "lost"), ("whole", "completed")])
def test_an_answer_whose_model_is_lost(ending: Ending, outcome: str) -> None:
    """What of it had come is not decided there."""
    table = Table()
    answer(table)
    table.talk.leg_lost(ending, 3.0)
    table.talk.handle_timeout(5.0)
    table.read()
    assert outcomes(table) == [outcome] == [turn.outcome for turn in table.talk.finished]


def test_a_question_without_an_answer_is_empty_in_the_record() -> None:
    table = Table()
    table.says(media.Text("anybody there?"))
    table.talk.close(now=9.0)
    assert [turn.outcome for turn in table.talk.finished] == ["empty"]


def test_a_transcript_that_ends_without_words_changes_nothing() -> None:
    table = Table()
    table.model(model.Heard("", finished=True), model.Said("", finished=True))
    assert table.events() == []


def test_audio_after_the_end_of_a_generation_goes_on_with_its_turn() -> None:
    table = Table()
    answer(table)
    table.model(model.GenerationEnded(), model.Audio(MS20), model.GenerationEnded(), now=2.1)
    table.model(model.TurnCompleted(idle=True), now=2.2)
    assert [turn.number for turn in table.talk.finished] == [1] and table.audio() == [1, 1, 1]


def test_texts_of_one_turn_do_not_run_into_each_other() -> None:
    table = Table()
    table.says(media.Text("First question?", respond=False))
    table.says(media.Text("Second question?"))
    assert [m.text for m in table.got if isinstance(m, media.Transcript)] == [
        "First question?",
        " Second question?",
    ]
    table.model(model.Heard("He"), model.Heard("re I am"), model.Audio(MS20))
    table.model(model.TurnCompleted(idle=True))
    (turn,) = table.talk.finished
    assert turn.user_text == "First question? Second question? Here I am"


def test_typed_text_is_a_turn_and_a_command() -> None:
    table = Table()
    table.says(media.Text("hello"), now=1.0)
    assert list(table.talk.commands) == [model.SayText("hello", respond=True)]
    assert table.events() == [
        ("turn.started", "user", 1),
        ("transcript", "user", 1, "hello", True, None),
    ]


def test_context_makes_no_turn() -> None:
    table = Table()
    table.says(media.Context("the shop is closed"))
    assert list(table.talk.commands) == [model.Note("the shop is closed")]
    assert table.events() == []


@pytest.mark.parametrize(
    ("turns", "message"), [("auto", media.Activity("start")), ("manual", media.Mic("paused"))]
)
def test_messages_of_the_other_turn_mode_are_refused(turns: str, message: media.ClientMessage) -> None:
    table = Table(config=Config(turns=turns))  # type: ignore[arg-type]
    with pytest.raises(RemoteProtocolError) as refused:
        table.says(message)
    assert refused.value.code == "mode_refused"
    assert not table.talk.commands


def test_push_to_talk_marks_the_users_turn() -> None:
    table = Table(config=Config(turns="manual"))
    table.says(media.Activity("start"), now=1.0)
    table.says(media.Activity("end"), now=2.0)
    table.model(model.Audio(MS20), now=2.25)
    table.model(model.TurnCompleted(idle=True), now=3.0)
    assert list(table.talk.commands) == [model.MarkActivity(True), model.MarkActivity(False)]
    assert table.talk.finished[0].first_audio_ms == 250


def test_a_paused_microphone_flushes_the_model() -> None:
    table = Table()
    table.says(media.Mic("open"))
    table.says(media.Mic("paused"))
    assert list(table.talk.commands) == [model.FlushAudio()]


def test_a_tool_of_the_client_is_called_under_our_own_id() -> None:
    table = Table(tools=(ClientTool("weather", timeout_ms=1000),))
    table.model(model.ToolRequested("fc-99", "weather", {"city": "Oslo"}))
    (call,) = [m for m in table.got if isinstance(m, media.ToolCall)]
    assert (call.name, call.args, call.deadline_ms) == ("weather", {"city": "Oslo"}, 1000)
    assert "fc-99" not in call.call_id
    table.says(media.ToolResult(call.call_id, ok=True, data="rain"))
    assert list(table.talk.commands) == [model.AnswerTool("fc-99", "weather", {"output": "rain"})]


@pytest.mark.parametrize("scheduling", ["when_idle", "interrupt", "silent"])
def test_a_tools_result_says_when_it_is_to_be_spoken_of(scheduling: Scheduling) -> None:
    table = Table(tools=(ClientTool("weather", scheduling=scheduling, timeout_ms=1000),))
    asked = [model.ToolRequested(f"fc-{number}", "weather", {}) for number in (1, 2, 3)]
    table.model(*asked)
    first, second, _ = [m for m in table.got if isinstance(m, media.ToolCall)]
    table.says(media.ToolResult(first.call_id, ok=True, data="rain"))
    table.says(media.ToolResult(second.call_id, ok=False, error="away"))
    table.talk.handle_timeout(10.0)
    told = [command for command in table.talk.commands if isinstance(command, model.AnswerTool)]
    assert [command.scheduling for command in told] == [scheduling] * 3


def test_a_tool_asked_for_twice_is_called_once() -> None:
    table = Table(tools=(ClientTool("weather"),))
    asked = model.ToolRequested("fc-1", "weather", {})
    table.model(asked, asked)
    assert [m for m in table.events() if m[0] == "tool.call"] == [("tool.call",)]


def test_a_tool_asked_for_again_when_it_has_answered_is_not_called_again() -> None:
    """Others got one call among the parts of a turn and as a message: a quick client is between the two."""
    table = Table(tools=(ClientTool("weather"),))
    asked = [model.ToolRequested("fc-1", "weather", {}), model.ToolRequested("fc-2", "nothing", {})]
    table.model(*asked)
    table.says(media.ToolResult("call-1-1", ok=True, data="rain"))
    told = list(table.talk.commands)
    table.model(*asked)
    assert [m for m in table.events() if m[0] == "tool.call"] == [("tool.call",)]
    assert list(table.talk.commands) == told and len(told) == 2


def test_a_tool_asked_for_by_another_leg_is_called_again() -> None:
    """It does not know that it was answered, and its numbers may be the same."""
    table = Table(tools=(ClientTool("weather"),))
    table.model(model.ToolRequested("fc-1", "weather", {}))
    table.says(media.ToolResult("call-1-1", ok=True, data="rain"))
    table.talk.leg_lost("again", 2.0)
    table.model(model.ToolRequested("fc-1", "weather", {}))
    assert [m for m in table.events() if m[0] == "tool.call"] == [("tool.call",)] * 2


def test_an_unanswered_tool_is_cancelled_and_the_model_told_the_truth() -> None:
    table = Table(tools=(ClientTool("weather", timeout_ms=1000),))
    table.model(model.ToolRequested("fc-1", "weather", {}), now=1.0)
    deadline = table.talk.next_timeout()
    assert deadline is not None
    table.talk.handle_timeout(deadline)
    table.read()
    assert list(table.talk.commands) == [model.AnswerTool("fc-1", "weather", {"error": "timed_out"})]
    assert ("tool.cancel",) in table.events()
    with pytest.raises(RemoteProtocolError):
        table.says(media.ToolResult("call-1-1", ok=True))


def test_withdrawn_tools_are_cancelled_at_the_client() -> None:
    table = Table(tools=(ClientTool("weather"),))
    table.model(model.ToolRequested("fc-1", "weather", {}), model.ToolsWithdrawn(("fc-1", "fc-2")))
    (cancel,) = [m for m in table.got if isinstance(m, media.ToolCancel)]
    assert cancel.call_ids == ["call-1-1"]


def test_an_unknown_tool_is_answered_at_once() -> None:
    table = Table()
    table.model(model.ToolRequested("fc-1", "nothing", {}))
    assert list(table.talk.commands) == [model.AnswerTool("fc-1", "nothing", {"error": "unknown_tool"})]


def test_usage_adds_up_over_the_call() -> None:
    table = Table()
    answer(table)
    table.model(model.TokensUsed(Tokens(input_audio=50, output_audio=25, total=75)))
    table.model(model.TokensUsed(Tokens(input_audio=10, total=10)))
    assert table.talk.used == Tokens(input_audio=60, output_audio=25, total=85)
    assert table.got[-1].tokens == table.talk.used  # type: ignore[attr-defined]


def test_numbering_goes_on_where_the_record_ended() -> None:
    table = Table(first_turn=7)
    answer(table)
    assert table.audio() == [7, 7]


def test_closing_cuts_what_is_unfinished_into_the_record() -> None:
    table = Table()
    answer(table)
    table.talk.close(now=2.02)
    table.talk.close(now=2.03)
    (turn,) = table.talk.finished
    assert turn.cut_at == 2.02


def test_what_the_user_said_last_is_kept_without_an_answer() -> None:
    table = Table()
    table.model(model.SpeechStarted(), model.Heard("goodbye"))
    table.talk.close(now=2.0)
    assert [(turn.user_text, turn.agent_text) for turn in table.talk.finished] == [("goodbye", "")]


def test_what_the_user_says_after_a_turn_of_the_agents_own_is_a_turn_of_its_own() -> None:
    table = Table()
    table.model(model.Audio(MS20), model.Said("Welcome."), model.TurnCompleted(idle=True))
    table.model(model.Heard("hello"), model.Audio(MS20), model.TurnCompleted(idle=True))
    assert [(turn.number, turn.user_text) for turn in table.talk.finished] == [(1, ""), (2, "hello")]


def test_tokens_billed_after_their_turn_was_written_are_on_the_next_ones_record() -> None:
    table = Table()
    table.model(model.Heard("go on"), model.Audio(MS20), model.Said("Once upon a time"))
    table.says(media.Interrupt(1, 10))
    table.says(media.Playback(1, "flushed", 10, 0))
    table.model(model.TokensUsed(Tokens(total=7)), model.TurnCompleted(idle=True))
    table.model(model.Heard("and now?"), model.Audio(MS20))
    table.model(model.TokensUsed(Tokens(total=5)), model.TurnCompleted(idle=True))
    assert [turn.tokens.total for turn in table.talk.finished] == [0, 12]
    assert table.talk.used.total == 12


def test_a_second_piece_of_the_users_words_joins_the_turn_that_answers_it() -> None:
    table = Table()  # the model does not say when speech begins
    table.model(model.Heard("tell me "), model.Audio(MS20), model.Said("It "), model.Heard("the time"))
    table.model(model.Said("is ten"), model.TurnCompleted(idle=True))
    (turn,) = table.talk.finished
    assert (turn.number, turn.user_text, turn.agent_text) == (1, "tell me the time", "It is ten")
    assert [event for event in table.events() if event[0] == "turn.started"] == [
        ("turn.started", "user", 1),
        ("turn.started", "agent", 1),
    ]


def test_words_of_the_user_after_an_interruption_are_a_turn_of_their_own() -> None:
    table = Table()
    table.model(model.Heard("tell me"), model.Audio(MS20), model.Interrupted(), model.Heard("no, wait"))
    table.talk.handle_timeout(now=5.0)
    table.talk.close(now=6.0)
    assert [(turn.number, turn.user_text) for turn in table.talk.finished] == [
        (1, "tell me"),
        (2, "no, wait"),
    ]


def test_words_of_the_agent_after_its_turn_was_written_are_written_too() -> None:
    table = Table()
    answer(table)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), model.Said(" or so"))
    (turn,) = table.talk.finished
    assert turn.agent_text == "ten past or so" and list(table.talk.amended) == [turn]


def test_late_words_of_the_agent_do_not_begin_an_answer_to_who_is_just_speaking() -> None:
    table = Table()
    answer(table)
    table.model(model.TurnCompleted(idle=True), model.SpeechStarted(), model.Said(" or so"))
    assert [event for event in table.events() if event[0] == "turn.started"][-1] == (
        "turn.started",
        "user",
        2,
    )
    assert table.talk.finished[0].agent_text == "ten past or so"
    table.model(model.SpeechEnded(), model.Heard("thanks"), model.Said("Welcome."), model.Audio(MS20))
    table.model(model.TurnCompleted(idle=True))
    assert (table.talk.finished[1].number, table.talk.finished[1].agent_text) == (2, "Welcome.")


def test_what_is_billed_after_the_last_turn_is_owed_at_the_end() -> None:
    table = Table()
    answer(table)
    table.model(model.TurnCompleted(idle=True), model.TokensUsed(Tokens(total=9)))
    table.talk.close(now=4.0)
    assert table.talk.take_owed() == (1, Tokens(total=9)) and table.talk.take_owed() == (1, Tokens())


def test_the_tools_of_a_turn_are_on_its_record() -> None:
    table = Table(tools=(ClientTool("weather", timeout_ms=1000), ClientTool("news", timeout_ms=1000)))
    table.model(model.Heard("what is on?"), now=1.0)
    table.model(model.ToolRequested("fc-1", "weather", {"city": "Oslo"}), now=2.0)
    table.model(model.ToolRequested("fc-2", "news", {"all": "x" * 10_000}), now=2.0)
    table.model(model.ToolRequested("fc-3", "magic", {}), now=2.0)
    table.says(media.ToolResult("call-1-1", ok=True, data="rain"), now=2.25)
    table.talk.handle_timeout(now=10.0)
    table.model(model.Audio(MS20), model.TurnCompleted(idle=True), now=11.0)
    told = [(use.call_id, use.name, use.args, use.ok, use.took_ms) for use in table.talk.finished[0].tools]
    assert told == [
        ("call-1-1", "weather", {"city": "Oslo"}, True, 250),
        ("call-1-2", "news", {}, None, 0),
        ("call-1-3", "magic", {}, False, 0),
    ]


def test_an_answer_that_is_read_has_words_and_no_audio() -> None:
    table = Table(config=Config(reply="text"))
    answer(table)
    table.model(model.GenerationEnded(), model.TurnCompleted(idle=True), now=3.0)
    assert table.audio() == []
    words = [event for event in table.events() if event[:2] == ("transcript", "agent")]
    assert words == [
        ("transcript", "agent", 1, "ten ", False, None),
        ("transcript", "agent", 1, "past", False, None),
        ("transcript", "agent", 1, "", True, None),
    ]
    (turn,) = table.talk.finished
    assert (turn.audio_ms, turn.heard_text(), turn.first_audio_ms) == (0, "ten past", 1000)


def test_of_an_answer_that_is_read_all_that_was_told_counts_as_heard_at_once() -> None:
    table = Table(config=Config(reply="text"))
    answer(table)
    table.model(model.Interrupted(), now=2.1)
    assert table.talk.next_timeout() == 2.1  # no player is to say what was played
    table.talk.handle_timeout(2.1)
    table.read()
    assert ("transcript", "agent", 1, "", True, "ten past") in table.events()


def test_what_an_answer_is_founded_on_is_told_once_for_each_turn() -> None:
    table = Table()
    cited = model.Cited((("https://a.example", "A"),), "<div>A</div>")
    for number in (1, 2):
        answer(table)
        table.model(cited, cited, model.TurnCompleted(idle=True))
        told = [message for message in table.got if isinstance(message, media.Citation)]
        assert [message.turn for message in told] == list(range(1, number + 1))
    assert told[-1].sources == [media.Source("https://a.example", "A")] and told[-1].html == "<div>A</div>"
