"""A word that the user asked to keep is in the context, and goes where the context goes."""

from __future__ import annotations

import pytest

from simulator.conversation.replies import Read, Replies
from simulator.scenario import Scenario
from simulator.session.context import Entry, Memory
from simulator.session.models import table
from simulator.session.setup import read

SETUP = {"model": "models/gemini-3.8-live", "generationConfig": {"responseModalities": ["AUDIO"]}}
QUESTION = Read("Which word did I ask you to remember?")


def said(memory: Memory) -> str | None:
    setup = read(SETUP, "v1beta", table("profile"))
    return Replies(Scenario()).plan(QUESTION, memory, setup).say


@pytest.mark.parametrize(
    "words", ["Remember this word: pebble.", "Please remember this word: pebble, and say OK"]
)
def test_the_word_is_found_in_the_context(words: str) -> None:
    memory = Memory(
        "l", "m", [Entry("user", words), Entry("model", "You wrote"), Entry("user", QUESTION.text)]
    )
    assert said(memory) == "The word was pebble."


def test_the_last_one_counts() -> None:
    words = [Entry("user", f"remember this word: {word}") for word in ("pebble", "lantern")]
    assert said(Memory("l", "m", words)) == "The word was lantern."


def test_a_context_without_it_is_not_helped() -> None:
    assert said(Memory("l", "m", [Entry("user", QUESTION.text)])) == "You told me no word."
