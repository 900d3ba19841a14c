"""PROTOCOL.md and REFERENCE.md say what the code does: tables, sections, numbers, examples and links."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import pytest

from protocol import limits, media, reference, schema
from protocol.client import Counters
from protocol.codec import client_messages, control_replies, control_requests, server_messages
from protocol.credentials import offer
from protocol.errors import REGISTRY, RemoteProtocolError
from tests.protocol.page import HERE, PROTOCOL, REFERENCE, client_source

TEXT = PROTOCOL + REFERENCE
DEFS = schema.definitions()
STRUCTS = {
    (direction, member.__struct_config__.tag): member.__name__
    for direction, union in schema.DIRECTIONS.items()
    for member in get_args(union)
}
TABLES = dict(re.findall(r"<!-- fields: (\w+) -->\n((?:\|.*\n)*)", REFERENCE))
#: the heading of each direction's section
SECTIONS = {
    "ControlRequest": "Control road, client to server",
    "ControlReply": "Control road, server to client",
    "ClientMessage": "Media road, client to server",
    "ServerMessage": "Media road, server to client",
}
EXAMPLES = re.findall(
    r"\b([CS]) (\{.*?\})(?=,? |$)", REFERENCE.partition("\n## Scenarios\n")[2], re.MULTILINE
)


def _section(direction: str) -> str:
    return REFERENCE.partition(f"\n## {SECTIONS[direction]}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("struct", sorted(set(DEFS) - set(schema.DIRECTIONS)))
def test_each_table_has_the_fields_of_the_code(struct: str) -> None:
    written = [
        tuple(cell.strip().strip("`") for cell in line.split("|")[1:4])
        for line in TABLES[struct].splitlines()[2:]
    ]
    assert written == reference.rows(DEFS[struct])


def test_no_table_is_of_something_that_is_gone() -> None:
    assert set(TABLES) <= set(DEFS)


@pytest.mark.parametrize("direction", SECTIONS)
def test_each_message_has_its_heading_in_its_section(direction: str) -> None:
    headings = re.findall(r"^### `(.+)`$", _section(direction), re.MULTILINE)
    assert headings == [kind for where, kind in STRUCTS if where == direction]


@pytest.mark.parametrize(("direction", "kind"), STRUCTS, ids=["-".join(key) for key in STRUCTS])
def test_each_message_is_followed_by_its_own_table(direction: str, kind: str) -> None:
    part = _section(direction).partition(f"### `{kind}`\n")[2].partition("###")[0]
    assert f"<!-- fields: {STRUCTS[direction, kind]} -->" in part


def test_answers_and_events_are_told_apart() -> None:
    lists = dict(re.findall(r"^\| (answers|events) \| (.+) \|$", REFERENCE, re.MULTILINE))
    for name, union in (("answers", media.Answer), ("events", media.Event)):
        kinds = {member.__struct_config__.tag for member in get_args(union)} | {"error"}
        assert set(re.findall(r"`([a-z_.]+)`", lists[name])) - {"n"} == kinds


def test_every_close_code_is_in_the_registry() -> None:
    ours = {row.close for row in REGISTRY.values()}
    assert {int(code) for code in re.findall(r"\b44\d\d\b", TEXT)} - {4400, 4499} <= ours


def test_names_in_the_prose_exist() -> None:
    """A word with an underscore is a code, a field, a type or a counter."""
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", TEXT))
    fields = {name for struct in DEFS.values() for name in struct.get("properties", ())}
    counters = {field.name for field in dataclasses.fields(Counters)}
    types = {kind for _, kind in STRUCTS}
    assert named - fields - counters - types - set(REGISTRY) - {"auth_"} == set()


@pytest.mark.parametrize(
    "words",
    [
        f"within {limits.HELLO_TIMEOUT_S:g} s",
        f"keeps the last {limits.KEPT_AUDIO_MS // 1000} s of them",
        f"About every {limits.ACK_EVERY_FRAMES} frames",
        f"last {limits.REPLAY_AUDIO_MS // 1000} s of written agent audio",
        f"{limits.REPLAY_EVENTS} events",
        f"{limits.MESSAGES_PER_S} a second for long, {limits.MESSAGES_BURST:,} at once",
        f"{limits.BYTES_PER_S // 2**20} MiB a second for long, {limits.BYTES_BURST // 2**20} MiB at once",
        f"{limits.UPLINK_MS_PER_S / 1000:g} times real time for long",
        f"real time for long, {limits.UPLINK_BURST_MS // 1000} s at once",
        f"above {limits.UPLINK_HELD_MS // 1000} s of it the oldest",
        f"{(limits.UPLINK_BURST_MS + limits.UPLINK_HELD_MS) // 1000} s that were held up on their way",
        f"{limits.TEXT_CHARS_PER_S:,} characters a second for long, {limits.TEXT_CHARS_BURST:,} at once",
        f"counts for {limits.IMAGE_CHARS:,} characters",
        f"more than {limits.PENDING_EVENT_BYTES // 2**20} MiB of events",
        f"of the events at most {limits.REPLAY_EVENT_BYTES // 2**20} MiB",
        f"at most {limits.CONTROL_MESSAGE_BYTES // 1024} KiB a message",
        f"{limits.MEDIA_MESSAGE_BYTES // 1024 // 1024} MiB",
        f"at most {limits.TOOL_RESULT_BYTES // 1024} KiB",
        f"SHOULD keep {limits.KEPT_MESSAGES} messages, an image counted as {limits.IMAGE_MESSAGES} of them",
        f"At most {limits.IMAGE_BYTES // 1024} KiB before base64",
        f"above {limits.JWT_ENTRY_BYTES // 1024} KiB",
        f"at most {limits.TURN_TEXT_BYTES // 1024} KiB are told and recorded",
        f"at most {limits.JSON_DEPTH} levels deep",
        f"at most {limits.DOWNLINK_FRAME_MS} ms; comes",
        f"a connection has been live for {limits.STEADY_S:g} s",
        f"as the model made them, at most {limits.TOOL_ARGS_BYTES // 1024} KiB",
        f"{limits.FRAME_MIN_MS} to {limits.FRAME_MAX_MS} ms",
        f"{limits.UPLINK_HZ // 1000} kHz | {limits.DOWNLINK_HZ // 1000} kHz",
        f"{limits.FRAME_MS} ms ({limits.UPLINK_FRAME_BYTES}) is best",
        f"again, {limits.START_TRIES} times in all",
        f"only within {limits.TICKET_S:g} s of `ready`",
        f"no `live` {limits.LIVE_TIMEOUT_S:g} s after the handshake",
        f"nothing received for {limits.SILENCE_S:g} s",
        f"at the latest {limits.MOVE_EARLY_S:g} s before `ends_in_ms` is over",
        f"or {limits.LATER_S:g} s after an error with the verdict `later`",
        f"below {limits.BACKOFF_BASE_S * 1000:g} ms, a bound that doubles with every attempt up to",
        f"attempt up to {limits.BACKOFF_MAX_S:g} s. A connection that was live for {limits.STEADY_S:g} s",
        f"{limits.START_PATIENCE_S:g} s after the first `start`",
        f"A handshake has {limits.OPEN_TIMEOUT_S:g} s; a `start` {limits.REPLY_TIMEOUT_S:g} s to each reply",
        f"a `resume` {limits.RESUME_TIMEOUT_S:g} s to the first and {limits.REPLY_TIMEOUT_S:g} s to others",
        f"the close after a fatal error {limits.FATAL_CLOSE_S:g} s",
    ],
)
def test_numbers_are_those_of_the_code(words: str) -> None:
    assert words in re.sub(r"\s+", " ", TEXT)


def test_the_handshake_is_what_the_code_offers() -> None:
    for kind, secret in (("jwt", "<jwt>"), ("ticket", "<ticket>")):
        entries = ", ".join(offer(kind, "x")).replace(".x", f".{secret}")  # type: ignore[arg-type]
        assert f"{entries}`" in TEXT


@pytest.mark.parametrize(("who", "text"), [pair for pair in EXAMPLES if "…" not in pair[1]])
def test_each_example_is_a_message(who: str, text: str) -> None:
    decoders = {"C": (client_messages, control_requests), "S": (server_messages, control_replies)}[who]
    refusals = 0
    for decoder in decoders:
        try:
            decoder.decode(text)
        except RemoteProtocolError:
            refusals += 1
    assert refusals < len(decoders), text


def test_there_are_examples() -> None:
    assert len([text for _, text in EXAMPLES if "…" not in text]) > 15


def _anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings; a repeated one gets a number."""
    slugs = [
        re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    ]
    return {slug + (f"-{count}" if count else "") for slug in slugs for count in range(slugs.count(slug))}


@pytest.mark.parametrize("name", ["PROTOCOL.md", "REFERENCE.md", "ERRORS.md", "vectors/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = HERE / name
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        other = page.parent / file if file else page
        assert other.exists(), target
        if anchor:
            assert anchor in _anchors(other.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", ["server", "client", "turn"])
def test_each_diagram_is_drawn(name: str) -> None:
    assert f"<!-- states: {name} -->\n```mermaid\nstateDiagram-v2\n" in REFERENCE


def test_every_error_code_and_every_limit_has_its_row() -> None:
    for name in (*REGISTRY, *schema.constants()):
        assert re.search(rf"^\| \[?`{name}`", REFERENCE, re.MULTILINE), name


def test_every_limit_says_why() -> None:
    assert [name for name, why in reference.reasons().items() if name.isupper() and not why] == []


def test_the_client_on_the_page_has_at_most_sixty_lines() -> None:
    lines = [line for line in client_source().splitlines() if line]
    assert len(lines) <= 60
    assert max(len(line) for line in lines) <= 110


def test_the_page_can_be_read_at_one_sitting() -> None:
    """What is no table and no listing: as many lines as a reader takes in from top to bottom."""
    prose = re.sub(r"^```\w*\n.*?^```$", "", PROTOCOL, flags=re.MULTILINE | re.DOTALL)
    assert len([line for line in prose.splitlines() if not line.startswith("|")]) <= 330
