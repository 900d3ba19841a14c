"""One line for each turn, in the form that CloudWatch makes metrics of."""

from __future__ import annotations

import json
import logging

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from relay.aws.session_store import TableLedger
from relay.metrics import Meter
from relay.turn import Turn
from tests.relay.fakes import session


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


async def test_each_relay_tells_of_its_own_time_and_a_repeated_note_tells_of_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A session that comes back to the same relay begins to count anew, in another epoch."""
    import boto3
    from moto import mock_aws

    from records.table import Key, Table
    from tests.records import dynamo

    caplog.set_level(logging.INFO, "relay.metrics")
    with mock_aws():
        client = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        dynamo.make_table(client, "metrics")
        table = Table(client, "metrics")
        table.put(Key("SES#s1"), {"epoch": 1, "state": "OPEN", "user": "u1", "created_at": 0})
        ledger = TableLedger(table, meter=Meter("viva"))
        for epoch, seconds in ((1, 60.0), (1, 90.0), (1, 90.0), (3, 40.0)):
            table.update(Key("SES#s1"), "SET #epoch = :epoch", epoch=epoch)
            await ledger.save_connected(session(), epoch, seconds)
    told = [record.talk_s for record in caplog.records if hasattr(record, "talk_s")]
    assert told == [60.0, 30.0, 40.0]
