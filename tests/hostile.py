"""Messages that no honest client sends: mutated from honest ones, from a printed seed."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from typing import Any

from protocol.errors import REGISTRY

IS_ASKED = "HOSTILE_MESSAGES" in os.environ
COUNT = int(os.environ.get("HOSTILE_MESSAGES", "1000"))  #: for each road; `make hostile` sends 10,000
SEED = int(os.environ.get("HOSTILE_SEED", random.randrange(2**32)))

MEDIA: list[dict[str, Any]] = [
    {"type": "hello", "versions": [1], "after": [1, 2], "last_turn": 3, "next_seq": 4},
    {"type": "mic", "state": "open"},
    {"type": "activity", "state": "start"},
    {"type": "text", "text": "hello", "respond": True},
    {"type": "context", "text": "hello"},
    {"type": "image", "mime": "image/png", "data": "aGVsbG8="},
    {"type": "interrupt", "turn": 1, "played_ms": 20},
    {"type": "playback", "turn": 1, "state": "progress", "played_ms": 20, "buffered_ms": 40},
    {"type": "tool.result", "call_id": "call-1", "ok": True, "data": {"a": [1, None]}},
    {"type": "ping", "t": 1.5},
]
CONTROL: list[dict[str, Any]] = [
    {"type": "start", "request": "r1", "versions": [1], "agent": "assistant", "config": {"turns": "auto"}},
    {"type": "start", "request": "r2", "versions": [1], "tools": [{"name": "weather", "parameters": {}}]},
    {"type": "resume", "session": "s", "resume_key": "k" * 43, "media_failed": True},
    {"type": "end", "session": "s"},
]
_VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**53, 2**64, 10**400, -0.0, 1e308, "", "x", "\0", "\u202e", "💥" * 50,
    "a" * 9000, [], {}, [[]], [None] * 50, {"type": "text"}, "__proto__", "'; DROP TABLE sessions; --",
    "../../etc/passwd", "${jndi:ldap://127.0.0.1/a}", "auto", "open", "1", [1, "1"],
]  # fmt: skip
_TYPES = [
    "",
    "live",
    "end2",
    "START",
    "hello ",
    "$connect",
    "$default",
    "__init__",
    "toString",
    7,
    None,
    [],
    {},
]
_TEXTS = [
    "", " ", "null", "[]", "3", '"x"', "{", "}", "{]", '{"type"}', '{"type":}', "{'type':'ping'}", "\ufeff{}",
    "nan", '{"type":"ping","t":NaN}', '{"type":"ping","t":Infinity}', '{"type":"ping","t":1e999}',
    '{"type":"\\ud800"}', '{"type":"ping","type":"text","t":1}', "[" * 5000, '{"a":' * 5000, "\x00\x01\x02",
    '{"type":"ping","t":1}x',
]  # fmt: skip


def texts(honest: list[dict[str, Any]], count: int = COUNT, seed: int = SEED) -> Iterator[str]:
    """So many text messages."""
    print(f"HOSTILE_SEED={seed} HOSTILE_MESSAGES={count}")
    chance = random.Random(seed)
    for _ in range(count):
        yield chance.choice((_mutated, _mutated, _cut, _noise, _odd))(chance, chance.choice(honest))


def frames(count: int = COUNT, seed: int = SEED) -> Iterator[bytes]:
    """So many binary messages, some of them good audio frames."""
    chance = random.Random(seed + 1)
    for _ in range(count):
        size = chance.choice((0, 1, 7, 8, 9, 10, 11, 327, 328, 329, 648, 3208, 3210, 40_000))
        kind = chance.choice((0, 1, 1, 1, 2, 255))
        yield (bytes([kind]) + chance.randbytes(size))[:size]


def _mutated(chance: random.Random, honest: dict[str, Any]) -> str:
    message = dict(honest)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice([*message, "new_field"])
        match chance.randrange(4):
            case 0:
                message.pop(name, None)
            case 1 if name == "type":
                message[name] = chance.choice(_TYPES)
            case _:
                message[name] = chance.choice(_VALUES)
    return json.dumps(message, ensure_ascii=chance.random() < 0.5)


def _cut(chance: random.Random, honest: dict[str, Any]) -> str:
    text = json.dumps(honest)
    return text[: chance.randrange(len(text))] + chance.choice(("", '"', "}", "\\", "\0"))


def _noise(chance: random.Random, honest: dict[str, Any]) -> str:
    return "".join(chr(chance.choice((chance.randrange(0xD800), chance.randrange(128)))) for _ in range(30))


def _odd(chance: random.Random, honest: dict[str, Any]) -> str:
    return chance.choice(_TEXTS)


def is_own_sentence(code: str, message: str) -> bool:
    """Whether an error says its code's sentence, at most with fields and rules of ours behind it.

    Nothing that was sent has this form: what is quoted of it would have quotes, capitals or other signs.
    """
    sentence = REGISTRY[code].message.removesuffix(".")
    return re.fullmatch(rf"{re.escape(sentence)}(: (?:[a-z_.\[\]0-9 ]|JSON)+)?\.", message) is not None
