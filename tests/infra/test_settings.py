"""deployment.yaml: every setting is explained, and what is wrong in one is said before a deployment."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from functions.core.runtime.settings import SETTINGS
from infra.deploy import settings
from infra.deploy.embed import TEMPLATE
from infra.local.template import transform
from tests.infra.test_deployment import FORMS

PARAMETERS = transform(TEMPLATE)["Parameters"]


def test_the_file_is_what_the_template_makes_of_it() -> None:
    assert settings.SETTINGS.read_text() == settings.written(settings.read()), (
        "run python -m infra.deploy.settings"
    )


def test_it_names_every_parameter_with_its_default_and_sets_none_by_itself() -> None:
    text = settings.written({})
    assert yaml.safe_load(text) is None
    shown = [line[1:] for line in text.splitlines() if line.startswith("#") and line[1:2].isalpha()]
    own = {name: each.default for name, each in SETTINGS.items()}
    assert yaml.safe_load("\n".join(shown)) == {n: p["Default"] for n, p in PARAMETERS.items()} | own
    assert not PARAMETERS.keys() & own.keys(), "one place for each"


def test_sam_deploy_reads_it() -> None:
    config = tomllib.loads(TEMPLATE.with_name("samconfig.toml").read_text())
    assert config["default"]["deploy"]["parameters"]["parameter_overrides"] == "file://deployment.yaml"


def test_to_write_it_anew_keeps_what_is_set(tmp_path: Path) -> None:
    given = {
        "ServePage": "false",
        "WarmRelays": "2",
        "AllowedOrigins": "https://a.example,https://b.example:*",
    }
    file = tmp_path / "deployment.yaml"
    file.write_text(settings.written(given))
    assert settings.read(file) == given
    assert settings.written(settings.read(file)) == file.read_text()


def test_values_are_read_as_sam_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text("AllowedOrigins: [https://a.example, https://b.example]\nOidcIssuer:\nWarmRelays: 1\n")
    assert settings.read(file) == {
        "AllowedOrigins": "https://a.example,https://b.example",
        "OidcIssuer": "",
        "WarmRelays": "1",
    }


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [\n", "just words\n"])
def test_a_file_of_another_form_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(text)
    with pytest.raises(settings.SettingsError, match=r"^deployment\.yaml "):
        settings.read(file)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"WarmRelay": "1"}, "WarmRelay is no setting; is WarmRelays meant?"),
        ({"Zzz": "1"}, "Zzz is no setting"),
        ({"MediaIngress": "nlb"}, "MediaIngress is 'nlb', and takes edge, alb"),
        ({"ServePage": "False"}, "ServePage is 'False', and takes true, false; write \"false\", in quotes"),
        ({"WarmRelays": "many"}, "WarmRelays is 'many', and takes a whole number"),
        ({"AlarmLatencyMs": "many"}, "AlarmLatencyMs is 'many', and takes a number"),
        ({"MinutesPerDay": "1.5"}, "MinutesPerDay is '1.5', and takes a whole number"),
        ({"TokenLock": "half"}, "TokenLock is 'half', and takes full, masked"),
        (
            {"RelayCpu": "1024", "RelayMemory": "1024"},
            "RelayMemory is 1024, and with 1024 CPU units Fargate takes 2048",
        ),
        ({"MinutePerDay": "1"}, "MinutePerDay is no setting; is MinutesPerDay meant?"),
        ({"MaxRelays": "0"}, "MaxRelays is 0, and takes 1 or more"),
        ({"MessagesPerSecond": "0"}, "MessagesPerSecond is 0, and takes 1 or more"),
        ({"OidcIssuer": "issuer"}, "OidcIssuer is 'issuer', and must look like ^(https://.+)?$"),
    ],
)
def test_what_cloudformation_would_refuse_is_said_in_a_sentence(given: dict[str, str], said: str) -> None:
    assert list(settings.mistakes(given)) == [said]


@pytest.mark.parametrize("given", FORMS.values(), ids=list(FORMS))
def test_every_form_that_is_deployed_has_no_mistake(given: dict[str, str]) -> None:
    defaults = {name: str(each["Default"]) for name, each in PARAMETERS.items()}
    assert list(settings.mistakes(defaults | given)) == []
