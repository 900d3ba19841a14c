"""Capacity: as many tasks as are needed, and a reply to every waiting client."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from deployment import CONTEXT

from functions import session as session_function
from functions.core.fleet.ecs_launcher import EcsLauncher
from functions.core.fleet.homes import HomeLauncher
from functions.core.runtime import aws
from records import relays, sessions, tickets
from records.table import Key


def only(replies):
    (reply,) = replies
    return reply


def become_ready(table, clock, relay):
    """What a relay does when its task is up."""
    relays.ready(table, relay, f"{relay}.example:8080", int(clock()))
    return session_function.handler({"relay_ready": relay}, CONTEXT)["told"]


def started(table):
    return sorted(relays.pool(table).slots.values())


def holder(table, reply):
    return sessions.load(table, reply["session"]).relay


def test_a_relay_that_becomes_ready_while_it_is_looked_at_is_taken_and_no_other_started(
    connected, edges, relay, table, clock, monkeypatch
):
    relay("r1", ready=False)
    look = relays.load_all

    def look_just_before(*asked):
        seen = look(*asked)
        if seen and seen[0].state == "STARTING":
            relays.ready(table, "r1", "r1.example:8080", int(clock()))
        return seen

    monkeypatch.setattr(relays, "load_all", look_just_before)
    (_, ready) = connected().start()
    assert (ready["type"], holder(table, ready), edges.run_task_requests) == ("ready", "r1", [])


def test_without_a_relay_a_task_is_started_and_the_client_gets_its_eta(connected, edges, table, clock):
    client = connected()
    admitted, waiting = client.start()
    assert (admitted["stage"], waiting["stage"], waiting["eta_ms"]) == ("admitted", "relay", 30_000)
    (relay,) = started(table)
    request = only(edges.run_task_requests)
    assert (request["clientToken"], request["startedBy"]) == (relay, f"relay-{relay}")
    assert (request["cluster"], request["taskDefinition"]) == ("arn:cluster", "relay:7")
    assert request["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-a", "subnet-b"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }
    assert request["overrides"].keys() == {"containerOverrides"}, "it is as large as its definition says"
    override = only(request["overrides"]["containerOverrides"])
    assert override["name"] == "relay"
    assert {each["name"]: each["value"] for each in override["environment"]} == {
        "RELAY_ID": relay,
        "RELAY_SLOT": "0",
        "RELAY_REVISION": "relay:7",
        "RELAY_CAPACITY": "5",
        "IDLE_SECONDS": "300",
        "RESUME_SECONDS": "120",
    }
    clock.now += 20
    assert become_ready(table, clock, relay) == 1
    ready = only(client.replies())
    assert (ready["type"], ready["session"], ready["i"]) == ("ready", waiting["session"], 3)
    assert client.resume(waiting)[-1]["type"] == "ready"  # had the `ready` been lost


def test_a_task_is_started_as_large_as_is_set(connected, edges, monkeypatch):
    ports = session_function.ports()
    task = dataclasses.replace(ports.config.relay.task, cpu="512", memory="1024")
    launcher = HomeLauncher({"fargate": EcsLauncher(aws.client("ecs"), task, 120)})
    monkeypatch.setattr(session_function, "ports", lambda: dataclasses.replace(ports, launcher=launcher))
    connected().start()
    overrides = only(edges.run_task_requests)["overrides"]
    assert (overrides["cpu"], overrides["memory"]) == ("512", "1024")


def test_the_wait_is_estimated_from_past_starts(connected, table, clock):
    connected().start()
    clock.now += 50
    become_ready(table, clock, started(table)[0])
    for number in range(5):
        reply = connected(f"user-{number}").start()[-1]
    assert reply["eta_ms"] == 50_000


def test_a_stampede_starts_as_many_tasks_as_are_needed(connected, edges, table, clock):
    clients = [connected(f"user-{number}") for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda client: client.start()[-1], clients))
    assert {reply["type"] for reply in replies} == {"starting"}
    assert len(edges.tasks) == len(started(table)) == 4  # 16 sessions, 5 to a relay
    places = [relays.load(table, relay).leases for relay in started(table)]
    assert sorted(len(each) for each in places) == [1, 5, 5, 5]
    assert sum(become_ready(table, clock, relay) for relay in started(table)) == 16
    assert [only(client.replies())["type"] for client in clients] == ["ready"] * 16


def test_the_fullest_relay_with_room_is_taken_first(connected, relay, table):
    relay("r1", "0")
    relay("r2", "1")
    relay("r3", "2", capacity=1)
    relay("r4", "3", ready=False)
    first = connected("a").start()[-1]
    chosen = holder(table, first)
    following = [connected(f"u{number}").start()[-1] for number in range(3)]
    holders = [holder(table, reply) for reply in following]
    assert chosen in ("r1", "r2", "r3")
    assert len({each for each in holders if each != "r3"} | {chosen} - {"r3"}) == 1
    assert "r4" not in holders


@pytest.mark.parametrize("failure", ["error", "no tasks"])
def test_when_no_task_can_be_had_the_request_may_be_sent_again(connected, edges, table, failure):
    client = connected()
    edges.run_task_failure = failure
    error = client.start()[-1]
    assert (error["code"], error["ref"], error["retry_after_ms"]) == ("capacity", "request-1", 5_000)
    assert (error["fatal"], error["i"]) == (True, 2)
    assert started(table) == []
    edges.run_task_failure = None
    assert client.start()[-1]["stage"] == "relay"
    assert len(started(table)) == 1


def test_an_unconfirmed_launch_is_retried_with_the_same_client_token(
    connected, edges, table, clock, monkeypatch
):
    launcher = session_function.ports().launcher
    with monkeypatch.context() as patch:
        patch.setattr(type(launcher), "launch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            connected("first").start()
    (relay,) = started(table)
    connected("early").start()
    assert edges.tasks == {}
    clock.now += 10
    connected("late").start()
    connected("later").start()
    assert list(edges.tasks) == [relay] and len(edges.run_task_requests) == 1


def test_clients_waiting_for_a_task_that_cannot_start_get_an_error(connected, edges, relay, table, clock):
    relays.register(table, "r1", slot="0", revision="relay:7", capacity=5, now=int(clock()), launched=False)
    waits = connected("waits")
    starting = waits.start()[-1]
    clock.now += 10
    edges.run_task_failure = "no tasks"
    assert connected("asks").start()[-1]["code"] == "capacity"
    error = only(waits.replies())
    assert (error["code"], error["ref"], error["fatal"]) == ("capacity", "request-1", True)
    assert sessions.load(table, starting["session"]).state == "ENDED"
    edges.run_task_failure = None
    assert waits.start()[-1]["stage"] == "relay"


def test_a_conversation_outlives_a_relay_that_never_came(connected, edges, relay, table, clock):
    relay("r1", "0")
    client = connected()
    ready = client.start()[-1]
    session_id = ready["session"]
    table.update(sessions.key(session_id), "SET #joined_epoch = :one", one=1)
    client.resume(ready, media_failed=True)
    clock.now += relays.START_S
    relays.heartbeat(table, "r1", 0, int(clock()))
    for number in range(6):
        connected(f"user-{number}").start()
    error = only(client.replies())
    assert (error["code"], error["ref"], error.get("fatal", False)) == ("capacity", session_id, False)
    assert sessions.load(table, session_id).state == "OPEN"
    assert only(client.resume(ready))["type"] in ("ready", "starting")


def test_a_task_that_never_became_ready_is_given_up(connected, edges, table, clock):
    first = connected()
    waiting = first.start()[-1]
    (lost,) = started(table)
    clock.now += relays.START_S
    again = only(first.resume(waiting))
    assert again["stage"] == "relay"
    assert (lost in started(table), len(edges.tasks)) == (False, 2)
    assert only(connected("other").start()[1:])["stage"] == "relay"


def test_a_silent_relay_loses_its_slot(connected, relay, table, clock):
    relay("r1", "0")
    relays.note_sweep(table, relays.pool(table), int(clock()) + 60)
    clock.now += relays.LOST_S
    connected().start()
    assert relays.load(table, "r1").state == "STOPPING"
    assert relays.pool(table).slots.keys() == {"0"}
    assert started(table) != ["r1"]


def test_a_slot_whose_relay_has_no_record_is_free(connected, relay, table):
    relay("r1", "0")
    table.delete(relays.key("r1"))
    assert connected().start()[-1]["stage"] == "relay"
    assert "r1" not in started(table)


def test_an_older_revision_takes_no_new_calls_but_keeps_its_own(connected, relay, table):
    relay("old", "0", revision="relay:6")
    client = connected()
    waiting = client.start()[-1]
    assert holder(table, waiting) != "old"
    found = sessions.load(table, waiting["session"])
    now = session_function.ports().now()
    sessions.place(table, found, "old", state="READY", until=now + 60, now=now)
    assert only(client.resume(waiting))["type"] == "ready"
    assert holder(table, waiting) == "old"


def test_a_runaway_stops_at_the_last_slot(connected, edges, monkeypatch):
    ports = session_function.ports()
    task = dataclasses.replace(ports.config.relay.task, capacity=1)
    relay = dataclasses.replace(ports.config.relay, slots=1, task=task)
    ports = dataclasses.replace(ports, config=dataclasses.replace(ports.config, relay=relay))
    monkeypatch.setattr(session_function, "ports", lambda: ports)
    assert connected("a").start()[-1]["stage"] == "relay"
    assert connected("b").start()[-1]["code"] == "capacity"
    assert len(edges.tasks) == 1


def test_a_client_that_cannot_be_notified_does_not_block_the_others(connected, edges, table, clock):
    clients = [connected(f"user-{number}") for number in range(4)]
    waiting = [client.start()[-1] for client in clients]
    edges.gone.add(clients[0].connection)
    clients[1].send(type="end", session=waiting[1]["session"])
    table.delete(Key(f"SES#{waiting[2]['session']}", "SETUP"))
    (relay,) = started(table)
    become_ready(table, clock, relay)
    assert only(clients[3].replies())["type"] == "ready"
    assert clients[2].replies() == []


def test_a_relay_that_calls_twice_notifies_each_client_once(connected, table, clock):
    client = connected()
    client.start()
    (relay,) = started(table)
    assert [become_ready(table, clock, relay) for _ in range(2)] == [1, 0]
    assert only(client.resume(only(client.replies())))["type"] == "ready"


@pytest.mark.parametrize("faster", ["announcement", "start"])
def test_a_start_that_meets_the_announcement_of_its_relay_gets_one_ready_with_a_good_key(
    faster, connected, relay, table, monkeypatch
):
    """Both have looked at the session before either has answered it."""
    relay("r1", "0")
    client, put, looked, answered = connected(), tickets.put, threading.Event(), threading.Event()

    def announce():
        session_function.handler({"relay_ready": "r1"}, CONTEXT)

    def put_of_announcement(*args):
        looked.set()
        assert answered.wait(10)
        return put(*args)

    def put_of_start(*args):
        monkeypatch.setattr(tickets, "put", put if faster == "announcement" else put_of_announcement)
        announcing.start()
        (announcing.join if faster == "announcement" else looked.wait)(10)
        return put(*args)

    announcing = threading.Thread(target=announce)
    monkeypatch.setattr(tickets, "put", put_of_start)
    replies = client.start()
    answered.set()
    announcing.join(10)
    replies += client.replies()
    assert [reply["type"] for reply in replies] == ["starting", "ready"]
    assert only(connected().resume(replies[-1]))["type"] == "ready"


def test_clients_for_which_there_is_no_time_are_notified_by_the_next_call_of_the_relay(
    connected, table, clock
):
    clients = [connected(f"user-{number}") for number in range(5)]
    for client in clients:
        client.start()
    (relay,) = started(table)
    relays.ready(table, relay, f"{relay}.example:8080", int(clock()))
    looks = iter([20_000, 20_000, 8_000, 5_000, 1_000])
    short = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: next(looks))
    event = {"relay_ready": relay}
    assert session_function.handler(event, short) == {"told": 2, "left": 3}
    assert session_function.handler(event, CONTEXT) == {"told": 3, "left": 0}
    assert [only(client.replies())["type"] for client in clients] == ["ready"] * 5


def test_an_unknown_relay_notifies_no_client(table):
    assert session_function.handler({"relay_ready": "nobody"}, CONTEXT) == {"told": 0, "left": 0}
    assert session_function.handler({}, CONTEXT) == {"statusCode": 500}
