"""`sweep`: lost relays and orphan sessions are reaped, and two sweeps at once do no harm."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from deployment import CONTEXT

from functions import sweep as sweep_function
from functions.core.fleet import reap_relays, reap_sessions, warm_and_drain
from records import minutes, open_sessions, relays, session_status, sessions, tickets
from records.table import READS


def sweep():
    return sweep_function.handler({}, CONTEXT)


@pytest.fixture
def change(table, monkeypatch):
    """Changes the sweep's settings; `revision` is that of tasks."""

    def to(warm_relays=0, revision="", **relay):
        ports = sweep_function.ports()
        if revision:
            relay["task"] = dataclasses.replace(ports.config.relay.task, revision=revision)
        config = dataclasses.replace(
            ports.config, warm_relays=warm_relays, relay=dataclasses.replace(ports.config.relay, **relay)
        )
        ports = dataclasses.replace(ports, config=config)
        monkeypatch.setattr(sweep_function, "ports", lambda: ports)

    return to


@pytest.fixture
def talking(connected, table, clock):
    """A client in a call. Needs a relay."""

    def begin(user="ada"):
        client = connected(user)
        ready = client.start()[-1]
        found = sessions.load(table, ready["session"])
        tickets.burn(table, ready["media"]["ticket"], relay=found.relay, now=int(clock()))
        return client, ready

    return begin


def pooled(table):
    return set(relays.pool(table).slots.values())


def state(table, ready):
    found = sessions.load(table, ready["session"])
    return found.state


def is_counted(table, ready, user="ada"):
    return ready["session"] in open_sessions.listed(table).get(user, ())


def have_task(edges, relay):
    """A task as RunTask would have left it."""
    edges.run_task({"clientToken": relay, "startedBy": f"relay-{relay}"})
    edges.tasks[relay]["lastStatus"] = "RUNNING"


def test_where_all_is_well_nothing_is_done(talking, relay, edges, table, clock):
    relay("r1")
    have_task(edges, "r1")
    _, ready = talking()
    assert sweep() == {}
    for _ in range(20):
        clock.now += 60
        relays.heartbeat(table, "r1", 1, int(clock()), [ready["session"]])
        assert sweep() == {}
    assert (state(table, ready), is_counted(table, ready), edges.stopped) == ("OPEN", True, [])


def test_a_silent_relay_is_given_up_and_its_task_stopped(relay, edges, table, clock):
    relay("r1")
    have_task(edges, "r1")
    clock.now += 60
    assert sweep() == {}
    clock.now += relays.LOST_S - 61
    assert sweep() == {}
    clock.now += 1
    assert sweep() == {"relays_lost": 1, "tasks_stopped": 1}
    assert (pooled(table), edges.stopped) == (set(), ["relay-r1"])
    assert sweep() == {}


def test_a_relay_whose_task_is_gone_is_given_up_sooner(relay, table, clock):
    relay("r1")
    clock.now += reap_relays.SETTLE_S - 1
    assert sweep() == {}
    clock.now += 1
    assert sweep() == {"relays_lost": 1}
    assert pooled(table) == set()


def test_a_relay_that_beats_is_believed_more_than_the_list_of_tasks(relay, table, clock):
    relay("r1")
    for _ in range(10):
        clock.now += 20
        relays.heartbeat(table, "r1", 0, int(clock()))
        assert sweep() == {}


def test_when_the_tasks_cannot_be_listed_only_heartbeats_count(relay, edges, table, clock):
    relay("r1")
    edges.lists_fail = True
    clock.now += 60
    assert sweep() == {}
    clock.now += relays.LOST_S - 61
    assert sweep() == {}
    clock.now += 1
    assert sweep() == {"relays_lost": 1}


def test_after_an_outage_of_the_table_every_relay_and_its_calls_are_kept(
    talking, connected, relay, edges, table, clock
):
    for number in range(3):
        relay(f"r{number}", str(number))
        have_task(edges, f"r{number}")
    _, ready = talking()
    sweep()
    clock.now += 600  # no heartbeat and no sweep gets through
    assert sweep() == {}
    connected("grace").start()
    owner = sessions.load(table, ready["session"]).relay
    for number in range(3):
        held = [ready["session"]] if owner == f"r{number}" else []
        assert relays.heartbeat(table, f"r{number}", len(held), int(clock()), held) == set()
    clock.now += 60
    assert (sweep(), state(table, ready), edges.stopped) == ({}, "OPEN", [])


def test_a_call_on_a_relay_that_leaves_outlives_an_outage_of_the_table(talking, relay, edges, table, clock):
    relay("r1")
    have_task(edges, "r1")
    _, ready = talking()
    sweep()
    relays.stopping(table, "r1")
    clock.now += 600
    assert (sweep(), state(table, ready)) == ({}, "OPEN")
    clock.now += 60
    assert sweep()["sessions_ended"] == 1  # it was not heard after the outage, either


@pytest.mark.parametrize("end", ["killed", "never ready"])
def test_clients_waiting_for_a_relay_that_fails_to_start_get_an_error(connected, edges, table, clock, end):
    clients = [connected(f"user-{number}") for number in range(3)]
    waiting = [client.start()[-1] for client in clients]
    (coming,) = pooled(table)
    if end == "killed":
        edges.tasks[coming]["lastStatus"] = "STOPPED"
        clock.now += reap_relays.SETTLE_S
    else:
        clock.now += relays.START_S
    done = sweep()
    assert done.pop("tasks_stopped", 0) == (end != "killed")
    assert done == {"relays_lost": 1}
    for client, starting in zip(clients, waiting, strict=True):
        (error,) = client.replies()
        assert (error["code"], error["fatal"]) == ("capacity", True)
        assert state(table, starting) == "ENDED"
    assert (sweep(), open_sessions.listed(table)) == ({}, {})
    assert [client.start()[-1]["stage"] for client in clients] == ["relay"] * 3
    assert len(pooled(table)) == 1


def test_a_registered_relay_without_a_launch_is_launched(relay, edges, table, clock):
    relays.register(table, "r1", slot="0", revision="relay:7", capacity=5, now=int(clock()), launched=False)
    assert (sweep(), edges.tasks) == ({}, {})
    clock.now += 10
    assert (sweep(), list(edges.tasks)) == ({}, ["r1"])


def test_a_start_that_ecs_refuses_is_given_up(edges, table, clock):
    relays.register(table, "r1", slot="0", revision="relay:7", capacity=5, now=int(clock()), launched=False)
    clock.now += 10
    edges.run_task_failure = "no tasks"
    assert (sweep(), pooled(table)) == ({"relays_lost": 1}, set())


def test_a_session_of_a_dead_relay_ends_without_a_resume(talking, relay, table, clock):
    relay("r1")
    _, ready = talking()
    clock.now += reap_relays.SETTLE_S
    assert sweep() == {"relays_lost": 1}
    clock.now += 120 + tickets.LIFETIME_S - reap_relays.SETTLE_S - 1
    assert (sweep(), state(table, ready)) == ({}, "OPEN")
    clock.now += 1
    assert sweep() == {"sessions_ended": 1}
    assert (state(table, ready), is_counted(table, ready), sweep()) == ("ENDED", False, {})


def test_a_session_that_was_resumed_elsewhere_goes_on(talking, relay, table, clock):
    relay("r1", "0")
    client, ready = talking()
    clock.now += reap_relays.SETTLE_S
    relay("r2", "1")
    assert sweep() == {"relays_lost": 1}
    again = client.resume(ready)[-1]
    tickets.burn(table, again["media"]["ticket"], relay="r2", now=int(clock()))
    for _ in range(15):
        clock.now += 60
        relays.heartbeat(table, "r2", 1, int(clock()), [ready["session"]])
        assert sweep() == {}
    assert sessions.load(table, ready["session"]).epoch == 2


def test_a_resume_that_comes_between_look_and_end_wins(talking, relay, table, clock, monkeypatch):
    relay("r1", "0")
    client, ready = talking()
    clock.now += reap_relays.SETTLE_S
    sweep()
    clock.now += 300
    relay("r2", "1")
    end, came = reap_sessions.session_status.end, []

    def late(*args):
        came.append(client.resume(ready)[-1]["type"])
        return end(*args)

    monkeypatch.setattr(reap_sessions.session_status, "end", late)
    assert (sweep(), came, state(table, ready)) == ({}, ["ready"], "OPEN")


def test_a_session_whose_client_never_came_is_ended_on_a_living_relay(connected, relay, edges, table, clock):
    relay("r1")
    have_task(edges, "r1")
    ready = connected().start()[-1]
    clock.now += tickets.LIFETIME_S + 119
    relays.heartbeat(table, "r1", 0, int(clock()))
    assert sweep() == {}
    clock.now += 1
    assert sweep() == {"sessions_ended": 1}
    assert (state(table, ready), relays.load(table, "r1").leases) == ("ENDED", {})


def test_a_session_past_its_time_is_ended_and_its_relay_ordered_to_end_it(
    talking, relay, edges, table, clock
):
    relay("r1")
    have_task(edges, "r1")
    _, ready = talking()
    clock.now += 1800 + reap_sessions.OVERTIME_S - 1
    relays.heartbeat(table, "r1", 1, int(clock()), [ready["session"]])
    assert sweep() == {}
    clock.now += 1
    assert sweep() == {"sessions_ended": 1}
    assert relays.heartbeat(table, "r1", 0, int(clock())) == {f"end:{ready['session']}"}
    assert not is_counted(table, ready)


def test_what_a_crash_left_after_the_end_of_a_session_is_given_back(talking, relay, edges, table, clock):
    relay("r1")
    have_task(edges, "r1")
    _, ready = talking()
    table.update(sessions.key(ready["session"]), "SET #state = :ended", ended="ENDED")
    assert sweep() == {"places_freed": 2}  # the user's, and the relay's
    assert (relays.load(table, "r1").leases, open_sessions.listed(table), sweep()) == ({}, {}, {})


class Crash(BaseException):
    """The end of a process, in a test."""


@pytest.fixture
def crash(table, monkeypatch):
    """Runs something that ends after so many writes to the table."""

    def after(writes, work, *args):
        left, whole = iter(range(writes)), type(table).request

        def request(table, operation, **asked):
            if operation not in READS and next(left, None) is None:
                raise Crash
            return whole(table, operation, **asked)

        with monkeypatch.context() as patch, pytest.raises(Crash):
            patch.setattr(type(table), "request", request)
            work(*args)

    return after


def end_by_sweep(table, session, now):
    session_status.end(table, session_status.load_all(table, [session])[session], "abandoned", now)


def end_by_client(table, session, now):
    sessions.cancel(table, session, "client", now)


@pytest.mark.parametrize("end", [end_by_sweep, end_by_client])
@pytest.mark.parametrize("writes", [1, 2, 3])
def test_an_end_that_crashed_half_way_gives_back_the_minutes_of_the_day(
    talking, relay, crash, table, clock, end, writes
):
    relay("r1")
    _, ready = talking()
    minutes.note_connected(table, ready["session"], 1, 60.0, int(clock()))
    crash(writes, end, table, ready["session"], int(clock()))
    assert sweep()["places_freed"] >= 1
    assert minutes.seconds_today(table, "ada", int(clock())) == 60.0
    assert (is_counted(table, ready), relays.load(table, "r1").leases) == (False, {})


def test_a_user_whose_last_session_crashed_as_it_ended_is_not_looked_at_for_ever(
    talking, relay, crash, table, clock
):
    relay("r1")
    _, ready = talking()
    crash(5, end_by_client, table, ready["session"], int(clock()))
    assert open_sessions.listed(table) == {"ada": frozenset()}
    sweep()
    assert open_sessions.listed(table) == {}


def test_tasks_of_ours_that_no_record_knows_are_stopped_and_others_are_not(relay, edges, clock):
    relay("r1")
    for name in ("r1", "stray", "gone"):
        have_task(edges, name)
    edges.run_task({"clientToken": "theirs", "startedBy": "ecs-svc/7"})
    edges.tasks["gone"]["lastStatus"] = "STOPPED"
    assert sweep() == {"tasks_stopped": 1}
    assert (edges.stopped, sweep()) == (["relay-stray"], {})


def test_two_rounds_at_once_leave_the_same_as_one(talking, connected, relay, edges, table, clock, change):
    relay("r1", "0")
    sessions_there = [talking(f"user-{number}")[1] for number in range(4)]
    for name in ("stray-1", "stray-2"):
        have_task(edges, name)
    relay("r2", "1", ready=False)
    clock.now += relays.LOST_S + 200
    change(warm_relays=3)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sweep(), range(4)))
    assert [each for each in answers if "failed" in each] == []
    assert sum(each.get("sessions_ended", 0) for each in answers) == 4
    assert {state(table, each) for each in sessions_there} == {"ENDED"}
    assert 1 <= len(pooled(table)) == len(edges.tasks) - 2 <= 3
    sweep()
    assert len(pooled(table)) == 3
    assert (open_sessions.listed(table), sweep()) == ({}, {})


def test_warm_relays_are_started_kept_and_let_go(edges, table, clock, change):
    change(warm_relays=2)
    assert sweep() == {"relays_started": 2}
    first, second = sorted(pooled(table))
    assert set(edges.tasks) == {first, second}
    for name in (first, second):
        relays.ready(table, name, "r.example:8080", int(clock()))
    assert sweep() == {}
    assert not relays.retire_if_idle(table, first, int(clock()))
    change(warm_relays=0)
    clock.now += warm_and_drain.WARM_LEASE_S
    assert relays.retire_if_idle(table, first, int(clock()))


def test_a_warm_relay_that_is_needed_is_no_reason_to_start_another(connected, edges, table, change):
    change(warm_relays=1)
    sweep()
    assert connected().start()[-1]["stage"] == "relay"
    assert (sweep(), len(edges.tasks)) == ({}, 1)


def test_warm_relays_stop_at_the_last_slot_and_at_ecs(edges, table, change):
    change(warm_relays=5, slots=2)
    assert sweep() == {"relays_started": 2}
    edges.run_task_failure = "error"
    change(warm_relays=5)
    assert (sweep(), len(pooled(table))) == ({}, 2)


def test_relays_of_an_old_revision_leave_when_there_is_room_for_their_calls(
    talking, relay, edges, table, clock, change
):
    relay("old", "0")
    relay("idle", "1")
    for name in ("old", "idle"):
        have_task(edges, name)
    _, ready = talking()
    holder = sessions.load(table, ready["session"]).relay
    (free,) = {"old", "idle"} - {holder}
    change(revision="relay:8")
    assert sweep() == {"relays_drained": 1, "relays_started": 1}
    assert relays.heartbeat(table, free, 0, int(clock())) == {"drain"}
    assert relays.heartbeat(table, holder, 1, int(clock()), [ready["session"]]) == set()
    relays.stopping(table, free)
    (new,) = pooled(table) - {"old", "idle"}
    assert sweep() == {}  # it is coming
    relays.ready(table, new, "new.example:8080", int(clock()))
    assert sweep() == {"relays_drained": 1}
    assert relays.heartbeat(table, holder, 1, int(clock()), [ready["session"]]) == {"drain"}


def test_relays_of_a_newer_revision_stay_while_the_sweep_does_not_know_it(relay, edges, table, clock, change):
    relay("new", "0", revision="relay:10")
    have_task(edges, "new")
    change(revision="relay:9")
    assert sweep() == {}
    assert relays.heartbeat(table, "new", 0, int(clock())) == set()


def test_one_session_that_cannot_be_ended_does_not_keep_the_others(talking, relay, table, clock, monkeypatch):
    relay("r1")
    both = [talking(user)[1] for user in ("ada", "grace")]
    clock.now += relays.LOST_S + 200
    end, failures = reap_sessions.session_status.end, [reap_sessions.StoreError()]

    def fail_once(*args):
        if failures:
            raise failures.pop()
        return end(*args)

    monkeypatch.setattr(reap_sessions.session_status, "end", fail_once)
    assert sweep()["sessions_ended"] == 1
    assert sorted(state(table, each) for each in both) == ["ENDED", "OPEN"]
    assert sweep() == {"sessions_ended": 1}


def test_a_round_that_fails_says_so_and_the_next_one_works(table, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sweep_function, "sweep", lambda ports: 1 / 0)
        assert sweep() == {"failed": 1}
    assert sweep() == {}


# ---- what ECS tells between two rounds


def stopped(relay, **more):
    """The event of a task that has stopped, as ECS sends it."""
    detail = {"startedBy": f"relay-{relay}", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
    event = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail | more}
    return sweep_function.handler(event, CONTEXT)


def test_clients_waiting_for_a_relay_that_crashes_are_told_when_its_task_has_stopped(connected, table):
    clients = [connected(f"user-{number}") for number in range(3)]
    for client in clients:
        assert client.start()[-1]["stage"] == "relay"
    (coming,) = pooled(table)
    assert stopped(coming, containers=[{"exitCode": 1}]) == {"relays_lost": 1}
    for client in clients:
        (error,) = client.replies()
        assert (error["code"], error["fatal"]) == ("capacity", True)
    assert pooled(table) == set()
    assert stopped(coming) == {}, "EventBridge may deliver twice"


def test_a_ready_relay_whose_task_has_stopped_takes_nobody_any_more(talking, relay, table):
    relay("r1")
    _, ready = talking()
    assert stopped("r1") == {"relays_lost": 1}
    assert (pooled(table), state(table, ready)) == (set(), "OPEN")


def test_a_task_that_is_none_of_ours_or_whose_relay_has_left_is_nobody_s_loss(relay, table):
    relay("r1")
    relays.leave(table, "r1")
    assert [stopped("r1"), stopped("stranger"), stopped("r1", startedBy="ecs-svc/1")] == [{}, {}, {}]
