"""What is woken when somebody connects: how often, for how much, and that it is in nobody's way."""

import dataclasses
import os
import threading

import pytest
from deployment import CONTEXT, make_jwt
from shapes import connect_event
from vms import become_ready, sweep, the_relays

from functions import connect, control, mint, session
from functions.core.admission import warm_up
from functions.core.admission.warm_up import WarmUps, invocation
from functions.core.fleet.prepare import prepare as prepare_relay
from functions.core.runtime.config import ConfigError, SessionConfig
from records import connections, warm_ups

WAKES = ("d-mint", "d-other")


class FakeLambda:
    """Stands for boto3's client."""

    def __init__(self):
        self.asked = []  #: names
        self.failure = None

    def invoke(self, *, FunctionName, InvocationType, Payload):
        if self.failure:
            raise self.failure
        assert (InvocationType, Payload) == ("Event", b'{"warm_up": true}')
        self.asked.append(FunctionName)


@pytest.fixture
def containers(table, monkeypatch):
    """Gives `$connect` containers, which share the deployment: each connects users."""
    fake, now = FakeLambda(), [1_800_000_000.0]
    monkeypatch.setattr(connect.time, "time", lambda: now[0])

    class Container:
        def __init__(self):
            self.warm_ups = WarmUps(table, [invocation(fake, name) for name in WAKES])

        def connect(self, user="ada", secret=None):
            monkeypatch.setattr(connect, "warm_ups", lambda: self.warm_ups)
            token = make_jwt(user, exp=int(now[0]) + 600, **({"secret": secret} if secret else {}))
            offer = f"vivavoce, vivavoce.jwt.{token}"
            return connect.handler(connect_event(f"c-{user}=", Sec_WebSocket_Protocol=offer), CONTEXT)

    return fake, now, Container


def test_the_first_who_connects_wakes_what_a_call_needs(containers, table):
    fake, now, container = containers
    assert container().connect()["statusCode"] == 200
    assert sorted(fake.asked) == sorted(WAKES)
    assert connections.load(table, "c-ada=", int(now[0])).user == "ada"


def test_a_thousand_connections_in_a_minute_wake_nothing_more(containers):
    fake, _, container = containers
    several = [container() for _ in range(4)]
    for number in range(1000):
        assert several[number % 4].connect()["statusCode"] == 200
    assert len(fake.asked) == len(WAKES)


def test_a_minute_later_somebody_wakes_them_again_and_only_one(containers):
    fake, now, container = containers
    first, second = container(), container()
    first.connect()
    now[0] += warm_ups.EVERY_S
    second.connect(), first.connect(), second.connect()
    assert len(fake.asked) == 2 * len(WAKES)


def test_whoever_is_refused_wakes_nothing(containers):
    fake, _, container = containers
    assert container().connect(secret="x" * 40) == {"statusCode": 401}
    assert fake.asked == []


@pytest.mark.parametrize("failure", [RuntimeError("planted"), TimeoutError()])
def test_a_warm_up_that_fails_keeps_nobody_out(containers, table, failure, caplog):
    fake, now, container = containers
    fake.failure = failure
    assert container().connect()["statusCode"] == 200
    assert connections.load(table, "c-ada=", int(now[0])).user == "ada"
    assert "not warmed up" in caplog.messages and "planted" not in caplog.text


def test_a_warm_up_that_hangs_keeps_nobody_waiting(containers, monkeypatch, caplog):
    fake, _, container = containers
    monkeypatch.setattr(warm_up, "PATIENCE_S", 0.05)
    released = threading.Event()
    monkeypatch.setattr(fake, "invoke", lambda **_: released.wait(30))
    try:
        assert container().connect()["statusCode"] == 200
        assert not released.is_set() and "not warmed up" in caplog.text
    finally:
        released.set()


def test_a_store_that_fails_is_a_failure_of_connect_as_before(containers, table, monkeypatch):
    _, _, container = containers

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(connect.connections, "put", fail)
    assert container().connect() == {"statusCode": 500}


def test_one_that_fails_leaves_the_others_woken(containers, table, caplog):
    fake, _, container = containers

    def fail():
        raise RuntimeError("planted")

    made = container()
    made.warm_ups = WarmUps(table, [fail, invocation(fake, "d-mint")])
    assert made.connect()["statusCode"] == 200
    assert fake.asked == ["d-mint"] and "not warmed up" in caplog.messages


# ---- what the woken do


def prepares(monkeypatch, what):
    """Lets an opened page start that much."""
    ports = session.ports()
    ports = dataclasses.replace(ports, config=dataclasses.replace(ports.config, prepares=what))
    monkeypatch.setattr(session, "ports", lambda: ports)


def prepare():
    return prepare_relay(session.ports())


def test_connect_itself_launches_the_relay_and_wakes_mint(table, clock, homes, monkeypatch):
    """Not by way of another function, whose own start the launch would wait for."""
    fake, invoked = homes("microvm"), FakeLambda()
    prepares(monkeypatch, "microvm")
    monkeypatch.setattr(connect.time, "time", clock)
    monkeypatch.setattr(connect.aws, "invoker", lambda: invoked)
    connect.warm_ups.cache_clear()
    token = make_jwt("ada", exp=int(clock()) + 600)
    asked = connect_event("c-ada=", Sec_WebSocket_Protocol=f"vivavoce, vivavoce.jwt.{token}")
    assert control.handler(asked, CONTEXT)["statusCode"] == 200
    assert len(fake.requests) == 1 and invoked.asked == ["test-mint"]
    connect.warm_ups.cache_clear()


def test_mint_has_the_key_and_makes_no_token(table, edges, monkeypatch):
    assert mint.handler({"warm_up": 1}, CONTEXT) == {}
    assert edges.token_requests == []


@pytest.mark.parametrize("what", ["nothing", "sleeping"])
def test_a_setting_keeps_an_opened_page_from_launching_anything(table, clock, homes, monkeypatch, what):
    fake = homes("microvm")
    prepares(monkeypatch, what)
    assert prepare() == {} and fake.requests == []


@pytest.mark.parametrize("what", ["nothing", "sleeping", "microvm"])
def test_no_task_is_started_for_an_opened_page_unless_the_setting_says_so(
    edges, table, clock, monkeypatch, what
):
    prepares(monkeypatch, what)
    assert prepare() == {} and edges.run_task_requests == []
    prepares(monkeypatch, "task")
    assert prepare() == {"relays_started": 1} and len(edges.run_task_requests) == 1


def test_one_microvm_is_launched_and_the_call_that_follows_takes_it(
    connected, table, clock, homes, monkeypatch
):
    fake = homes("microvm", "fargate")
    prepares(monkeypatch, "microvm")
    assert [prepare() for _ in range(3)] == [{"relays_started": 1}, {}, {}]
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    assert prepare() == {}
    assert connected().start()[-1]["type"] == "ready" and len(fake.requests) == 1


def test_a_sleeping_relay_is_woken_before_another_is_launched(connected, table, clock, homes, monkeypatch):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    prepares(monkeypatch, "sleeping")
    assert prepare() == {"relays_woken": 1}
    assert fake.states() == ["RUNNING"] and the_relays(table)[0].state == "STARTING"
    client = connected()
    assert client.start()[-1]["stage"] == "relay"
    assert become_ready(table, clock, relay.id) == 1
    assert client.replies()[-1]["type"] == "ready" and len(fake.requests) == 1


def test_a_sleeper_that_was_woken_for_nobody_sleeps_again(table, clock, homes, monkeypatch):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    prepares(monkeypatch, "sleeping")
    prepare()
    assert sweep() == {}, "it is on its way, and none is missing"
    become_ready(table, clock, relay.id)
    assert sweep() == {"vms_suspended": 1} and fake.states() == ["SUSPENDED"]


def test_a_sleeper_that_cannot_be_woken_is_given_up_and_another_launched(table, clock, homes, monkeypatch):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    fake.machines["microvm-0"]["state"] = "TERMINATED"
    prepares(monkeypatch, "microvm")
    prepare()
    prepare()
    assert len(fake.requests) == 2 and [each.id == relay.id for each in the_relays(table)] == [False]


def test_what_may_be_prepared_is_one_of_four(monkeypatch, table):
    assert SessionConfig.from_env(os.environ).prepares == "sleeping"
    with pytest.raises(ConfigError, match="PREPARES"):
        SessionConfig.from_env({**os.environ, "PREPARES": "everything"})
