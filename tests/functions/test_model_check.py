"""While a relay starts, `session` asks `mint` whether there is a way to the model at all."""

import dataclasses
import io
import json

import pytest
from botocore.exceptions import ReadTimeoutError
from deployment import CONTEXT
from vms import become_ready, the_relays

from functions import mint, session
from functions.core.minting.mint import HELD_S
from functions.core.sessions.model_check import MintAhead, MintQuestion
from records import sessions


@pytest.fixture
def checked(table, monkeypatch):
    """Joins the two functions: `session` asks the real `mint`."""

    class Lambda:
        def __init__(self):
            self.asked = []

        def invoke(self, FunctionName, Payload):
            self.asked.append(json.loads(Payload))
            return {"Payload": io.BytesIO(json.dumps(mint.handler(self.asked[-1], CONTEXT)).encode())}

    client = Lambda()
    ports = dataclasses.replace(session.ports(), model_refusal=MintQuestion(client, "mint"))
    monkeypatch.setattr(session, "ports", lambda: ports)
    return client


@pytest.mark.parametrize(
    ("status", "complaint", "code"),
    [
        (400, "API key not valid. Please pass a valid API key.", "key_refused"),
        (429, "Your prepayment credits are depleted.", "upstream_credits"),
        (400, "User location is not supported for the API use.", "upstream_region"),
        (429, "You exceeded your current quota.", "upstream_quota"),
    ],
)
def test_who_waits_for_a_relay_is_told_that_the_model_is_not_to_be_had(
    connected, edges, table, checked, status, complaint, code
):
    edges.token_failure, edges.token_complaint = status, complaint
    client = connected()
    replies = client.start()
    assert [reply["type"] for reply in replies] == ["starting", "starting", "error"]
    error = replies[-1]
    assert (error["code"], error["ref"], error["fatal"]) == (code, "request-1", True)
    assert sessions.load(table, replies[0]["session"]).state == "ENDED"
    edges.token_failure = None
    assert client.start()[-1]["type"] == "starting", "the same request may be tried again"


def test_a_relay_that_came_up_meanwhile_is_told_the_same(connected, edges, table, checked):
    """Its client may reach it first, and would hear that the session has ended, and not why."""
    edges.token_failure, edges.token_complaint = 400, "API key not valid. Please pass a valid API key."
    client = connected()
    opened = client.start()[0]["session"]
    found = sessions.load(table, opened)
    asked = {"session": opened, "epoch": found.epoch, "relay": found.relay}
    assert mint.handler(asked, CONTEXT) == {"error": "key_refused"}


def test_a_relay_that_is_ready_asks_itself(connected, relay, checked):
    relay()
    assert connected().start()[-1]["type"] == "ready"
    assert checked.asked == []


def test_a_microvm_asks_itself_soon_enough(connected, homes, checked):
    homes("microvm", "fargate")
    assert connected().start()[-1]["type"] == "starting"
    assert checked.asked == []


@pytest.fixture
def ahead(table, monkeypatch):
    """What `session` asks the real `mint` for ahead, and what comes of it."""
    answers = []

    class Lambda:
        def invoke(self, FunctionName, InvocationType, Payload):
            assert InvocationType == "Event"
            answers.append((json.loads(Payload), mint.handler(json.loads(Payload), CONTEXT)))

    ports = dataclasses.replace(session.ports(), mint_ahead=MintAhead(Lambda(), "mint"))
    monkeypatch.setattr(session, "ports", lambda: ports)
    return answers


def test_the_token_of_a_microvms_first_call_is_made_while_it_starts(connected, homes, ahead, edges, clock):
    homes("microvm")
    connected().start()
    ((asked, answer),) = ahead
    assert answer == {}, "session sees no token"
    relays = {name: asked[name] for name in ("session", "epoch", "relay")}
    given = mint.handler(relays, CONTEXT)
    assert given["token"] and len(edges.token_requests) == 1
    again = mint.handler(relays, CONTEXT)
    assert again["token"] != given["token"] and len(edges.token_requests) == 2, (
        "it is good for one connection"
    )


def test_a_token_made_ahead_is_for_that_relay_and_epoch_and_for_a_while(
    connected, homes, ahead, edges, clock
):
    homes("microvm")
    connected().start()
    ((asked, _),) = ahead
    relays = {name: asked[name] for name in ("session", "epoch", "relay")}
    assert mint.handler({**relays, "relay": "another"}, CONTEXT) == {"error": "superseded"}
    assert mint.handler({**relays, "epoch": 2}, CONTEXT) == {"error": "superseded"}
    mint.handler({**relays, "refused": ["a-model"]}, CONTEXT)
    assert len(edges.token_requests) == 2, "another model's is another token"
    clock.now += HELD_S + 1
    mint.handler(relays, CONTEXT)
    assert len(edges.token_requests) == 3
    mint.handler(asked, CONTEXT)
    assert len(edges.token_requests) == 3, "what was asked for ahead long ago is for nobody"


def test_one_is_made_ahead_for_each_microvm_and_none_for_a_relay_that_is_there(
    connected, homes, ahead, table, clock
):
    homes("microvm")
    connected(user="ann").start()
    connected(user="bob").start()
    assert len(ahead) == 1, "two wait for one relay"
    connected(user="cy").start()
    assert len(ahead) == 2
    relay = next(relay for relay in the_relays(table) if len(relay.leases) == 1)
    become_ready(table, clock, relay.id)
    assert connected(user="di").start()[-1]["type"] == "ready" and len(ahead) == 2


def test_what_may_pass_is_left_to_the_relay(connected, edges, checked):
    edges.token_failure = 503
    assert connected().start()[-1]["type"] == "starting"


def test_the_token_of_a_check_is_not_given(connected, edges, checked):
    connected().start()
    assert mint.handler(checked.asked[0], CONTEXT) == {"checked": True}


def test_a_mint_that_does_not_answer_holds_nobody_up(connected, table, monkeypatch):
    class Silent:
        def invoke(self, **_):
            raise ReadTimeoutError(endpoint_url="https://lambda.example")

    ports = dataclasses.replace(session.ports(), model_refusal=MintQuestion(Silent(), "mint"))
    monkeypatch.setattr(session, "ports", lambda: ports)
    assert connected().start()[-1]["type"] == "starting"
