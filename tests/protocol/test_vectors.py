"""Every vector of protocol/vectors, run against this package."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.states import TABLES
from tests.protocol.players import (
    VECTORS,
    Case,
    ClientPlayer,
    ReconnectPlayer,
    ServerPlayer,
    cases,
    play_adpcm,
    play_audio,
    play_codec,
    play_credentials,
    play_pace,
    play_states,
    play_uplink_delay,
    play_uplink_form,
)


def _each(name: str) -> Any:
    return pytest.mark.parametrize("case", cases(name), ids=lambda case: case["name"])


@_each("codec")
def test_codec_vector(case: Case) -> None:
    play_codec(case)


@_each("audio")
def test_audio_vector(case: Case) -> None:
    play_audio(case)


@_each("adpcm")
def test_adpcm_vector(case: Case) -> None:
    play_adpcm(case)


@_each("credentials")
def test_credentials_vector(case: Case) -> None:
    play_credentials(case)


@_each("states")
def test_states_vector(case: Case) -> None:
    play_states(case, TABLES)


@_each("pace")
def test_pace_vector(case: Case) -> None:
    play_pace(case)


@_each("uplink_delay")
def test_uplink_delay_vector(case: Case) -> None:
    play_uplink_delay(case)


@_each("uplink_form")
def test_uplink_form_vector(case: Case) -> None:
    play_uplink_form(case)


@_each("reconnect")
def test_reconnect_vector(case: Case) -> None:
    ReconnectPlayer(case).play()


@_each("client_session")
def test_client_session_vector(case: Case) -> None:
    ClientPlayer(case).play()


@_each("server_session")
def test_server_session_vector(case: Case) -> None:
    ServerPlayer(case).play()


def test_every_vector_file_is_run() -> None:
    run = {"codec", "audio", "adpcm", "credentials", "states", "pace", "uplink_delay", "uplink_form"}
    run |= {"reconnect", "client_session", "server_session"}
    run |= {"chat"}  # by tests/client/test_client_chat.py
    assert {path.stem for path in VECTORS.glob("*.json")} == run


@pytest.mark.parametrize("name", sorted(path.stem for path in VECTORS.glob("*.json")))
def test_names_within_a_file_are_different(name: str) -> None:
    names = [case["name"] for case in cases(name)]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("player", [ClientPlayer, ServerPlayer, ReconnectPlayer])
def test_an_unknown_step_fails(player: type[ClientPlayer | ServerPlayer | ReconnectPlayer]) -> None:
    with pytest.raises(AttributeError):
        player({"epoch": 1, "steps": [{"do": "dance"}]}).play()


@pytest.mark.parametrize(
    ("player", "do"), [(ClientPlayer, "lost"), (ServerPlayer, "lost"), (ReconnectPlayer, "starting")]
)
def test_an_unknown_field_of_a_step_fails(
    player: type[ClientPlayer | ServerPlayer | ReconnectPlayer], do: str
) -> None:
    with pytest.raises(TypeError):
        player({"epoch": 1, "steps": [{"do": do, "mood": "fine"}]}).play()
