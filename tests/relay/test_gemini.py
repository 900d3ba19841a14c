"""The one file that knows Google's wire: what it reads, what it writes, how failures are named."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gemini import messages as model
from gemini import profiles
from gemini.wire import NO_ANSWER, first_message, is_set_up, read_message, write_audio, write_command
from protocol.media import Tokens


def read(message: object) -> list[model.ModelEvent]:
    return list(read_message(json.dumps(message).encode()))


def written(command: model.ModelCommand, profile: profiles.Profile) -> str:
    told = write_command(command, profile)
    assert told is not None
    return told


def test_bundled_fields_are_read_in_the_order_to_act_upon() -> None:
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(b"\1\2").decode()}}
    events = read(
        {
            "usageMetadata": {
                "totalTokenCount": 301,
                "thoughtsTokenCount": 136,
                "toolUsePromptTokenCount": 20,
                "cachedContentTokenCount": 30,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 80}],
                "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 40}],
            },
            "serverContent": {
                "modelTurn": {"role": "model", "parts": [part]},
                "outputTranscription": {"text": "hi"},
                "inputTranscription": {"text": "hello"},
                "generationComplete": True,
                "turnComplete": True,
                "interactionStatus": "IDLE",
            },
        }
    )
    assert events == [
        model.TokensUsed(
            Tokens(input_audio=80, output_audio=40, thoughts=136, tool_use=20, cached=30, total=301)
        ),
        model.Heard("hello"),
        model.Audio(b"\1\2"),
        model.Said("hi"),
        model.GenerationEnded(),
        model.TurnCompleted(idle=True),
    ]


def test_interrupted_comes_before_the_completion_it_brings() -> None:
    assert read({"serverContent": {"interrupted": True}}) == [model.Interrupted()]
    assert read({"serverContent": {"turnComplete": True, "interactionStatus": "IN_PROGRESS"}}) == [
        model.TurnCompleted(idle=False)
    ]


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("", "usual"),
        ("TURN_COMPLETE_REASON_UNSPECIFIED", "usual"),
        ("RESPONSE_REJECTED", "rejected"),
        ("PROHIBITED_INPUT_CONTENT", "rejected"),
        ("MALFORMED_FUNCTION_CALL", "malformed"),
        ("NEED_MORE_INPUT", "wants_more"),
        ("A_FILTER_OF_TOMORROW", "rejected"),
    ],
)
def test_a_turn_says_why_it_is_complete(reason: str, ending: model.Ending) -> None:
    content = {"turnComplete": True, "turnCompleteReason": reason}
    assert read({"serverContent": content}) == [model.TurnCompleted(idle=True, ending=ending)]


def test_a_model_that_waits_for_more_words_says_so() -> None:
    assert read({"serverContent": {"waitingForInput": True}}) == [model.WaitsForInput()]


def test_the_end_of_a_transcript_is_read_also_where_it_brings_no_words() -> None:
    heard = {"text": "that was all", "finished": True}
    content = {"inputTranscription": heard, "outputTranscription": {"finished": True}}
    assert read({"serverContent": content}) == [
        model.Heard("that was all", finished=True),
        model.Said("", finished=True),
    ]


def test_only_resumable_handles_count() -> None:
    assert read({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}) == [
        model.HandleChanged("h")
    ]
    assert read({"sessionResumptionUpdate": {"resumable": False}}) == [model.AtWork()]


@pytest.mark.parametrize(
    ("left", "seconds"), [({"timeLeft": "50s"}, 50.0), ({"timeLeft": "1.5s"}, 1.5), ({}, None)]
)
def test_going_away_may_not_say_when(left: dict[str, str], seconds: float | None) -> None:
    assert read({"goAway": left}) == [model.LegEnding(seconds)]


def test_tools_are_read() -> None:
    asked = {"toolCall": {"functionCalls": [{"id": "1", "name": "weather", "args": {"city": "Oslo"}}]}}
    assert read(asked) == [model.ToolRequested("1", "weather", {"city": "Oslo"})]
    assert read({"toolCallCancellation": {"ids": ["1", "2"]}}) == [model.ToolsWithdrawn(("1", "2"))]


@pytest.mark.parametrize(
    "message",
    [{}, {"brandNew": {"x": 1}}, {"serverContent": {}}, {"serverContent": {"turnComplete": "maybe"}}],
)
def test_what_we_cannot_read_is_nothing_to_us(message: object) -> None:
    assert read(message) == []


GROUNDING = {
    "webSearchQueries": ["clocks"],
    "groundingChunks": [
        {"web": {"uri": "https://a.example/x", "title": "A" * 300}},
        {"web": {"uri": "javascript:alert(1)", "title": "B"}},
        {"web": {"uri": "https://a.example/" + "x" * 3000}},
        {"retrievedContext": {"uri": "gs://c"}},
    ],
    "groundingSupports": [{"segment": {"text": "words"}, "groundingChunkIndices": [0]}],
    "searchEntryPoint": {"renderedContent": "<div>clocks</div>"},
}


def test_what_an_answer_is_founded_on_is_read_as_far_as_a_client_may_have_it() -> None:
    cited = model.Cited((("https://a.example/x", "A" * 256),), "<div>clocks</div>")
    assert read({"serverContent": {"groundingMetadata": GROUNDING}}) == [cited]
    many = [{"web": {"uri": f"https://a.example/{number}"}} for number in range(50)]
    (found,) = read({"serverContent": {"groundingMetadata": {"groundingChunks": many}}})
    assert isinstance(found, model.Cited) and len(found.sources) == 20 and found.html == ""
    long = {"searchEntryPoint": {"renderedContent": "<div>" * 4_000}}
    for empty in ({}, long, {"groundingChunks": []}, {"groundingChunks": [{"web": {"uri": "x"}}]}):
        assert read({"serverContent": {"groundingMetadata": empty}}) == []


def test_thoughts_are_not_spoken() -> None:
    part = {"thought": True, "inlineData": {"data": "AAAA"}}
    assert read({"serverContent": {"modelTurn": {"parts": [part]}}}) == []


def test_audio_is_written_as_google_reads_it() -> None:
    written = json.loads(write_audio(b"\xff\xfe" * 320))
    audio = written["realtimeInput"]["audio"]
    assert audio["mimeType"] == "audio/pcm;rate=16000"
    assert base64.b64decode(audio["data"], validate=True) == b"\xff\xfe" * 320


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (model.MarkActivity(True), {"realtimeInput": {"activityStart": {}}}),
        (model.MarkActivity(False), {"realtimeInput": {"activityEnd": {}}}),
        (model.FlushAudio(), {"realtimeInput": {"audioStreamEnd": True}}),
        (
            model.ShowImage("image/png", b"hi"),
            {"realtimeInput": {"video": {"mimeType": "image/png", "data": "aGk="}}},
        ),
        (
            model.SayText("hi", respond=False),
            {
                "clientContent": {
                    "turns": [{"role": "user", "parts": [{"text": "hi"}]}],
                    "turnComplete": False,
                }
            },
        ),
    ],
)
def test_commands_are_written(command: model.ModelCommand, expected: object) -> None:
    assert json.loads(written(command, profiles.V3_8)) == expected


@pytest.mark.parametrize("profile", [profiles.V3_1, profiles.CAUTIOUS], ids=["3.1", "unknown"])
def test_text_goes_another_way_to_a_model_that_refuses_turns_after_the_first(
    profile: profiles.Profile,
) -> None:
    said = written(model.SayText("hi", respond=True), profile)
    noted = written(model.SayText("hi", respond=False), profile)
    assert json.loads(said) == {"realtimeInput": {"text": "hi"}}
    assert json.loads(noted) == {"realtimeInput": {"text": f"{NO_ANSWER} hi"}}


@pytest.mark.parametrize(
    ("profile", "is_waited_for"), [(profiles.V3_8, False), (profiles.V3_1, True), (profiles.CAUTIOUS, False)]
)
def test_earlier_turns_end_where_the_model_waits_for_their_end(
    profile: profiles.Profile, is_waited_for: bool
) -> None:
    told = json.loads(written(model.Recall((("agent", "hi"),)), profile))
    assert told == {
        "clientContent": {
            "turns": [{"role": "model", "parts": [{"text": "hi"}]}],
            "turnComplete": is_waited_for,
        }
    }


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (profiles.V3_8, {"clientContent": {"turnComplete": False}}),
        (profiles.V2_5, {"clientContent": {"turnComplete": False}}),
        (profiles.V3_1, None),
        (profiles.CAUTIOUS, None),
    ],
    ids=["3.8", "2.5", "3.1", "unknown"],
)
def test_an_answer_is_stopped_by_the_means_that_the_model_has(
    profile: profiles.Profile, expected: object
) -> None:
    told = write_command(model.StopAnswer(), profile)
    assert (json.loads(told) if told else None) == expected


@pytest.mark.parametrize(
    ("profile", "scheduling"),
    [(profiles.V3_8, "SILENT"), (profiles.EXTENDED_THINKING, "SILENT"), (profiles.V3_1, None)],
)
def test_a_result_is_scheduled_where_the_model_does_not_wait_for_it(
    profile: profiles.Profile, scheduling: str | None
) -> None:
    told = write_command(model.AnswerTool("1", "look", {"output": 3}, "silent"), profile)
    (response,) = json.loads(told or "")["toolResponse"]["functionResponses"]
    assert response.get("scheduling") == scheduling


def test_a_tool_answer_names_its_function() -> None:
    told = json.loads(written(model.AnswerTool("1", "weather", {"output": 3}), profiles.V3_8))
    (response,) = told["toolResponse"]["functionResponses"]
    assert (response["id"], response["name"], response["response"]) == ("1", "weather", {"output": 3})


@pytest.mark.parametrize(
    ("lock", "handle", "setup"),
    [
        ("full", "h", {"model": "models/m"}),
        ("masked", "h", {"model": "models/m", "sessionResumption": {"handle": "h"}}),
        ("masked", None, {"model": "models/m", "sessionResumption": {}}),
    ],
)
def test_the_handle_is_ours_to_send_only_when_the_token_does_not_hold_it(
    lock: str, handle: str | None, setup: object
) -> None:
    credential = model.Credential("auth_tokens/x", "models/m", 0, lock)
    assert json.loads(first_message(credential, handle)) == {"setup": setup}


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (b'{"setupComplete":{}}', True),
        (b'{"setupComplete":{"sessionId":"x"}}', True),
        (b'{"sessionResumptionUpdate":{}}', False),
        (b"[]", False),
    ],
)
def test_setup_is_complete_when_the_server_says_so(data: bytes, taken: bool) -> None:
    assert is_set_up(data) is taken


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ("50s", 50.0),
        ("0s", 0.0),
        ("-5s", 0.0),
        ("nan", None),
        ("infs", None),
        ("soon", None),
        (None, None),
        (7, 7.0),
        ({"seconds": 7}, None),
    ],
)
def test_whatever_a_model_that_leaves_says_of_its_time_the_message_is_read(
    left: object, expected: float | None
) -> None:
    content = {"turnComplete": True}
    assert read({"goAway": {"timeLeft": left}, "serverContent": content}) == [
        model.LegEnding(expected),
        model.TurnCompleted(idle=True),
    ]


TAKEN = {"turnComplete": True}
VOICE = bytes([255, 239, 191, 251])  # `_-+/`: of both alphabets


@pytest.mark.parametrize(
    ("message", "events"),
    [
        ({"serverContent": TAKEN | {"modelTurn": None, "outputTranscription": None}}, []),
        (
            {"serverContent": TAKEN, "usageMetadata": {"totalTokenCount": "many"}},
            [model.TokensUsed(Tokens())],
        ),
        (
            {"serverContent": TAKEN, "usageMetadata": {"promptTokensDetails": None}},
            [model.TokensUsed(Tokens())],
        ),
        ({"serverContent": TAKEN | {"modelTurn": {"parts": {"text": "x"}}}}, []),
        ({"serverContent": TAKEN | {"modelTurn": {"parts": [None, 7, {"inlineData": {"data": 7}}]}}}, []),
        ({"serverContent": TAKEN, "toolCall": {"functionCalls": None}}, []),
        ({"serverContent": TAKEN, "voiceActivity": "x"}, []),
    ],
)
def test_what_cannot_be_read_of_a_message_loses_nothing_else_of_it(
    message: object, events: list[model.ModelEvent]
) -> None:
    assert read(message) == [*events, model.TurnCompleted(idle=True)]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["=", ""])
def test_audio_in_either_alphabet_with_or_without_padding_is_heard(encode: Any, padding: str) -> None:
    data = encode(VOICE).decode().replace("=", padding)
    message = {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": data}}]}}}
    assert read(message) == [model.Audio(VOICE)]


def test_a_message_nested_beyond_all_measure_is_passed_over() -> None:
    data = b'{"serverContent":' * 100_000
    assert list(read_message(data)) == [model.Unreadable(len(data))]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", "[]", "7", '{"serverContent":'])
def test_a_message_of_which_nothing_can_be_read_is_told_of(data: bytes | str) -> None:
    assert list(read_message(data)) == [model.Unreadable(len(data))]


def test_a_tool_call_among_the_parts_is_read() -> None:
    call = {"functionCall": {"id": "c", "name": "look", "args": {"at": 1}}}
    assert read({"serverContent": {"modelTurn": {"parts": [call, {"functionCall": {}}]}}}) == [
        model.ToolRequested("c", "look", {"at": 1})
    ]


def test_a_call_without_an_id_is_answered_by_its_name() -> None:
    answer = json.loads(write_command(model.AnswerTool("", "look", {"output": 1}), profiles.of("x")))
    assert answer["toolResponse"]["functionResponses"] == [{"name": "look", "response": {"output": 1}}]


@pytest.mark.parametrize(
    "data",
    [
        b'{"serverContent":{"turnComplete":true,"outputTranscription":{"text":"a\\ud800b"}}}',
        b'{"serverContent":{"turnComplete":true,"outputTranscription":{"text":"a\xffb"}}}',
    ],
)
def test_words_that_are_no_unicode_are_told_with_a_sign_in_their_place(data: bytes) -> None:
    """Half a surrogate pair cannot be encoded again: it ended the call."""
    said, completed = read_message(data)
    assert said == model.Said("a\ufffdb") and completed == model.TurnCompleted(idle=True)


def test_arguments_that_are_no_unicode_can_be_passed_on() -> None:
    asked = b'{"toolCall":{"functionCalls":[{"id":"1","name":"x","args":{"k\\udc00":["\\ud800"]}}]}}'
    assert list(read_message(asked)) == [model.ToolRequested("1", "x", {"k\ufffd": ["\ufffd"]})]


@pytest.mark.parametrize("data", ["AAAA, sorry! ,,,", "AAAA****", "A"])
def test_what_is_no_base64_is_not_played(data: str) -> None:
    parts = [{"inlineData": {"data": data}}, {"inlineData": {"data": "AAAA"}}]
    assert read({"serverContent": {"modelTurn": {"parts": parts}}}) == [model.Audio(bytes(3))]


@pytest.mark.parametrize("count", [10**30, -5])
def test_a_count_of_tokens_that_cannot_be_is_none(count: int) -> None:
    usage = {"totalTokenCount": count, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}]}
    assert read({"usageMetadata": usage}) == [model.TokensUsed(Tokens(input_text=7))]
