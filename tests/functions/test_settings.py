"""What functions read of deployment.yaml: under their environment, and under no other name than they know."""

import dataclasses

import pytest

from functions.core.runtime import settings
from functions.core.runtime.config import (
    ConnectConfig,
    LimitsConfig,
    MintConfig,
    RelayConfig,
    SessionConfig,
    SweepConfig,
)

WORDS = (
    *("TABLE_NAME", "GEMINI_KEY_PARAMETER", "GEMINI_URL", "CLUSTER", "RELAY_TASK_DEFINITION"),
    *("RELAY_SUBNETS", "RELAY_SECURITY_GROUP", "RELAY_REVISION"),
    *("CONNECTIONS_URL", "MEDIA_URL", "ROUTE_KEY_PARAMETER", "MINT_FUNCTION"),
)
NEEDED = dict.fromkeys(WORDS, "x")
MICROVMS = dict.fromkeys(("MICROVM_IMAGE", "MICROVM_VERSION", "MICROVM_ROLE", "MICROVM_LOGS"), "x")
MICROVMS |= {"RELAY_HOMES": "both"}
VERTEX = dict.fromkeys(
    ("VERTEX_PROJECT", "VERTEX_LOCATION", "VERTEX_PROVIDER", "VERTEX_SERVICE_ACCOUNT"), "x"
)
#: what has them besides the limits of users, and what mint reads
RELAYS = (
    "MaxRelays",
    "RelayCpu",
    "RelayMemory",
    "RelayCapacity",
    "MicrovmCapacity",
    "IdleSeconds",
    "ResumeSeconds",
)
READERS = {
    **dict.fromkeys(RELAYS, RelayConfig),
    **dict.fromkeys(("WarmRelays", "SleepingRelays"), SweepConfig),
    "PrepareRelays": SessionConfig,
    "AllowedOrigins": ConnectConfig,
}


@pytest.fixture
def laid(tmp_path):
    """Lays deployment.yaml of that text under an environment."""

    def lay(text, environment=None):
        (tmp_path / "deployment.yaml").write_text(text)
        return settings.laid_under(environment or {}, tmp_path / "deployment.yaml")

    return lay


def test_what_the_file_sets_counts_and_the_rest_has_its_default(laid):
    limits = LimitsConfig.from_env(laid("MinutesPerDay: 7\nWarmRelays: 2\n"))
    assert limits == dataclasses.replace(LimitsConfig.from_env({}), day_minutes=7)


def test_a_line_that_is_commented_out_again_is_the_default_again(laid):
    assert LimitsConfig.from_env(laid("#MinutesPerDay: 7\n")) == LimitsConfig.from_env({})


def test_without_a_file_all_is_default(tmp_path):
    assert settings.laid_under({"A": "b"}, tmp_path / "none.yaml") == {"A": "b"}


@pytest.mark.parametrize(
    ("said", "slots"),
    [({}, 7), ({"RELAY_SLOTS": "4"}, 4), ({"RELAY_PLACES": "5"}, 5), ({"RELAY_PLACES": "8"}, 7)],
)
def test_the_environment_counts_over_the_file(laid, said, slots):
    """With a load balancer the template itself says for how many relays there are places."""
    assert RelayConfig.from_env(laid("MaxRelays: 7\n", NEEDED | said)).slots == slots


def test_a_pair_of_cpu_and_memory_that_fargate_refuses_is_refused():
    taken = {
        ("256", "512"),
        ("256", "1024"),
        ("256", "2048"),
        ("512", "1024"),
        ("512", "2048"),
        ("1024", "2048"),
    }
    cpus, memories = (settings.SETTINGS[name].values for name in ("RelayCpu", "RelayMemory"))
    pairs = {(cpu, memory) for cpu in cpus for memory in memories}
    assert {(c, m) for c, m in pairs if not settings.disagreement({"RelayCpu": c, "RelayMemory": m})} == taken
    with pytest.raises(
        settings.SettingsError, match="RelayMemory is 512, and with 512 CPU units Fargate takes 1024"
    ):
        settings.variables({"RelayCpu": "512"})


def test_the_page_s_own_address_is_an_origin_beside_those_of_apps(laid):
    """A function's URL, where no CloudFront stands before it: with a slash, which no browser sends."""
    page = {"PAGE_ORIGINS": "https://x.lambda-url.us-east-1.on.aws/", "TABLE_NAME": "t"}
    config = ConnectConfig.from_env(laid("AllowedOrigins: [https://a.example, https://b.example:*]\n", page))
    apps = {"https://a.example", "https://b.example:*"}
    assert config.allowed_origins == apps | {"https://x.lambda-url.us-east-1.on.aws"}


def test_a_mistake_is_named(laid):
    with pytest.raises(settings.SettingsError, match=r"SessionsPerUser is -1.*; VertexLocation is 'Über'"):
        laid("SessionsPerUser: -1\nVertexLocation: Über\n")


@pytest.mark.parametrize("name", settings.SETTINGS)
def test_each_setting_is_read_by_a_function_and_its_default_is_the_code_s(name):
    each = settings.SETTINGS[name]
    reader = READERS.get(name) or {"session": LimitsConfig, "mint": MintConfig}[each.functions[0]]
    other = each.default + 1 if isinstance(each.default, int) else each.values[-1] if each.values else "word"
    assert each.mistake(str(each.default)) == ""
    needed = NEEDED | MICROVMS
    assert reader.from_env({**needed, each.variable: str(each.default)}) == reader.from_env(needed)
    needed |= VERTEX  # which go together
    assert reader.from_env({**needed, each.variable: str(other)}) != reader.from_env(needed)
