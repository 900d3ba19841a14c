"""What may be sent, in which spelling, and how the rest is refused."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.session import setup
from simulator.session.models import table
from simulator.session.setup import Setup
from simulator.wire import messages
from simulator.wire.fields import MESSAGE, camel, snake
from simulator.wire.refusal import Refusal

MODELS = table("permissive")
PCM = bytes(range(250, 256)) * 4 + b"\xfb\xff\xfe\x00"  #: its base64 differs between the alphabets
AUDIO = {"responseModalities": ["AUDIO"]}
MODEL = "models/gemini-3.8-live"


def decoded(message: Any) -> messages.ClientMessage:
    return messages.decode(json.dumps(message))


def refused(message: Any) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        decoded(message)
    return caught.value.close.code, caught.value.close.reason


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
def test_audio_comes_in_both_alphabets(alphabet: Any, padded: bool) -> None:
    data = alphabet(PCM).decode()
    blob = {"data": data if padded else data.rstrip("="), "mime_type": "audio/pcm;rate=16000"}
    assert decoded({"realtime_input": {"audio": blob}}) == messages.AudioSent(PCM)


def test_audio_at_another_rate_is_resampled() -> None:
    blob = {"data": base64.b64encode(bytes(960)).decode(), "mimeType": "audio/pcm;rate=48000"}
    assert decoded({"realtimeInput": {"audio": blob}}) == messages.AudioSent(bytes(320))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"realtimeInput": {"text": "hi"}}, messages.TextSent("hi")),
        ({"realtime_input": {"audio_stream_end": True}}, messages.AudioStreamEnded()),
        ({"realtimeInput": {"activityStart": {}}}, messages.ActivityMarked(True)),
        ({"realtime_input": {"activity_end": {}}}, messages.ActivityMarked(False)),
        ({"realtimeInput": {"video": {"data": "AAAA", "mimeType": "image/jpeg"}}}, messages.VideoSent(3)),
        (
            {"realtimeInput": {"mediaChunks": [{"data": "AAAA", "mimeType": "audio/pcm"}]}},
            messages.AudioSent(bytes(3)),
        ),
        ({"client_content": {"turn_complete": True}}, messages.ContentSent([], True)),
        ({"contextUpdate": {"tools": {"tools": []}}}, messages.ContextUpdated({"tools": {"tools": []}})),
        (
            {"tool_response": {"function_responses": [{"id": "1", "will_continue": True}]}},
            messages.ToolResponded([{"id": "1", "willContinue": True}]),
        ),
    ],
)
def test_each_message_in_either_spelling(message: Any, expected: messages.ClientMessage) -> None:
    assert decoded(message) == expected


def test_free_form_objects_keep_their_spelling() -> None:
    response = {"snake_case": {"inner_key": 1}}
    message = decoded({"toolResponse": {"functionResponses": [{"id": "1", "response": response}]}})
    assert message == messages.ToolResponded([{"id": "1", "response": response}])


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        {"setup": None},
        {"setup": {}, "realtimeInput": {}},
        {"realtimeInput": {}},
        {"realtimeInput": {"text": "a", "audioStreamEnd": True}},
        {"realtimeInput": {"text": 1}},
        {"realtimeInput": {"audioStreamEnd": 1}},
        {"realtimeInput": {"audio": {"data": "AA=A", "mimeType": "audio/pcm"}}},
        {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/opus"}}},
        {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=1"}}},
        {"clientContent": {"turns": "text"}},
    ],
)
def test_malformed_messages_are_invalid(message: Any) -> None:
    assert refused(message)[0] == 1007


def test_an_unknown_name_is_named() -> None:
    code, reason = refused({"setup": {"generation_config": {"inputAudioTranscription": {}}}})
    assert code == 1007
    assert reason.startswith('Invalid JSON payload received. Unknown name "inputAudioTranscription" at ')
    assert reason.endswith("at 'setup.generation_config': Cannot find field.")
    assert 'Unknown name "later"' in refused({"later": {}})[1]


LEAVES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("AAAA"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def shaped(shape: Any) -> st.SearchStrategy[Any]:
    """JSON that mostly has the fields of `shape`, and mostly the wrong values in them."""
    if isinstance(shape, list):
        return LEAVES | st.lists(shaped(shape[0]), max_size=2)
    if isinstance(shape, dict):
        return LEAVES | st.fixed_dictionaries({}, optional={name: shaped(shape[name]) for name in shape})
    return LEAVES


@settings(max_examples=200, deadline=None)
@given(st.one_of([st.fixed_dictionaries({name: shaped(MESSAGE[name])}) for name in MESSAGE]))
def test_anything_is_accepted_or_refused_and_never_breaks(message: Any) -> None:
    try:
        accepted = decoded(message)
        if isinstance(accepted, messages.SetupSent):
            generation = {**accepted.setup.get("generationConfig", {}), **AUDIO}
            setup.read({**accepted.setup, "model": MODEL, "generationConfig": generation}, "v1", MODELS)
    except Refusal as refusal:
        assert refusal.close.code in (1007, 1008)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_message_are_refused(raw: bytes) -> None:
    with pytest.raises(Refusal):
        messages.decode(raw)


def test_both_spellings_of_a_name() -> None:
    assert camel("automatic_activity_detection") == camel("automaticActivityDetection")
    assert snake("newSessionExpireTime") == "new_session_expire_time"


def read(**given: Any) -> Setup:
    message = decoded({"setup": {"model": MODEL, "generationConfig": AUDIO, **given}})
    assert isinstance(message, messages.SetupSent)
    return setup.read(message.setup, "v1beta", MODELS)


def test_a_setup_in_full() -> None:
    agreed = read(
        systemInstruction={"parts": [{"text": "Be"}, {"text": "brief."}]},
        generation_config={**AUDIO, "speech_config": {"voice_config": {"voice": "en-us-tavi"}}},
        tools=[{"function_declarations": [{"name": "a"}, {"name": "b", "behavior": "BLOCKING"}]}],
        realtimeInputConfig={
            "automatic_activity_detection": {"silence_duration_ms": 300, "prefix_padding_ms": 40},
            "activityHandling": "NO_INTERRUPTION",
        },
        contextWindowCompression={"triggerTokens": "25000", "slidingWindow": {"targetTokens": 8000}},
        sessionResumption={"handle": "h"},
    )
    assert agreed.instruction == "Be brief." and agreed.voice_name == "en-us-tavi" and agreed.handle == "h"
    assert [tool.is_blocking for tool in agreed.declarations] == [False, True]
    assert (agreed.detection.silence_s, agreed.detection.commit_s, agreed.interrupts) == (0.3, 0.04, False)
    assert agreed.compression == setup.Compression(25_000, 8_000)


EXTENDED = "models/gemini-3.8-live-extended-thinking"
LEGACY = "models/gemini-3.1-flash-live-preview"
TOOL = [{"functionDeclarations": [{"name": "a", "behavior": "BLOCKING"}]}]


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"model": "gemini-3.8-live"}, 1008, "is not found for API version v1beta"),
        (
            {"model": "models/gemini-9"},
            1008,
            "models/gemini-9 is not found for API version v1beta, or is not",
        ),
        ({"model": 1}, 1008, "is not found"),
        ({"generationConfig": {}}, 1007, "modalities (TEXT) is not supported by the model"),
        ({"generationConfig": {"responseModalities": ["TEXT"]}}, 1007, "modalities (TEXT)"),
        ({"generationConfig": {"responseModalities": ["IMAGE"]}}, 1007, "invalid argument"),
        (
            {"generationConfig": {**AUDIO, "thinkingConfig": {"thinkingLevel": "LOW"}}},
            1007,
            "invalid argument",
        ),
        ({"generationConfig": {**AUDIO, "enableAffectiveDialog": True}}, 1007, "invalid argument"),
        ({"proactivity": {"proactiveAudio": False}}, 1007, "invalid argument"),
        ({"sessionResumption": {"transparent": True}}, 1007, "invalid argument"),
        ({"sessionResumption": {"handle": 5}}, 1007, "invalid argument"),
        ({"explicitVadSignal": True}, 1007, 'Unknown name "explicitVadSignal"'),
        ({"model": EXTENDED}, 1007, "invalid argument"),
        (
            {
                "model": EXTENDED,
                "generationConfig": {**AUDIO, "thinkingConfig": {"thinkingLevel": "MINIMAL"}},
            },
            1007,
            "invalid argument",
        ),
        (
            {
                "model": EXTENDED,
                "generationConfig": {**AUDIO, "thinkingConfig": {"thinkingLevel": "LOW"}},
                "tools": TOOL,
            },
            1007,
            "invalid argument",
        ),
        ({"tools": [{"functionDeclarations": [{"description": "nameless"}]}]}, 1007, "invalid argument"),
        ({"realtimeInputConfig": {"activityHandling": "MAYBE"}}, 1007, "invalid argument"),
        (
            {"realtimeInputConfig": {"automaticActivityDetection": {"silenceDurationMs": -1}}},
            1007,
            "invalid argument",
        ),
        ({"contextWindowCompression": {"triggerTokens": "many"}}, 1007, "invalid argument"),
        (
            {"generationConfig": {**AUDIO, "speechConfig": {"voiceConfig": {"voice": 7}}}},
            1007,
            "invalid argument",
        ),
    ],
)
def test_what_google_refuses(given: Any, code: int, text: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(**given)
    assert caught.value.close.code == code
    assert text in caught.value.close.reason


def test_extended_thinking_takes_a_level_and_legacy_models_take_theirs() -> None:
    level = {**AUDIO, "thinkingConfig": {"thinkingLevel": "HIGH"}}
    assert read(model=EXTENDED, generationConfig=level).model.profile.thinking.value == "level"
    assert read(model=LEGACY, proactivity={"proactiveAudio": False}, tools=TOOL).declarations[0].is_blocking
