"""What Google refuses, as a visitor reads it: its own sentence and code on the page, soon after the click."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import simulator
from infra.local.stack import LocalStack, Options
from simulator.failures.catalogue import load
from tests import dialect
from tests.browser.conftest import GEMINI_KEY, QUOTA, warm
from tests.browser.drive import drive, driving
from tests.witness import WITNESS

pytestmark = [pytest.mark.visit, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SOON_MS = 5_000  #: from the click
FAILURES = load()
REFUSALS = {
    "wrong_key": ("key_refused", "The server has no working key for the model."),
    "no_credits": ("upstream_credits", "The server’s account with the model has no credit."),
    "unknown_model": ("upstream_model", "This agent’s model does not exist."),
    "full_quota": ("upstream_quota", "The model’s quota is used up."),
    "closed_region": ("upstream_region", "The model is not offered where the server is."),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(chromium: str) -> AsyncIterator[tuple[LocalStack, simulator.Running]]:
    """A stack that has held a call, and its model, which a test has refuse the next ones."""
    WITNESS.keeps(GEMINI_KEY, "the model's key")
    async with simulator.serve() as model, driving():
        options = Options(gemini_url=model.url, gemini_key=GEMINI_KEY, parameters=dialect.parameters(**QUOTA))
        async with LocalStack(options) as stack:
            await warm(stack)
            yield stack, model
        WITNESS.logs(line.text for line in stack.logs.lines)


@pytest.mark.parametrize(("name", "code", "sentence"), [(name, *told) for name, told in REFUSALS.items()])
async def test_each_refusal_has_its_sentence_on_the_page_within_five_seconds(
    refusing: tuple[LocalStack, simulator.Running], question: str, name: str, code: str, sentence: str
) -> None:
    stack, model = refusing
    model.cases.play(FAILURES[name].scenario)
    seen = await drive("trouble", urls={code: stack.urls.page}, launch={"wav": question})
    told = seen[code]
    assert (told["code"], told["title"]) == (code, sentence)
    assert told["advice"].endswith(".") and told["state"] == "Not connected" and told["canStart"]
    assert told["after_ms"] <= SOON_MS
