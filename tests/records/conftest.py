"""A table under moto, and builders of what the tests put there."""

import itertools
import threading

import boto3
import dynamo
import pytest
from dynamo import NOW
from moto import mock_aws

from protocol.control import Config
from records import sessions
from records.table import Table

_names = (f"records-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def client():
    dynamo.make_atomic()
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        made = boto3.client("dynamodb", region_name="eu-west-1")
        yield made
        made.close()


@pytest.fixture
def table_name(client):
    name = next(_names)
    dynamo.make_table(client, name)
    return name


@pytest.fixture
def table(client, table_name):
    return Table(client, table_name, pause=lambda _: None)


@pytest.fixture
def open_session(table):
    def open_one(session="s1", *, user="ada", request=None, limit=3, ends_at=NOW + 1800, reserved_s=0):
        draft = sessions.Draft(
            id=session,
            user=user,
            request=request or f"request-{session}",
            agent="assistant",
            config=Config(),
            tools=[],
            metadata={},
            connection="c1",
            origin="https://app.example",
            ends_at=ends_at,
            key_hash=sessions.hash_key("first-key"),
            reserved_s=reserved_s,
        )
        made = sessions.create(table, draft, limit=limit, now=NOW)
        assert sessions.load(table, session) == made
        return made

    return open_one


@pytest.fixture
def race():
    """Runs one function in many threads at once and gives back what each returned or raised."""

    def run(function, count=16):
        barrier = threading.Barrier(count)
        results = [None] * count

        def work(place):
            barrier.wait()
            try:
                results[place] = function(place)
            except Exception as error:
                results[place] = error

        threads = [threading.Thread(target=work, args=(place,)) for place in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run
