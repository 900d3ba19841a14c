"""Where a task can be reached, behind the edge and behind a load balancer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from relay.task.address import AddressUnknown, TargetGroup, network_interface, public_name

#: As ECS gives it (ECS developer guide, "Task metadata endpoint version 4", shortened)
METADATA = {
    "TaskARN": "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c",
    "Containers": [
        {
            "Name": "relay",
            "Networks": [
                {
                    "NetworkMode": "awsvpc",
                    "IPv4Addresses": ["10.0.2.106"],
                    "MACAddress": "0e:9e:32:c7:48:85",
                    "PrivateDNSName": "ip-10-0-2-106.us-west-2.compute.internal",
                }
            ],
        }
    ],
}


@pytest.fixture
def metadata() -> Iterator[tuple[str, list[Any]]]:
    """URL of a metadata endpoint, and a list whose last entry it answers."""
    answers: list[Any] = [METADATA]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(answers[-1]).encode()
            self.send_response(200 if self.path == "/v4/x/task" else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v4/x", answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_interface_is_read_from_the_tasks_metadata(metadata: tuple[str, list[Any]]) -> None:
    assert network_interface(metadata[0]) == ("0e:9e:32:c7:48:85", "10.0.2.106")


@pytest.mark.parametrize("wrong", [{}, {"Containers": []}, {"Containers": [{"Networks": []}]}])
def test_metadata_without_an_interface_is_nowhere(metadata: tuple[str, list[Any]], wrong: object) -> None:
    metadata[1].append(wrong)
    with pytest.raises(AddressUnknown, match="task metadata"):
        network_interface(metadata[0])


def test_no_metadata_is_nowhere(metadata: tuple[str, list[Any]]) -> None:
    with pytest.raises(AddressUnknown):
        network_interface(metadata[0] + "/not")


class Ec2:
    def __init__(self, *interfaces: dict[str, Any]) -> None:
        self.interfaces = list(interfaces)

    def describe_network_interfaces(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        assert Filters == [{"Name": "mac-address", "Values": ["0e:9e"]}]
        return {"NetworkInterfaces": self.interfaces}


def test_the_public_name_is_the_interfaces() -> None:
    named = {"Association": {"PublicDnsName": "ec2-1-2-3-4.compute-1.amazonaws.com"}}
    assert public_name(Ec2(named), "0e:9e") == "ec2-1-2-3-4.compute-1.amazonaws.com"


@pytest.mark.parametrize("found", [(), ({},), ({"Association": {"PublicDnsName": ""}},)])
def test_an_interface_without_a_public_name_is_nowhere(found: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(AddressUnknown, match="public DNS name"):
        public_name(Ec2(*found), "0e:9e")


class Balancer:
    """Target groups as dicts of (id, port) to health; a new target is healthy after `looks` looks."""

    def __init__(self, looks: int = 2) -> None:
        self.groups: dict[str, dict[tuple[str, int], str]] = {"g0": {}, "g1": {}}
        self.looks = looks

    def describe_target_health(self, TargetGroupArn: str) -> dict[str, Any]:
        group = self.groups[TargetGroupArn]
        if group and self.looks > 0:
            self.looks -= 1
        told = [
            {
                "Target": {"Id": id, "Port": port, "AvailabilityZone": "all"},
                "TargetHealth": {"State": "initial" if self.looks else "healthy"},
            }
            for id, port in group
        ]
        return {"TargetHealthDescriptions": told}

    def register_targets(self, TargetGroupArn: str, TargetGroup: list[dict[str, Any]]) -> None:
        self.groups[TargetGroupArn] |= {(each["Id"], each["Port"]): "initial" for each in TargetGroup}

    def deregister_targets(self, TargetGroupArn: str, TargetGroup: list[dict[str, Any]]) -> None:
        for each in TargetGroup:
            assert each.keys() == {"Id", "Port"}
            del self.groups[TargetGroupArn][each["Id"], each["Port"]]


class Waiting:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def test_a_relay_enters_its_own_slot_and_is_there_when_it_is_healthy() -> None:
    balancer, clock = Balancer(looks=3), Waiting()
    TargetGroup(balancer, ["g0", "g1"], "1").enter("10.0.0.1", 8080, now=clock, pause=clock.pause)
    assert balancer.groups == {"g0": {}, "g1": {("10.0.0.1", 8080): "initial"}}
    assert clock.now > 0


def test_who_had_the_slot_before_is_put_out() -> None:
    balancer = Balancer(looks=0)
    balancer.groups["g0"] = {("10.0.0.9", 8080): "unhealthy"}
    TargetGroup(balancer, ["g0", "g1"], "0").enter("10.0.0.1", 8080)
    assert balancer.groups["g0"].keys() == {("10.0.0.1", 8080)}


def test_one_that_never_becomes_healthy_is_nowhere() -> None:
    balancer, clock = Balancer(looks=10_000), Waiting()
    with pytest.raises(AddressUnknown, match="load balancer"):
        TargetGroup(balancer, ["g0"], "0").enter("10.0.0.1", 8080, now=clock, pause=clock.pause)


def test_leaving_takes_only_ourselves_out_and_before_entering_nobody() -> None:
    balancer = Balancer(looks=0)
    targets = TargetGroup(balancer, ["g0"], "0")
    targets.leave()
    targets.enter("10.0.0.1", 8080)
    balancer.groups["g0"]["10.0.0.2", 8080] = "healthy"
    targets.leave()
    assert balancer.groups["g0"].keys() == {("10.0.0.2", 8080)}
