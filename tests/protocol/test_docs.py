"""PROTOCOL.md says what the code does: tables, sections, numbers, examples and links."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

import protocol
from protocol import limits, media, schema
from protocol.client import Counters
from protocol.codec import client_messages, control_replies, control_requests, server_messages
from protocol.credentials import offer
from protocol.errors import REGISTRY, RemoteProtocolError
from tests.protocol.tables import DEFS, STRUCTS, rows

HERE = Path(protocol.__file__).parent
TEXT = (HERE / "PROTOCOL.md").read_text(encoding="utf-8")
TABLES = dict(re.findall(r"<!-- fields: (\w+) -->\n((?:\|.*\n)*)", TEXT))
#: the section of each direction: its heading, and the heading that ends it
SECTIONS = {
    "ControlRequest": ("### Client to server\n", "### Server to client\n"),
    "ControlReply": ("### Server to client\n", "## 5. "),
    "ClientMessage": ("## 6. ", "## 7. "),
    "ServerMessage": ("## 7. ", "## 8. "),
}
EXAMPLES = re.findall(r"\b([CS]) (\{.*?\})(?=,? |$)", TEXT.partition("## 16. ")[2], re.MULTILINE)


def _section(direction: str) -> str:
    first, last = SECTIONS[direction]
    return TEXT.partition(first)[2].partition(last)[0]


@pytest.mark.parametrize("struct", sorted(set(DEFS) - set(schema.DIRECTIONS)))
def test_each_table_has_the_fields_of_the_code(struct: str) -> None:
    written = [
        tuple(cell.strip().strip("`") for cell in line.split("|")[1:4])
        for line in TABLES[struct].splitlines()[2:]
    ]
    assert written == rows(struct)


def test_no_table_is_of_something_that_is_gone() -> None:
    assert set(TABLES) <= set(DEFS)


@pytest.mark.parametrize("direction", SECTIONS)
def test_each_message_has_its_heading_in_its_section(direction: str) -> None:
    headings = re.findall(r"^#### `(.+)`$", _section(direction), re.MULTILINE)
    assert headings == [kind for where, kind in STRUCTS if where == direction]


@pytest.mark.parametrize(("direction", "kind"), STRUCTS, ids=["-".join(key) for key in STRUCTS])
def test_each_message_is_followed_by_its_own_table(direction: str, kind: str) -> None:
    part = _section(direction).partition(f"#### `{kind}`\n")[2].partition("####")[0]
    assert f"<!-- fields: {STRUCTS[direction, kind]} -->" in part


def test_answers_and_events_are_told_apart() -> None:
    lists = dict(re.findall(r"^\| (answers|events) \| (.+) \|$", TEXT, re.MULTILINE))
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
    assert named - fields - counters - types - set(REGISTRY) == set()


@pytest.mark.parametrize(
    "words",
    [
        f"within {limits.HELLO_TIMEOUT_S:g} s",
        f"last {limits.RESEND_WINDOW_S} s",
        f"About every {limits.ACK_EVERY_FRAMES} frames",
        f"last {limits.REPLAY_AUDIO_MS // 1000} s of written agent audio",
        f"{limits.REPLAY_EVENTS} events",
        f"{limits.MESSAGES_PER_S} a second for long, {limits.MESSAGES_BURST} at once",
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
        f"At most {limits.IMAGE_BYTES // 1024} KiB before base64",
        f"above {limits.JWT_ENTRY_BYTES // 1024} KiB",
        f"at most {limits.TURN_TEXT_BYTES // 1024} KiB are told and recorded",
        f"at most {limits.JSON_DEPTH} levels deep",
        f"at most {limits.DOWNLINK_FRAME_MS} ms; comes",
        f"live for less than {limits.STEADY_S:g} s",
        f"a connection has been live for {limits.STEADY_S:g} s",
        f"as the model made them, at most {limits.TOOL_ARGS_BYTES // 1024} KiB",
        f"{limits.FRAME_MIN_MS} to {limits.FRAME_MAX_MS} ms",
        f"{limits.UPLINK_HZ // 1000} kHz | {limits.DOWNLINK_HZ // 1000} kHz",
        f"{limits.FRAME_MS} ms ({limits.UPLINK_FRAME_BYTES}) is best",
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


@pytest.mark.parametrize("name", ["PROTOCOL.md", "ERRORS.md", "vectors/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = HERE / name
    text = page.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", ["server", "client", "turn"])
def test_each_diagram_is_drawn(name: str) -> None:
    assert f"<!-- states: {name} -->\n```mermaid\nstateDiagram-v2\n" in TEXT
