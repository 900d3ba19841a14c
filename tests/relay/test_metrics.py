"""One line for each turn, in the form that CloudWatch makes metrics of."""

from __future__ import annotations

import json
import logging

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from relay.metrics import Meter
from relay.turn import Turn


@pytest.fixture
def line(caplog: pytest.LogCaptureFixture) -> object:
    """What the relay writes for a turn."""
    caplog.set_level(logging.INFO, "relay.metrics")

    def written(turn: Turn) -> dict[str, object]:
        Meter("viva", lambda: 1_800_000_000.5).turn(turn)
        found: dict[str, object] = json.loads(LambdaPowertoolsFormatter().format(caplog.records[-1]))
        return found

    return written


def test_a_turn_with_voice_tells_its_latency(line: object) -> None:
    turn = Turn(1, started_at=10.0, ended_at=14.5, user_ended_at=12.0, first_audio_at=12.75)
    found = line(turn)  # type: ignore[operator]
    assert (found["service"], found["voice_latency_ms"]) == ("viva", 750)
    metadata = found["_aws"]
    assert metadata["Timestamp"] == 1_800_000_000_500
    (told,) = metadata["CloudWatchMetrics"]
    assert (told["Namespace"], told["Dimensions"]) == ("Vivavoce", [["service"]])
    named = {metric["Name"]: metric["Unit"] for metric in told["Metrics"]}
    assert named == {"voice_latency_ms": "Milliseconds"}
    assert all(name in found for name in (*named, "service")), "a metric is read from the line itself"


def test_a_turn_without_a_known_latency_does_not_lower_the_mean(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "relay.metrics")
    Meter("viva").turn(Turn(1, started_at=10.0, ended_at=11.0))
    assert caplog.records == []


def test_the_time_that_a_model_was_connected_is_told_spoken_or_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "relay.metrics")
    Meter("viva").connected(60.0)
    found = json.loads(LambdaPowertoolsFormatter().format(caplog.records[-1]))
    assert found["talk_s"] == 60.0 and found["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] == "talk_s"


def test_no_word_of_the_turn_is_written(line: object) -> None:
    turn = Turn(1, 0.0, 1.0, user_text="spoken words", agent_text="other words")
    turn.user_ended_at, turn.first_audio_at = 0.2, 0.9
    found = line(turn)  # type: ignore[operator]
    assert "words" not in json.dumps(found)


def test_what_troubled_a_call_is_counted_and_a_quiet_call_writes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "relay.metrics")
    meter = Meter("viva", lambda: 1_800_000_000.5)
    meter.troubles({})
    meter.troubles({"silent_model": 2, "mic_silent": 0})
    (record,) = caplog.records
    found = json.loads(LambdaPowertoolsFormatter().format(record))
    assert found["watchdog_silent_model"] == 2 and "watchdog_mic_silent" not in found
