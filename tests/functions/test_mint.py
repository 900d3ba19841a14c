"""`mint`: exactly one setup, for exactly the relay that owns the session."""

import dataclasses
import datetime
import json

import pytest
from deployment import CONTEXT, GEMINI_KEY

from agents import catalogue
from agents.catalogue import Agent, ServerTool
from functions import mint
from functions.core.minting import gemini_tokens
from functions.core.runtime import aws
from gemini import setup, tokens
from gemini.refusals import scrub
from records import budgets, resumption, sessions
from records.table import Fenced
from tests import dialect

TOOL = {
    "name": "show_map",
    "description": "Shows a place.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


@pytest.fixture
def call(connected, relay, table):
    """Opens a session on relay r1 and gives what that relay would send."""

    def open_one(**fields):
        relay()
        ready = connected().start(**fields)[-1]
        return {"session": ready["session"], "epoch": 1, "relay": "r1", "handle": None}

    return open_one


def mint_with(event, lock, monkeypatch):
    locked = dataclasses.replace(mint.mint(), lock=lock)
    monkeypatch.setattr(mint, "mint", lambda: locked)
    return mint.handler(event, CONTEXT)


def iso(epoch_s):
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).isoformat()


def expected_tool():
    """TOOL as the model's profile has it."""
    profile = dialect.profile()
    upper = {"type": "OBJECT", "properties": {"place": {"type": "STRING"}}, "required": ["place"]}
    is_plain = profile.schema.value == "json_schema"
    written = {"parametersJsonSchema": TOOL["parameters"]} if is_plain else {"parameters": upper}
    behavior = {"behavior": "NON_BLOCKING"} if profile.schedules_results else {}
    return {"name": "show_map", "description": "Shows a place.", **written, **behavior}


def expected_setup(clock):
    profile = dialect.profile()
    level = {"thinkingConfig": {"thinkingLevel": "LOW"}} if profile.thinking.value == "level" else {}
    today = datetime.datetime.fromtimestamp(clock(), datetime.UTC).date()
    agent = catalogue.catalogue()["kuechenhilfe"]
    instructions = (
        f"{agent.instructions.strip()}\n\nToday is {today} (UTC).\n"
        "Unless you are asked to change, speak the language with the BCP 47 tag de-DE.\n"
        "Open the conversation in the spirit of: Grüß dich! Was kochen wir heute?"
    )
    return {
        "model": f"models/{dialect.model()}",
        "generationConfig": {
            **level,
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Aoede"}}},
        },
        "systemInstruction": {"parts": [{"text": instructions}]},
        "tools": [{"functionDeclarations": [expected_tool()]}],
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "disabled": False,
                "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
                "silenceDurationMs": 1100,
            }
        },
        "inputAudioTranscription": {"languageCodes": ["de-DE"]},
        "outputAudioTranscription": {},
        "contextWindowCompression": {
            "triggerTokens": 25000,
            "slidingWindow": {"targetTokens": 8000},
        },
    }


def camel(value):
    """The library mixes lowerCamel and snake_case; Google takes both."""
    if isinstance(value, dict):
        return {_camel_name(name): camel(held) for name, held in value.items()}
    return [camel(held) for held in value] if isinstance(value, list) else value


def _camel_name(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def sent(edges):
    path, headers, body = edges.token_requests[-1]
    assert (path, headers["x-goog-api-key"]) == ("/v1beta/auth_tokens", GEMINI_KEY)
    setup_sent = body["bidiGenerateContentSetup"]
    tools_sent = setup_sent.pop("tools", None)
    body["bidiGenerateContentSetup"] = camel(setup_sent)
    if tools_sent is not None:
        declared = [
            {_camel_name(name): held for name, held in each.items()}
            for each in camel_keys(tools_sent[0])["functionDeclarations"]
        ]
        body["bidiGenerateContentSetup"]["tools"] = [{"functionDeclarations": declared}]
    return body


def camel_keys(held):
    return {_camel_name(name): value for name, value in held.items()}


def test_a_full_lock_holds_the_whole_setup_and_the_handle(call, edges, clock, monkeypatch):
    event = call(agent="kuechenhilfe", tools=[TOOL]) | {"handle": "handle-7"}
    answer = mint_with(event, "full", monkeypatch)
    now = int(clock())
    assert answer == {
        "token": "auth_tokens/token-1",
        "model": dialect.model(),
        "is_fallback": False,
        "has_other": False,
        "greets": False,
        "expires_at": (now + 1860) * 1000,
        "token_lock": "full",
        "silence_ms": 1100,
        "sensitivity": "low",
        "agent": {"name": "kuechenhilfe", "tools": ["show_map"]},
        "turns": "auto",
        "setup_tokens": answer["setup_tokens"],
        "idle_s": 300.0,
        "tells_cost": False,
    }
    words = len(expected_setup(clock)["systemInstruction"]["parts"][0]["text"])
    assert words / 4 < answer["setup_tokens"] < words / 4 + 200, "a token is about four characters"
    assert sent(edges) == {
        "uses": 1,
        "expireTime": iso(now + 1860),
        "newSessionExpireTime": iso(now + 90),
        "bidiGenerateContentSetup": expected_setup(clock) | {"sessionResumption": {"handle": "handle-7"}},
    }


def test_a_full_lock_without_a_handle_still_asks_for_handles(call, edges, monkeypatch):
    mint_with(call(), "full", monkeypatch)
    assert sent(edges)["bidiGenerateContentSetup"]["sessionResumption"] == {}


def test_a_masked_lock_leaves_only_the_handle_to_the_relay(call, edges, clock, monkeypatch):
    event = call(agent="kuechenhilfe", tools=[TOOL]) | {"handle": "handle-7"}
    assert mint_with(event, "masked", monkeypatch)["token_lock"] == "masked"
    body = sent(edges)
    mask = body.pop("fieldMask").split(",")
    assert body["bidiGenerateContentSetup"] == expected_setup(clock)
    locked = {name.partition(".")[0] for name in mask}
    assert locked == set(expected_setup(clock))
    assert not any("sessionResumption" in name for name in mask)


def test_manual_turns_switch_the_models_own_detection_off(call, edges):
    answer = mint.handler(call(config={"turns": "manual", "voice": "Puck", "language": "fr-FR"}), CONTEXT)
    body = sent(edges)["bidiGenerateContentSetup"]
    assert answer["turns"] == "manual"
    assert body["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}
    assert body["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"] == {
        "voiceName": "Puck"
    }
    assert body["inputAudioTranscription"] == {"languageCodes": ["fr-FR"]}


def test_a_token_ends_a_little_after_its_session(call, clock):
    event = call(agent="kiosk")
    assert mint.handler(event, CONTEXT)["expires_at"] == (int(clock()) + 300 + 60) * 1000


def test_only_the_owner_gets_a_token(call, table, clock, edges):
    event = call()
    for change, code in (
        ({"epoch": 0}, "superseded"),
        ({"epoch": 2}, "superseded"),
        ({"relay": "r2"}, "superseded"),
        ({"session": "nothing"}, "session_unknown"),
        ({"epoch": "1"}, "bad_message"),
    ):
        assert mint.handler(event | change, CONTEXT) == {"error": code}
    assert mint.handler({}, CONTEXT) == {"error": "bad_message"}
    sessions.finish(table, event["session"], 1, "user", int(clock()))
    assert mint.handler(event, CONTEXT) == {"error": "session_ended"}
    assert edges.token_requests == []


def test_a_session_past_its_end_gets_no_token(call, clock):
    event = call()
    clock.now += 1800
    assert mint.handler(event, CONTEXT) == {"error": "session_ended"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "upstream_invalid"),
        (401, "key_refused"),
        (403, "key_refused"),
        (404, "upstream_model"),
        (429, "upstream_quota"),
        (500, "mint_failed"),
        (503, "mint_failed"),
    ],
)
def test_a_refusal_by_google_has_its_code_and_nothing_of_it_is_repeated(call, edges, status, code, capsys):
    event = call()
    edges.token_failure = status
    assert mint.handler(event, CONTEXT) == {"error": code}
    metric = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metric["mint_failures"] == [1.0]


@pytest.mark.parametrize(
    ("status", "complaint", "code"),
    [
        (400, "User location is not supported for the API use.", "upstream_region"),
        (403, "Your API key was reported as leaked. Please use another API key.", "key_refused"),
        (403, "Billing is disabled for this project.", "upstream_credits"),
        (404, "models/x is not found for API version v1beta", "upstream_model"),
        (429, "Your prepayment credits are depleted.", "upstream_credits"),
    ],
)
def test_a_refusal_is_told_by_its_words_too(call, edges, status, complaint, code, caplog):
    event = call()
    edges.token_failure, edges.token_complaint = status, f"{complaint} (of Rosalind)"
    assert mint.handler(event, CONTEXT) == {"error": code}
    [told] = [record.reason for record in caplog.records if record.message == "token not made"]
    assert str(status) in told and scrub(complaint) in told and "Rosalind" not in told


def test_a_wrong_key_is_told_from_a_wrong_field_and_read_anew_when_it_was_replaced(call, edges):
    event = call()
    edges.token_failure, edges.token_complaint = 400, "API key not valid. Please pass a valid API key."
    assert mint.handler(event, CONTEXT) == {"error": "key_refused"}
    edges.token_failure = None
    replaced = {"Name": "/test/gemini", "Type": "SecureString", "Overwrite": True}
    aws.client("ssm").put_parameter(**replaced, Value="a-new-key")
    assert "token" in mint.handler(event, CONTEXT)
    assert edges.token_requests[-1][1]["x-goog-api-key"] == "a-new-key"
    aws.client("ssm").put_parameter(**replaced, Value=GEMINI_KEY)
    mint.mint().key.forget()


@pytest.mark.parametrize("key", ["", " ", "two words", "Schlüssel", "line\nbreak"])
def test_what_cannot_be_a_key_is_refused_without_asking(key):
    request = tokens.TokenRequest("gemini-3.8-live", {}, None, "full", 0, 60)
    with pytest.raises(gemini_tokens.MintFailed) as failed:
        gemini_tokens.GoogleTokens("http://127.0.0.1:1").mint(key, request)
    assert failed.value.code == "key_refused"


def test_a_missing_key_is_told_as_such(call, monkeypatch):
    event = call()
    monkeypatch.setattr(mint.mint().key, "name", "/test/absent")
    assert mint.handler(event, CONTEXT) == {"error": "key_refused"}


def test_how_long_it_took_is_a_metric(call, capsys):
    mint.handler(call(), CONTEXT)
    metric = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metric["mint_ms"][0] > 0
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Vivavoce"


def test_an_unreachable_google_is_mint_failed(call):
    request = tokens.TokenRequest("gemini-3.8-live", {}, None, "full", 0, 60)
    with pytest.raises(gemini_tokens.MintFailed):
        gemini_tokens.GoogleTokens("http://127.0.0.1:1").mint(GEMINI_KEY, request)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (Agent("Speak."), None),
        (Agent("Speak.", model="a-model-of-tomorrow"), None),
        (Agent("Speak.", model="gemini-3.8-live-extended-thinking"), {"thinking_level": "LOW"}),
        (
            Agent("Speak.", model="gemini-3.8-live-extended-thinking", thinking_level="high"),
            {"thinking_level": "HIGH"},
        ),
    ],
)
def test_thought_is_asked_for_only_where_the_model_takes_it(call, table, agent, expected):
    session = sessions.load(table, call()["session"])
    assert (
        setup.build(agent, agent.model, session, "2026-11-22", is_fresh=True).get("thinking_config")
        == expected
    )


def test_a_server_tool_is_declared_with_its_behavior(call, table):
    session = sessions.load(table, call(tools=[{"name": "ring"}])["session"])
    agent = Agent("Speak.", tools=[ServerTool("book", "Books.", behavior="BLOCKING")])
    (tools,) = setup.build(agent, agent.model, session, "2026-11-22", is_fresh=True)["tools"]
    declared = [(each["name"], each["behavior"]) for each in tools["function_declarations"]]
    assert declared == [("book", "BLOCKING"), ("ring", "NON_BLOCKING")]
    assert setup.tool_names(agent, session) == ["book", "ring"]


ARGUMENTS = {"type": "object", "properties": {"at": {"type": "string"}}, "additionalProperties": False}
WRITTEN = {"type": "OBJECT", "properties": {"at": {"type": "STRING"}}}


@pytest.mark.parametrize(
    ("model", "book", "ring"),
    [
        (
            "gemini-3.8-live",
            {"parameters_json_schema": ARGUMENTS, "behavior": "NON_BLOCKING"},
            {"parameters_json_schema": {"type": "object", "properties": {}}, "behavior": "NON_BLOCKING"},
        ),
        (
            "models/gemini-3.8-live-extended-thinking",
            {"parameters": WRITTEN, "behavior": "NON_BLOCKING"},
            {"behavior": "NON_BLOCKING"},
        ),
        (
            "gemini-3.1-flash-live-preview",
            {"parameters_json_schema": ARGUMENTS},
            {"parameters_json_schema": {"type": "object", "properties": {}}},
        ),
        (
            "gemini-2.5-flash-native-audio-preview-12-2025",
            {"parameters": WRITTEN, "behavior": "NON_BLOCKING"},
            {"behavior": "NON_BLOCKING"},
        ),
        ("a-model-of-tomorrow", {"parameters": WRITTEN}, {}),
    ],
)
def test_tools_are_declared_as_the_model_takes_them(call, table, model, book, ring):
    session = sessions.load(table, call(tools=[{"name": "ring"}])["session"])
    agent = Agent("Speak.", model=model, tools=[ServerTool("book", "Books.", parameters=ARGUMENTS)])
    (tools,) = setup.build(agent, agent.model, session, "2026-11-22", is_fresh=True)["tools"]
    assert tools["function_declarations"] == [
        {"name": "book", "description": "Books.", **book},
        {"name": "ring", "description": "", **ring},
    ]


def test_a_key_that_was_replaced_is_read_anew_and_nobody_notices(call, edges, monkeypatch):
    """The old one is withdrawn while containers still hold it: the first caller of each was turned away."""
    event = call()
    mint.handler(event, CONTEXT)
    kept = iter(["old-key", "new-key"])
    monkeypatch.setattr(mint.mint().key, "store", Replaced(kept))
    mint.mint().key.forget()
    edges.token_keys = {"new-key"}
    assert "token" in mint.handler(event, CONTEXT)
    assert [headers["x-goog-api-key"] for _, headers, _ in edges.token_requests[-2:]] == [
        "old-key",
        "new-key",
    ]


def test_a_key_that_is_refused_is_not_tried_twice(call, edges, monkeypatch):
    event = call()
    edges.token_keys = {"another"}
    assert mint.handler(event, CONTEXT) == {"error": "key_refused"}
    assert len(edges.token_requests) == 1


class Replaced:
    """A parameter store whose operator puts another value in after each reading."""

    def __init__(self, values):
        self._values = values

    def get_parameter(self, *, Name, WithDecryption):
        return {"Parameter": {"Value": next(self._values)}}


def test_what_google_calls_the_reason_is_logged(call, edges, caplog):
    event = call()
    edges.token_failure = 400
    edges.token_complaint = "API key not valid."
    edges.token_details = [
        7,
        {"reason": "planted words"},
        {"@type": "ErrorInfo", "reason": "API_KEY_INVALID"},
    ]
    assert mint.handler(event, CONTEXT) == {"error": "key_refused"}
    (line,) = [record for record in caplog.records if record.message == "token not made"]
    assert line.reason == "HTTP 400 API_KEY_INVALID API key not valid."


@pytest.mark.parametrize(
    ("model", "handle", "announced"),
    [
        ("gemini-3.1-flash-live-preview", None, {"initialHistoryInClientContent": True}),
        ("gemini-3.1-flash-live-preview", "h", None),
        ("gemini-3.8-live", None, None),
        ("a-model-of-tomorrow", None, None),
    ],
)
def test_a_model_that_wants_its_history_first_is_told_that_it_comes(
    call, edges, monkeypatch, model, handle, announced
):
    agents = {"assistant": Agent("Speak.", model=model, name="assistant")}
    event = call() | {"handle": handle}
    made = dataclasses.replace(mint.mint(), agents=lambda: agents)
    monkeypatch.setattr(mint, "mint", lambda: made)
    assert "token" in mint.handler(event, CONTEXT)
    assert sent(edges)["bidiGenerateContentSetup"].get("historyConfig") == announced


MODELS = ["gemini-3.8-live", "gemini-3.1-flash-live-preview", "gemini-2.5-flash-native-audio-preview-12-2025"]


@pytest.fixture
def many(monkeypatch):
    """An agent with three models; `refused` are those that Google gives no token for, by its status."""
    refused = {}

    class Minter:
        def mint(self, key, request):
            if request.model in refused:
                raise gemini_tokens.MintFailed("ClientError", refused[request.model])
            return "auth_tokens/x"

    agents = {"assistant": Agent("Speak.", model=MODELS[0], models=MODELS, name="assistant")}
    made = dataclasses.replace(mint.mint(), agents=lambda: agents, minter=Minter())
    monkeypatch.setattr(mint, "mint", lambda: made)
    return refused


def taken(event, **more):
    answer = mint.handler(event | more, CONTEXT)
    return answer.get("model"), answer.get("is_fallback"), answer.get("has_other"), answer.get("error")


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ([], (MODELS[0], False, True, None)),
        (MODELS[:1], (MODELS[1], True, True, None)),
        (MODELS[:2], (MODELS[2], True, False, None)),
        (MODELS, (MODELS[0], False, True, None)),
        (["a-model-of-yesterday"], (MODELS[0], False, True, None)),
    ],
)
def test_a_relay_that_could_not_have_a_model_gets_the_next(call, many, refused, expected):
    assert taken(call(), refused=refused) == expected


def test_a_model_without_quota_gives_way_to_the_next(call, many, caplog):
    event = call()
    many[MODELS[0]], many[MODELS[1]] = "upstream_quota", "upstream_invalid"
    assert taken(event) == (MODELS[2], True, False, None)
    fell = [(line.model, line.code) for line in caplog.records if line.message == "model fell back"]
    assert fell == [(MODELS[0], "upstream_quota"), (MODELS[1], "upstream_invalid")]
    many[MODELS[2]] = "upstream_quota"
    assert taken(event)[3] == "upstream_quota"


@pytest.mark.parametrize("code", ["key_refused", "mint_failed"])
def test_what_another_model_would_not_mend_is_told(call, many, code):
    event = call()
    many[MODELS[0]] = code
    assert taken(event)[3] == code


def test_a_handle_is_of_one_model_and_no_other_is_asked_for_it(call, many):
    event = call()
    many[MODELS[0]] = "upstream_quota"
    assert taken(event, handle="h")[3] == "upstream_quota"


def test_a_session_stays_with_what_it_fell_back_to(call, many, table):
    event = call()
    resumption.save_model(table, event["session"], 1, MODELS[1])
    assert taken(event, handle="h") == (MODELS[1], True, True, None)
    assert taken(event, refused=[MODELS[1]]) == (MODELS[0], False, True, None)
    with pytest.raises(Fenced):
        resumption.save_model(table, event["session"], 0, MODELS[2])


def test_another_road_than_tokens_gives_its_own_credential_and_needs_no_key(call, monkeypatch):
    class Road:
        def credential(self, request):
            assert request.handle == "h" and request.setup["response_modalities"] == ["AUDIO"]
            return {"token": "a-bearer", "token_lock": "full", "url": "wss://there", "setup": {"model": "m"}}

    def no_key():
        raise AssertionError("a key is read")

    other = dataclasses.replace(mint.mint(), road=Road(), key=no_key)
    monkeypatch.setattr(mint, "mint", lambda: other)
    answer = mint.handler({**call(agent="kuechenhilfe"), "handle": "h"}, CONTEXT)
    assert (answer["token"], answer["url"], answer["setup"]) == ("a-bearer", "wss://there", {"model": "m"})
    assert (answer["model"], answer["token_lock"]) == (dialect.model(), "full")


def test_an_agent_with_a_greeting_begins_a_new_conversation_and_no_other(call, table, monkeypatch):
    event = call(agent="kuechenhilfe")
    assert mint.handler(event, CONTEXT)["greets"] is True
    assert mint.handler(event | {"handle": "h"}, CONTEXT)["greets"] is False
    later = dataclasses.replace(sessions.load(table, event["session"]), next_turn=2)
    monkeypatch.setattr(sessions, "load", lambda table, session: later)
    assert mint.handler(event, CONTEXT)["greets"] is False
    moved = dataclasses.replace(later, next_turn=1, epoch=2)
    monkeypatch.setattr(sessions, "load", lambda table, session: moved)
    assert mint.handler(event | {"epoch": 2}, CONTEXT)["greets"] is False


def test_an_agent_without_a_greeting_waits(call):
    assert mint.handler(call(), CONTEXT)["greets"] is False


@pytest.mark.parametrize("tools", [[], [ServerTool("book", "Books.")]])
@pytest.mark.parametrize("search", [True, False])
def test_a_search_is_among_the_tools_of_an_agent_that_wants_one(call, table, tools, search):
    session = sessions.load(table, call()["session"])
    agent = Agent("Speak.", tools=tools, search=search)
    built = setup.build(agent, agent.model, session, "2026-11-22", is_fresh=True).get("tools") or []
    assert [list(each) for each in built] == [["function_declarations"]] * len(tools) + [
        ["google_search"]
    ] * search


def test_a_connection_holds_money_before_it_may_be_opened(call, table, clock, edges):
    event = call()
    mint.handler(event, CONTEXT)
    assert budgets.committed(table, "ada", int(clock())) == {
        "user": budgets.FIRST_HOLD,
        "deployment": budgets.FIRST_HOLD,
    }
    mint.handler(event | {"check": True}, CONTEXT)
    held = budgets.committed(table, "ada", int(clock()))["user"]
    assert held == budgets.FIRST_HOLD, "a question costs nothing"


def test_a_session_whose_money_is_spent_gets_no_other_connection(call, table, clock, edges):
    event = call()
    spent = budgets.Spent(10_000_000)
    budgets.note(table, event["session"], event["epoch"], spent, wants=0, now=int(clock()))
    asked = len(edges.token_requests)
    assert mint.handler(event, CONTEXT) == {"error": "quota_exceeded"}
    assert len(edges.token_requests) == asked, "no token is made for nothing"
