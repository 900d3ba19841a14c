"""The walls hold, and each of them falls on a breach that is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import walls
from tests.architecture.walls import WALLS, Wall

ROOT = Path(__file__).parents[2]
FIELDS = "class A:\n" + "".join(f"    a{n}: int\n" for n in range(15))
POLL = "async def wait():\n    while not done:\n        await asyncio.sleep(1)\n"
LONG = "def long() -> None:\n" + "    pass\n" * 40

#: wall, file, what is written there
BREACHES: list[tuple[Wall, str, str]] = [
    (walls.rooms_keep_apart, "relay/client/handshake.py", "from functions.core import start\n"),
    (walls.rooms_keep_apart, "functions/session.py", "import relay.call\n"),
    (walls.rooms_keep_apart, "functions/core/sessions/start.py", "def late():\n    from relay import call\n"),
    (walls.rooms_keep_apart, "protocol/codec.py", "from records.table import Table\n"),
    (walls.rooms_keep_apart, "protocol/codec.py", "from ..records import table\n"),
    (walls.rooms_keep_apart, "records/table.py", "import relay\n"),
    (walls.rooms_keep_apart, "simulator/server/server.py", "from protocol.audio import encode_audio\n"),
    (walls.rooms_keep_apart, "simulator/session/models.py", "from gemini import wire\n"),
    (walls.rooms_keep_apart, "simulator/wire/messages.py", "from gemini.wire import METHOD\n"),
    (walls.rooms_keep_apart, "agents/catalogue.py", "import gemini.setup\n"),
    (walls.rooms_keep_apart, "client/python/vivavoce/wire.py", "from records import tickets\n"),
    (walls.rooms_keep_apart, "client/python/vivavoce/wire.py", "from cli.main import main\n"),
    (walls.rooms_keep_apart, "relay/call/call.py", "from vivavoce import Conversation\n"),
    (walls.rooms_keep_apart, "functions/session.py", "import vivavoce.messages\n"),
    (walls.rooms_keep_apart, "protocol/codec.py", "def f():\n    from vivavoce import messages\n"),
    (walls.packages_move, "client/python/vivavoce/wire.py", "from protocol import limits\n"),
    (walls.packages_move, "client/python/vivavoce/tools.py", "def f():\n    import protocol.codec\n"),
    (walls.packages_move, "client/python/vivavoce/tools.py", "from vivavoce.errors import ToolError\n"),
    (walls.packages_move, "protocol/codec.py", "from protocol.limits import FRAME_MS\n"),
    (walls.rooms_keep_apart, "agents/catalogue.py", "import functions\n"),
    (walls.rooms_keep_apart, "cli/commands/dev.py", "from tests.relay import fakes\n"),
    (walls.rooms_keep_apart, "infra/local/stack.py", "import tests.conftest\n"),
    *((walls.protocol_is_quiet, "protocol/server.py", f"import {name}\n") for name in sorted(walls.LOUD)),
    (walls.folders_keep_apart, "relay/model/connection.py", "from relay.call.call import Call\n"),
    (walls.folders_keep_apart, "relay/client/leg.py", "def late():\n    from relay.call import call\n"),
    (walls.folders_keep_apart, "relay/call/call.py", "import relay.task.service\n"),
    (walls.folders_keep_apart, "simulator/wire/messages.py", "from simulator.server.line import Line\n"),
    (walls.folders_keep_apart, "simulator/session/setup.py", "import simulator.conversation.replies\n"),
    (walls.protocol_is_quiet, "protocol/server.py", "from websockets.frames import Frame\n"),
    (walls.protocol_is_quiet, "protocol/server.py", "import aiohttp\n"),
    (walls.protocol_is_quiet, "protocol/codec.py", "import boto3\n"),
    (walls.protocol_is_quiet, "protocol/codec.py", "def f():\n    import logging\n"),
    (walls.doors_are_kept, "relay/model/gemini.py", "from google import genai\n"),
    (walls.doors_are_kept, "functions/core/sessions/start.py", "import google.genai.types\n"),
    (walls.doors_are_kept, "functions/tokens.py", "import google.genai\n"),
    (walls.doors_are_kept, "relay/call/call.py", "import boto3\n"),
    (walls.doors_are_kept, "functions/session.py", "from boto3.dynamodb import types\n"),
    (walls.doors_are_kept, "records/table.py", "import boto3\n"),
    (walls.doors_are_kept, "simulator/server/server.py", "from google import genai\n"),
    (walls.wire_names_stay_inside, "relay/call/call.py", "# a BidiGenerateContent call\n"),
    (walls.wire_names_stay_inside, "protocol/media.py", 'NAME = "realtimeInput"\n'),
    (walls.wire_names_stay_inside, "functions/session.py", "session_resumption = None\n"),
    (walls.wire_names_stay_inside, "client/src/session.ts", "type T = { serverContent: string }\n"),
    (walls.wire_names_stay_inside, "infra/edge/rule.js", "// generativelanguage.googleapis.com\n"),
    (walls.wire_names_stay_inside, "cli/commands/talk.py", 'print("setupComplete")\n'),
    (walls.files_are_short, "relay/call/call.py", "x = 1\n" * 401),
    (walls.functions_are_short, "relay/call/call.py", LONG),
    (walls.functions_are_short, "functions/core/sessions/start.py", "async " + LONG),
    (
        walls.functions_are_short,
        "cli/main.py",
        "class A:\n" + "".join(f"    {x}\n" for x in LONG.splitlines()),
    ),
    (walls.sockets_stay_outside, "relay/call/call.py", "from websockets.asyncio.server import serve\n"),
    (walls.sockets_stay_outside, "relay/client/leg.py", "def late():\n    import websockets\n"),
    (walls.nothing_polls, "relay/task/drain.py", POLL),
    (walls.nothing_polls, "relay/call/call.py", POLL.replace("not done", "True")),
    (
        walls.classes_are_small,
        "relay/call/x.py",
        "class A:\n" + "".join(f"    a{n}: int\n" for n in range(15)),
    ),
    (
        walls.classes_are_small,
        "records/x.py",
        "class A:\n" + "".join(f"    def f{n}(self): ...\n" for n in range(21)),
    ),
    (walls.a_call_is_short, "relay/call/call.py", "class Call:\n" + "    x = 1\n" * 220),
    (walls.tests_see_what_users_see, "tests/relay/test_x.py", "call._over.is_set()\n"),
    (walls.tests_see_what_users_see, "tests/relay/test_x.py", "patch.setattr(call, '_over', None)\n"),
    (walls.tests_see_what_users_see, "tests/x.py", "patch.setattr('relay.call.call._now', None)\n"),
    (walls.names_are_free, "websockets/notes.txt", ""),
    (walls.names_are_free, "google/notes.txt", ""),
    (walls.names_are_free, "msgspec/notes.txt", ""),
    (walls.names_are_free, "json/notes.txt", ""),
]

#: what looks like a breach and is none
HARMLESS: list[tuple[str, str]] = [
    ("relay/model/connection.py", "from relay.model.port import ModelLeg\nimport relay.callers\n"),
    ("relay/aws/wiring.py", "import boto3\n"),
    ("relay/client/websocket.py", "from websockets.asyncio.server import serve\n"),
    ("relay/task/service.py", POLL.replace("def wait", "def _beat")),
    ("relay/call/x.py", POLL.replace("asyncio.sleep(1)", "gap.wait()")),
    ("tests/relay/test_x.py", "self._wire = wire.__class__\n"),
    ("functions/core/runtime/aws.py", "import boto3\n"),
    ("functions/core/minting/vertex_tokens.py", "def f():\n    from google.auth import aws\n"),
    ("tests/simulator/test_sdk.py", "from google import genai\nimport boto3\nfrom tests import fakes\n"),
    ("tests/relay/test_call.py", "import relay\nimport functions\n"),
    ("gemini/wire.py", 'NAME = "realtimeInput"\n'),
    ("simulator/session/models.py", "from gemini.profiles import Profile\nimport gemini.profiles\n"),
    ("simulator/wire/messages.py", 'NAME = "serverContent"\n'),
    (
        "protocol/audio.py",
        "import struct\nimport msgspec\nfrom . import limits\nfrom .errors import REGISTRY\n",
    ),
    ("client/python/vivavoce/_protocol/media.py", "from protocol.media import *\n"),
    (
        "client/python/vivavoce/wire.py",
        "import websockets\nfrom .errors import A\nfrom ._protocol.media import B\n",
    ),
    ("cli/commands/talk.py", "from vivavoce import Conversation\nfrom protocol import media\n"),
    ("relay/call/call.py", "from protocol import media\nfrom records import sessions\n# import functions\n"),
    ("relay/turn.py", "def f() -> None:\n    '''Long.\n" + "\n" * 50 + "    '''\n"),
    ("relay/node_modules/x.py", "import boto3\n" + "x = 1\n" * 500),
    ("tests/test_long.py", LONG + "x = 1\n" * 500),
]


def _plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.__name__)
def test_the_wall_holds(wall: Wall) -> None:
    assert list(wall(ROOT)) == []


@pytest.mark.parametrize(
    ("wall", "name", "text"),
    BREACHES,
    ids=[f"{wall.__name__}-{name}-{number}" for number, (wall, name, _) in enumerate(BREACHES)],
)
def test_the_wall_falls_on_a_breach(wall: Wall, name: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, name, text)
    assert len(list(wall(tmp_path))) == 1


@pytest.mark.parametrize(("name", "text"), HARMLESS, ids=[name for name, _ in HARMLESS])
def test_what_is_allowed_is_no_breach(name: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, name, text)
    assert [breach for wall in WALLS for breach in wall(tmp_path)] == []


def test_every_wall_has_a_planted_breach() -> None:
    assert {wall for wall, _, _ in BREACHES} == set(WALLS)


def test_rooms_that_are_not_there_are_no_breach(tmp_path: Path) -> None:
    assert [breach for wall in WALLS for breach in wall(tmp_path)] == []


def test_the_checkout_is_looked_at() -> None:
    """A wall around nothing holds too: so there must be sources, and imports in them."""
    found = {name for name, _ in walls.sources(ROOT, {".py"})}
    assert {"protocol/codec.py", "relay/call/call.py", "relay/model/gemini.py"} <= found
    assert ("relay/call/call.py", "protocol.server") in set(walls.imports(ROOT))


def test_a_folder_is_compared_with_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "relay").mkdir()
    assert list(walls.names_are_free(tmp_path, {"vivavoce": ["vivavoce"]})) == []
    assert list(walls.names_are_free(tmp_path, {"relay": ["relay-lib"]})) == ["relay/ shadows relay-lib"]
