"""The agents' files: those shipped are right, and a wrong one says where."""

import pytest

from agents.catalogue import Agent, AgentError, catalogue, load, read, spoken_by


def test_the_shipped_agents_can_be_read():
    agents = catalogue()
    assert agents.keys() >= {"assistant", "kuechenhilfe", "kiosk"}
    assert agents["assistant"].allow == {"voice", "language", "turns", "tools"}
    assert agents["kiosk"].allow == frozenset()
    assert agents["kuechenhilfe"].language == "de-DE"
    assert catalogue() is agents


THINKER = "instructions: Hi.\nmodel: models/gemini-3.8-live-extended-thinking"
WRONG = {
    "instructions: [": "not YAML",
    "voice: Kore": "instructions",
    "instructions: Hi.\nvioce: Kore": "vioce",
    "instructions: Hi.\nallow: [prompt]": "$.allow",
    "instructions: Hi.\nlanguage: any language you like": "$.language",
    "instructions: Hi.\nturn_detection: {silence_ms: 5}": "$.turn_detection.silence_ms",
    "instructions: Hi.\ncompression: {trigger_tokens: 6000, target_tokens: 6000}": "$.compression",
    f"instructions: {'words ' * 3_000}": "`$.compression.target_tokens` of 8000",
    f"instructions: Hi.\ntools: [{{name: a, description: {'words ' * 3_000}}}]": (
        "$.compression.target_tokens"
    ),
    "instructions: Hi.\nthinking_level: low": "$.thinking_level",
    "instructions: Hi.\nmodel: models/gemini-3.8-live\nthinking_level: low": "$.thinking_level",
    f"{THINKER}\nthinking_level: minimal": "$.thinking_level",
    f"{THINKER}\ntools: [{{name: a, description: x}}, {{name: b, description: y, behavior: BLOCKING}}]": (
        "$.tools[1].behavior"
    ),
    "instructions: Hi.\nmodel: gemini-3.1-flash-live-preview\n"
    "tools: [{name: a, description: x, behavior: NON_BLOCKING}]": "$.tools[0].behavior",
    "instructions: Hi.\nmodel: a\nmodels: [a, b]": "$.model",
    "instructions: Hi.\nmodels: [a, a]": "$.models",
    "instructions: Hi.\nthinking_level: low\nmodels: [gemini-3.1-flash-live-preview, gemini-3.8-live]": (
        "is refused by gemini-3.8-live"
    ),
    "instructions: Hi.\nmodel: gemini-3.1-flash-live-preview\n"
    "tools: [{name: a, description: x, scheduling: silent}]": "$.tools[0].scheduling",
    "instructions: Hi.\ntools: [{name: a, description: x, behavior: BLOCKING, scheduling: silent}]": (
        "$.tools[0].scheduling"
    ),
    "instructions: Hi.\nname: other": "$.name",
    "instructions: Hi.\ntools: [{name: a, description: x}, {name: a, description: y}]": "$.tools",
    "instructions: !!python/object/apply:os.getcwd []": "not YAML",
}


@pytest.mark.parametrize(("text", "field"), WRONG.items())
def test_a_wrong_file_is_named_with_its_field(tmp_path, text, field):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(AgentError) as error:
        read(path)
    assert "wrong.yaml" in str(error.value) and field in str(error.value)


def test_long_instructions_have_a_window_that_holds_a_conversation_too(tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text(f"instructions: {'words ' * 3_000}\ncompression: {{target_tokens: 10000}}")
    assert read(path).compression.target_tokens == 10_000


@pytest.mark.parametrize(
    "text",
    [
        f"{THINKER}\nthinking_level: high\ntools: [{{name: a, description: x}}]",
        "instructions: Hi.\nmodel: gemini-3.1-flash-live-preview\nthinking_level: minimal\n"
        "tools: [{name: a, description: x, behavior: BLOCKING}, {name: b, description: y}]",
        "instructions: Hi.\nmodel: a-model-of-tomorrow\nthinking_level: minimal\n"
        "tools: [{name: a, description: x, behavior: BLOCKING}]",
    ],
)
def test_what_a_model_takes_or_might_take_is_no_mistake(tmp_path, text):
    path = tmp_path / "right.yaml"
    path.write_text(text)
    assert read(path).name == "right"


def test_an_agent_is_named_by_its_file(tmp_path):
    (tmp_path / "guide.yaml").write_text("instructions: Guide people.")
    assert load(tmp_path)["guide"].name == "guide"


def test_an_agents_first_model_is_the_one_it_has(tmp_path):
    path = tmp_path / "guide.yaml"
    path.write_text("instructions: Hi.\nmodels: [gemini-3.1-flash-live-preview, gemini-3.8-live]")
    agent = read(path)
    assert (agent.model, agent.choices) == (agent.models[0], tuple(agent.models))
    assert catalogue()["kiosk"].choices == ("gemini-3.8-live",)


def test_a_deployment_may_have_all_agents_talk_with_another_model() -> None:
    spoken = spoken_by(catalogue(), "gemini-3.1-flash-live-preview")
    assert {agent.choices for agent in spoken.values()} == {("gemini-3.1-flash-live-preview",)}
    assert spoken["kiosk"].instructions == catalogue()["kiosk"].instructions
    assert spoken_by(catalogue(), "") is catalogue()


def test_an_agent_that_the_other_model_would_refuse_is_named() -> None:
    thoughtful = {"sage": Agent("Think.", "gemini-3.1-flash-live-preview", thinking_level="high")}
    with pytest.raises(AgentError, match=r"sage: `.*thinking_level"):
        spoken_by(thoughtful, "gemini-3.8-live")
