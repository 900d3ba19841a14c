"""Relays in MicroVMs: who gets one, who wakes one, what the sweep does, and where calls go on."""

import datetime
import json

import pytest
from deployment import CONTEXT
from vms import become_ready, sweep, the_relays

from functions import session as session_function
from functions import sweep as sweep_function
from functions.core.fleet import teardown
from functions.core.runtime.config import ConfigError, RelayConfig
from records import relays, sessions, start_failures


def test_a_call_that_finds_no_relay_begins_in_a_microvm(connected, edges, table, clock, homes):
    fake = homes("microvm", "fargate")
    client = connected()
    _, waiting = client.start()
    assert (waiting["stage"], waiting["eta_ms"]) == ("relay", 3_000) and edges.run_task_requests == []
    (request,), (relay,) = fake.requests, the_relays(table)
    assert json.loads(request["runHookPayload"]) == {
        "RELAY_ID": relay.id,
        "RELAY_SLOT": "0",
        "RELAY_REVISION": "arn:image:3",
        "RELAY_CAPACITY": "2",
        "RESUME_SECONDS": "120",
    }
    assert (request["clientToken"], request["imageVersion"], request["executionRoleArn"]) == (
        relay.id,
        "3",
        "arn:role",
    )
    assert "idlePolicy" not in request
    assert become_ready(table, clock, relay.id) == 1
    (ready,) = client.replies()
    media = ready["media"]
    assert media["url"] == "wss://microvm-0.lambda-microvm.eu-west-1.on.aws/r"
    assert media["protocols"] == [
        "lambda-microvms",
        "lambda-microvms.authentication.jwe.of.microvm-0",
        "lambda-microvms.port.8080",
    ]


def test_a_ready_task_is_taken_before_any_microvm(connected, relay, table, homes):
    fake = homes("microvm", "fargate")
    relay("r1")
    (_, ready) = connected().start()
    assert ready["type"] == "ready" and "protocols" not in ready["media"] and fake.requests == []


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ServiceQuotaExceededException", "AccessDeniedException"]
)
def test_where_no_microvm_is_to_be_had_one_task_is_started_for_all_who_wait(connected, edges, homes, code):
    fake = homes("microvm", "fargate")
    fake.refusal = code
    for user in ("ada", "ben", "cyn"):
        assert connected(user).start()[-1]["stage"] == "relay"
    assert len(edges.run_task_requests) == 1


def test_with_microvms_alone_a_refused_launch_is_told(connected, edges, homes):
    homes("microvm").refusal = "ThrottlingException"
    (_, refused) = connected().start()
    assert refused["code"] == "capacity" and "too often" in refused["message"]
    assert edges.run_task_requests == []


def test_an_idle_relay_is_put_to_sleep_and_woken_by_the_next_call(connected, table, clock, homes):
    fake = homes("microvm", sleeping=1)
    assert sweep() == {"relays_started": 1}
    (relay,) = the_relays(table)
    assert sweep() == {}, "it is on its way"
    become_ready(table, clock, relay.id)
    assert sweep() == {"vms_suspended": 1}
    assert fake.states() == ["SUSPENDED"] and the_relays(table)[0].state == "SUSPENDED"
    assert sweep() == {}, "it sleeps, and is neither lost nor missing"
    client = connected()
    _, waiting = client.start()
    assert waiting["stage"] == "relay" and fake.states() == ["RUNNING"] and len(fake.requests) == 1
    assert become_ready(table, clock, relay.id) == 1
    (ready,) = client.replies()
    assert ready["media"]["url"].startswith("wss://microvm-0.")
    assert sweep() == {"relays_started": 1}, "the next sleeper"


def test_a_sleeper_that_cannot_be_woken_is_given_up_and_another_launched(connected, table, clock, homes):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    fake.machines["microvm-0"]["state"] = "TERMINATED"
    _, waiting = connected().start()
    (now,) = the_relays(table)
    assert waiting["stage"] == "relay" and now.id != relay.id and len(fake.requests) == 2


def test_a_suspension_that_takes_long_is_ended_by_the_next_sweep(table, clock, homes):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    fake.falls_asleep = False
    assert sweep() == {}
    assert the_relays(table)[0].state == "SUSPENDING"
    fake.machines["microvm-0"]["state"] = "SUSPENDED"
    assert sweep() == {"vms_suspended": 1}


def test_a_relay_with_calls_is_not_put_to_sleep(connected, table, clock, homes):
    homes("microvm")
    connected().start()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    fake = homes("microvm", sleeping=1)
    fake.machines["microvm-0"] = {"microvmId": "microvm-0", "state": "RUNNING", "startedAt": at(clock())}
    sweep()
    assert fake.machines["microvm-0"]["state"] == "RUNNING" and relays.load(table, relay.id).state == "READY"


def test_sleepers_that_are_too_many_or_of_an_old_image_are_ended(table, clock, homes):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    before, fake_after = fake.machines, homes("microvm", sleeping=0)
    fake_after.machines = before
    assert sweep() == {"vms_ended": 1}
    assert fake_after.states() == ["TERMINATED"] and the_relays(table) == []


def test_before_eight_hours_a_sleeper_is_replaced(table, clock, homes):
    fake = homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    fake.machines["microvm-0"]["startedAt"] = at(clock() - 28_800 + 599)
    assert sweep()["vms_ended"] == 1
    assert sweep() == {"relays_started": 1}
    assert fake.states() == ["TERMINATED", "RUNNING"]


def test_before_eight_hours_calls_are_handed_on(connected, table, clock, homes):
    fake = homes("microvm")
    connected().start()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    fake.machines[relay.vm]["startedAt"] = at(clock() - 28_800 + 601)
    assert sweep() == {}
    fake.machines[relay.vm]["startedAt"] = at(clock() - 28_800 + 599)
    assert sweep() == {"relays_drained": 1}
    assert relays.heartbeat(table, relay.id, 1, int(clock())) == {"drain"}


def test_a_vm_of_no_relay_is_ended_but_not_one_that_was_just_launched(table, clock, homes):
    fake = homes("microvm")
    fake.run_microvm(clientToken="lost")
    assert sweep() == {} and fake.states() == ["RUNNING"]
    clock.now += 61
    assert sweep() == {"vms_ended": 1} and fake.states() == ["TERMINATED"]


def test_callers_of_a_vm_that_ended_as_it_started_are_told_so(connected, table, clock, homes):
    fake = homes("microvm")
    client = connected()
    client.start()
    fake.machines["microvm-0"] |= {"state": "TERMINATED", "stateReason": "The run hook timed out"}
    clock.now += 61
    assert sweep()["relays_lost"] == 1
    (refused,) = client.replies()
    assert refused["code"] == "capacity" and "MicroVM ended" in refused["message"]
    assert start_failures.last(table, "microvm").cause.said == "The run hook timed out"


def test_a_vm_that_runs_and_never_becomes_a_relay_is_told_as_that(connected, table, clock, homes):
    homes("microvm")
    client = connected()
    client.start()
    clock.now += relays.START_S + 1
    assert sweep()["relays_lost"] == 1
    (refused,) = client.replies()
    assert refused["code"] == "capacity" and "did not come up in time" in refused["message"]


def test_a_vm_that_lambda_does_not_know_any_more_is_given_up_all_the_same(connected, table, clock, homes):
    fake = homes("microvm")
    connected().start()
    fake.machines.clear()
    clock.now += 61
    assert sweep()["relays_lost"] == 1 and the_relays(table) == []


def test_what_lambda_says_of_a_refused_launch_is_kept_for_the_operator(connected, table, homes):
    homes("microvm").refusal = "ServiceQuotaExceededException"
    (_, refused) = connected().start()
    assert "quota of MicroVMs is used up" in refused["message"]
    assert start_failures.last(table, "microvm").cause.said == "ServiceQuotaExceededException: no"


def test_more_calls_than_one_microvm_takes_are_worth_a_task_and_move_there(
    connected, edges, table, clock, homes
):
    homes("microvm", "fargate")
    for user in ("ada", "ben", "cyn"):
        connected(user).start()
        for relay in the_relays(table):
            if relay.state == "STARTING":
                become_ready(table, clock, relay.id)
    assert sorted(len(relay.leases) for relay in the_relays(table)) == [1, 2]
    assert sweep()["relays_started"] == 1 and len(edges.run_task_requests) == 1
    assert sweep() == {}, "it is on its way"
    (task,) = (relay for relay in the_relays(table) if relay.home == "fargate")
    become_ready(table, clock, task.id)
    assert sweep()["relays_drained"] == 2
    vms = [relay for relay in the_relays(table) if relay.home == "microvm"]
    assert all(relays.heartbeat(table, relay.id, 1, int(clock())) == {"drain"} for relay in vms)
    answer = session_function.handler({"relay_leaving": vms[0].id, "calls": 2}, CONTEXT)
    assert answer["room"] >= 5


def test_a_call_that_moves_goes_to_the_task(connected, table, clock, homes, relay):
    homes("microvm", "fargate")
    client = connected()
    client.start()
    (vm,) = the_relays(table)
    become_ready(table, clock, vm.id)
    (offer,) = client.replies()
    relay("r9", slot="7")
    relays.stopping(table, vm.id)
    (ready,) = connected().resume(offer)
    assert ready["type"] == "ready" and sessions.load(table, offer["session"]).relay == "r9"
    assert "protocols" not in ready["media"]


def test_a_few_calls_are_not_worth_a_task(connected, edges, table, clock, homes):
    homes("microvm", "fargate")
    connected().start()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    assert edges.run_task_requests == []


def test_at_the_end_of_the_stack_every_vm_is_ended_and_waited_for(table, clock, homes):
    fake = homes("microvm", "fargate")
    for token in ("a", "b", "c"):
        fake.run_microvm(clientToken=token)
    ports, pauses = sweep_function.ports(), []
    teardown.stop_all(ports.tasks, ports.vms, lambda: True, pauses.append)
    assert set(fake.states()) == {"TERMINATED"} and len(pauses) == 1


def test_relays_of_a_home_that_was_given_up_are_drained_into_the_other(connected, table, clock, homes, relay):
    """Whatever their revisions are called: those of two homes cannot be compared."""
    homes("microvm")
    connected().start()
    (vm,) = the_relays(table)
    become_ready(table, clock, vm.id)
    homes("fargate")
    relay("r9", slot="7")
    assert sweep()["relays_drained"] == 1
    assert relays.heartbeat(table, vm.id, 1, int(clock())) == {"drain"}


def test_a_sleeper_of_a_home_that_was_given_up_leaves_its_slot(table, clock, homes):
    homes("microvm", sleeping=1)
    sweep()
    (relay,) = the_relays(table)
    become_ready(table, clock, relay.id)
    sweep()
    assert [relay.state for relay in the_relays(table)] == ["SUSPENDED"]
    homes("fargate")
    assert sweep() == {"relays_lost": 1} and the_relays(table) == []


def test_tasks_of_a_home_that_was_given_up_are_drained_into_microvms(connected, table, clock, homes, relay):
    relay("r1")
    connected().start()
    homes("microvm")
    assert sweep()["relays_started"] == 1
    (vm,) = (each for each in the_relays(table) if each.home == "microvm")
    become_ready(table, clock, vm.id)
    assert sweep()["relays_drained"] == 1
    assert relays.heartbeat(table, "r1", 1, int(clock())) == {"drain"}


def test_homes_are_named_or_the_function_does_not_start():
    env = {"CLUSTER": "c", "RELAY_TASK_DEFINITION": "r:1", "RELAY_SUBNETS": "s", "RELAY_SECURITY_GROUP": "g"}
    env |= {"RELAY_REVISION": "r:1"}
    assert RelayConfig.from_env(env).homes == ("fargate",)
    with pytest.raises(ConfigError, match="RELAY_HOMES"):
        RelayConfig.from_env({**env, "RELAY_HOMES": "moon"})
    with pytest.raises(ConfigError, match="MICROVM_IMAGE"):
        RelayConfig.from_env({**env, "RELAY_HOMES": "both"})


def at(epoch_s):
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
