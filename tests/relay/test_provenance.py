"""A handshake that did not come through our edge is refused before anything else is looked at."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from records.keyring import Keyring
from relay.client.origin_secret import ASK_S, HEADER, KEEP_S, OriginSecret
from tests.relay.fakes import Visitor, house


class Store:
    """A parameter that counts how often it is read, under a clock of its own."""

    def __init__(self, text: str) -> None:
        self.text, self.reads, self.now, self.fails = text, 0, 1000.0, False

    def read(self) -> str:
        self.reads += 1
        if self.fails:
            raise OSError
        return self.text

    def check(self) -> OriginSecret:
        return OriginSecret(self.read, lambda: self.now)


async def test_the_secret_passes_and_nothing_else_does() -> None:
    check = Store("s3cret").check()
    assert await check("s3cret")
    for wrong in ("", "s3cre", "s3cret ", "S3CRET", "é"):
        assert not await check(wrong)


async def test_both_secrets_pass_while_they_rotate() -> None:
    check = Store(Keyring("new", "old", int(time.time()) + 60).text()).check()
    assert await check("new") and await check("old")
    check = Store(Keyring("new", "old", int(time.time()) - 1).text()).check()
    assert await check("new") and not await check("old")


async def test_a_secret_that_was_rotated_in_is_known_at_once() -> None:
    store = Store("old")
    check = store.check()
    assert await check("old")
    store.text, store.now = Keyring("new", "old", int(time.time()) + 60).text(), store.now + ASK_S
    assert await check("new")


async def test_strangers_cannot_make_it_ask_all_the_time() -> None:
    store = Store("s3cret")
    check = store.check()
    for _ in range(50):
        assert not await check("guess")
    assert store.reads == 1
    store.now += ASK_S
    assert not await check("guess") and not await check("")
    assert store.reads == 2


async def test_what_was_read_is_believed_for_a_while_and_longer_when_it_cannot_be_read() -> None:
    store = Store("s3cret")
    check = store.check()
    assert await check("s3cret") and await check("s3cret")
    assert store.reads == 1
    store.now, store.fails = store.now + KEEP_S, True
    assert await check("s3cret")
    assert store.reads == 2


async def test_with_nothing_to_compare_with_nobody_passes() -> None:
    store = Store("s3cret")
    store.fails = True
    check = store.check()
    with pytest.raises(OSError):
        await check("s3cret")
    store.fails = False
    assert await check("s3cret"), "it is asked again at once"


async def test_the_door_is_shut_for_those_who_come_another_way() -> None:
    async with house(origin_check=Store("s3cret").check()) as here:
        ticket = here.book.ticket()
        for headers in ({}, {HEADER: "guess"}):
            with pytest.raises(InvalidStatus) as refused:
                async with here.connect(ticket, additional_headers=headers):
                    pass
            assert refused.value.response.status_code == 403
        for twice in ([(HEADER, "s3cret")] * 2, [(HEADER, "s3cret"), ("Authorization", "Bearer x")] * 2):
            with pytest.raises(InvalidStatus) as refused:
                async with here.connect(ticket, additional_headers=twice):
                    pass
            assert refused.value.response.status_code == 403, "and no error of ours"
        async with here.connect(ticket, additional_headers={HEADER: "s3cret"}) as wire:
            await Visitor().join(wire)  # the ticket was not used up by the refused


async def test_the_health_check_needs_no_secret() -> None:
    async with house(origin_check=Store("s3cret").check()) as here:
        with pytest.raises(InvalidStatus) as answered:
            async with connect(f"{here.url}/health"):
                pass
        assert answered.value.response.status_code == 200


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:8080", "localhost", "1.2.3", "[::1"])
async def test_the_health_check_is_answered_under_an_address_only(host: str) -> None:
    """A page of another site may lead a name of its own to this machine, a distribution one to this task."""
    async with house() as here:
        url = here.url.replace("ws", "http", 1) + "/health"
        asked = urllib.request.Request(url, headers={"Host": host})
        with pytest.raises(urllib.error.HTTPError) as refused:
            await asyncio.to_thread(urllib.request.urlopen, asked)
        with refused.value as answer:
            assert answer.code == 403 and b"calls" not in answer.read()
