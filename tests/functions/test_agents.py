"""The agents' files: those shipped are right, and a wrong one says where."""

import pytest

from agents.catalogue import AgentError, catalogue, load, read


def test_the_shipped_agents_can_be_read():
    agents = catalogue()
    assert agents.keys() >= {"assistant", "kuechenhilfe", "kiosk"}
    assert agents["assistant"].allow == {"voice", "language", "turns", "tools"}
    assert agents["kiosk"].allow == frozenset()
    assert agents["kuechenhilfe"].language == "de-DE"
    assert catalogue() is agents


WRONG = {
    "instructions: [": "not YAML",
    "voice: Kore": "instructions",
    "instructions: Hi.\nvioce: Kore": "vioce",
    "instructions: Hi.\nallow: [prompt]": "$.allow",
    "instructions: Hi.\nlanguage: any language you like": "$.language",
    "instructions: Hi.\nturn_detection: {silence_ms: 5}": "$.turn_detection.silence_ms",
    "instructions: Hi.\ncompression: {trigger_tokens: 6000, target_tokens: 6000}": "$.compression",
    "instructions: Hi.\nthinking_level: low": "$.thinking_level",
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


def test_an_agent_is_named_by_its_file(tmp_path):
    (tmp_path / "guide.yaml").write_text("instructions: Guide people.")
    assert load(tmp_path)["guide"].name == "guide"
