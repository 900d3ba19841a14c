"""The walls of docs and design as functions: a checkout in, breaches out. Edit the tables here."""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

#: room -> the rooms, or single files of rooms, it may import from, besides itself; None: any but tests
MAY_IMPORT: dict[str, set[str] | None] = {
    "protocol": set(),
    "simulator": {"gemini.profiles"},
    "records": {"protocol"},
    "agents": {"gemini.profiles", "protocol"},
    "client": {"protocol"},
    "gemini": {"agents", "protocol", "records"},
    "functions": {"agents", "gemini", "protocol", "records"},
    "relay": {"agents", "gemini", "protocol", "records"},
    "infra": None,
    "cli": None,
}
ROOMS = set(MAY_IMPORT)
#: files that rooms may import without the rest of their room; they import nothing of ours themselves
LEAVES = {name for allowed in MAY_IMPORT.values() for name in allowed or () if "." in name}
IMPORT_NAMES = {"vivavoce": "client"}  #: of rooms whose Python has another name than the folder

#: folders that become parts of one published package -> the import name they have in the checkout
PUBLISHED = {"client/python/vivavoce/": "vivavoce", "protocol/": "protocol"}
STAND_INS = "client/python/vivavoce/_protocol/"  #: lead to protocol/ in the checkout, and are not published


def _simulator(*folders: str) -> tuple[str, ...]:
    return tuple(f"simulator.{folder}" for folder in folders)


#: folder -> the folders beside it that it must not import from
APART = {
    "relay/model/": ("relay.call", "relay.client", "relay.task", "relay.aws"),
    "relay/client/": ("relay.call", "relay.model", "relay.task", "relay.aws"),
    "relay/call/": ("relay.task", "relay.aws"),
    "simulator/audio/": _simulator("wire", "speech", "session", "conversation", "server"),
    "simulator/wire/": _simulator("speech", "session", "conversation", "server"),
    "simulator/speech/": _simulator("session", "conversation", "server"),
    "simulator/session/": _simulator("conversation", "server"),
    "simulator/conversation/": _simulator("server"),
}

#: module -> the only files and folders that may import it
DOORS = {
    "webrtcvad": ("relay/call/hearing.py", "tests/", "bench/"),
    "google": (
        "functions/core/minting/vertex_tokens.py",
        "tests/",
        "bench/",
    ),
    "boto3": ("relay/aws/wiring.py", "functions/core/runtime/aws.py", "infra/", "cli/", "tests/", "bench/"),
}

#: what the protocol may import besides the standard library, and what of that it may not
PROTOCOL_NEEDS = {"msgspec"}
LOUD = {
    *("asyncio", "concurrent", "multiprocessing", "subprocess", "threading", "signal"),
    *("socket", "socketserver", "ssl", "select", "selectors", "http", "urllib"),
    *("time", "datetime", "logging", "random", "secrets", "sqlite3"),
}

#: Google's names on the wire; only the room `gemini` may know them
WIRE_NAMES = re.compile(
    "BidiGenerate|generativelanguage|realtime_?input|server_?content|client_?content|session_?resumption"
    "|setup_?complete|automatic_?activity|function_?response|generation_?complete",
    re.IGNORECASE,
)
WIRE_ROOMS = ROOMS - {"gemini", "simulator"}  #: who may not: one knows Google, the other stands in for it

#: who may name a library's connection, of all that a relay is made of
SOCKETS = ("relay/client/websocket.py", "relay/client/guard.py", "relay/model/gemini.py")

#: work with a period of its own, and what only a stranger's API can tell: (file, function)
PERIODIC = {
    ("relay/model/carriage.py", "_keep_alive"),  # pings
    ("relay/task/service.py", "_beat"),  # heartbeats
    ("relay/task/drain.py", "_ask_for_places"),  # other relays start meanwhile; only a function knows
}

METHODS, ATTRIBUTES = 20, 14
CALL_LINES = 220
#: class -> why it is larger
LARGE = {
    "protocol/server.py:ServerSession": "one method for each thing that a driver may do to a session",
    "relay/call/call.py:Call": "half of them are one-line views for the registry, the drain and the log",
    "relay/call/conversation.py:Conversation": "one method for each kind of event, over one pair of turns",
    "relay/call/exchange.py:Exchange": "where all parts of a call meet: one line of each is here",
    "records/sessions.py:Session": "the item as it is stored",
    "relay/config.py:RelayConfig": "one for each setting",
    "relay/turn.py:Turn": "what is known of a turn, for the record",
    "gemini/profiles.py:Profile": "one for each thing that models do differently",
    "simulator/scenario.py:Behaviour": "one for each setting",
    "infra/local/stack.py:Options": "one for each option of the command",
    "infra/faults/tally.py:Tally": "one for each row of the report",
}

#: private names of other people's objects, without a public way to the same: (file, name)
NOT_OURS = {("tests/simulator/test_simulator_python_sdk.py", "_receive"), ("tests/infra/", "_exit")}

SOURCES = {".py", ".ts", ".tsx", ".js", ".mjs", ".html"}
FOREIGN = {"node_modules", "dist", "__pycache__"}
FILE_LINES = 400
FUNCTION_LINES = 40  #: without its docstring

Wall = Callable[[Path], Iterator[str]]


def sources(root: Path, suffixes: set[str]) -> Iterator[tuple[str, Path]]:
    """(path from the root, path) of every source of ours. Rooms that are not there are no breach."""
    for name, path in _files(root):
        if path.suffix in suffixes:
            yield name, path


@functools.cache
def _files(root: Path) -> list[tuple[str, Path]]:
    """Every file of the rooms, in order. Foreign folders, which hold far more, are not entered."""
    found = []
    for folder in sorted({*ROOMS, "tests", "bench"}):
        for at, folders, names in os.walk(root / folder):
            folders[:] = set(folders) - FOREIGN
            found += [path for name in names if not FOREIGN & {*(path := Path(at, name)).parts}]
    return [(path.relative_to(root).as_posix(), path) for path in sorted(found)]


@functools.cache
def _nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(root: Path) -> Iterator[tuple[str, str]]:
    """(file, imported module) wherever in the file it stands."""
    for name, path in sources(root, {".py"}):
        for node in _nodes(path):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield name, _absolute(name, node)


def _absolute(name: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = name.split("/")[: -node.level]
    return ".".join([*package, *(node.module or "").split(".")]).strip(".")


def _top(module: str) -> str:
    return module.partition(".")[0]


def _room(module: str) -> str:
    """The room that a module belongs to; its top-level name when that is none of ours."""
    return IMPORT_NAMES.get(_top(module), _top(module))


def rooms_keep_apart(root: Path) -> Iterator[str]:
    """A room imports only from the rooms it may, and nobody imports tests."""
    for name, module in imports(root):
        room, other = _room(name.replace("/", ".")), _room(module)
        if room not in ROOMS or other == room:
            continue
        allowed = MAY_IMPORT[room]
        if other == "tests" or (other in ROOMS and allowed is not None and not {other, module} & allowed):
            yield f"{name} imports {module}"


def folders_keep_apart(root: Path) -> Iterator[str]:
    """Within a room, a folder does not import the folders that are built on it."""
    for name, module in imports(root):
        for folder, others in APART.items():
            if name.startswith(folder) and f"{module}.".startswith(tuple(f"{other}." for other in others)):
                yield f"{name} imports {module}"


def protocol_is_quiet(root: Path) -> Iterator[str]:
    """No I/O, clock or logger, and no third party but msgspec."""
    for name, module in imports(root):
        top = _room(module)
        if name.startswith("protocol/") and top not in {"protocol", *PROTOCOL_NEEDS} and top not in ROOMS:
            if top in LOUD:
                yield f"{name} imports {module}: the protocol has no I/O, clock or logger"
            elif top not in sys.stdlib_module_names:
                yield f"{name} imports {module}: the protocol needs {', '.join(PROTOCOL_NEEDS)} only"


def packages_move(root: Path) -> Iterator[str]:
    """What is published names its own modules relatively: in the package protocol/ is vivavoce/_protocol."""
    for name, path in sources(root, {".py"}):
        if name.startswith(STAND_INS) or not name.startswith(tuple(PUBLISHED)):
            continue
        for node in _nodes(path):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            for module in filter(lambda each: _top(each) in PUBLISHED.values(), named):
                yield f"{name} imports {module} by a name that its package does not have"


def doors_are_kept(root: Path) -> Iterator[str]:
    """Google's library and AWS's are imported behind their doors only."""
    for name, module in imports(root):
        doors = DOORS.get(_top(module))
        if doors is not None and not name.startswith(doors):
            yield f"{name} imports {module}"


def wire_names_stay_inside(root: Path) -> Iterator[str]:
    """Google's names are known to one room only, besides its stand-in."""
    for name, path in sources(root, SOURCES):
        if _top(name.replace("/", ".")) not in WIRE_ROOMS:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if found := WIRE_NAMES.search(line):
                yield f"{name}:{number} knows {found[0]}"


def files_are_short(root: Path) -> Iterator[str]:
    for name, path in sources(root, {".py"}):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if _top(name.replace("/", ".")) in ROOMS and lines > FILE_LINES:
            yield f"{name} has {lines} lines"


def functions_are_short(root: Path) -> Iterator[str]:
    for name, path in sources(root, {".py"}):
        if _top(name.replace("/", ".")) not in ROOMS:
            continue
        for node in _nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > FUNCTION_LINES:
                yield f"{name}: {node.name} has {_lines(node)} lines"


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def sockets_stay_outside(root: Path) -> Iterator[str]:
    """A call knows ports; only their adapters know the library of the sockets."""
    for name, module in imports(root):
        if name.startswith("relay/") and _top(module) == "websockets" and name not in SOCKETS:
            yield f"{name} imports {module}"


def nothing_polls(root: Path) -> Iterator[str]:
    """In the relay a loop waits for an event or a deadline; it does not look again and again."""
    for name, path in sources(root, {".py"}):
        if not name.startswith("relay/"):
            continue
        for function in _nodes(path):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            loops = [node for node in ast.walk(function) if isinstance(node, ast.While)]
            if any(map(_sleeps, loops)) and (name, function.name) not in PERIODIC:
                yield f"{name}: {function.name} polls"


def _sleeps(loop: ast.While) -> bool:
    """It awaits a sleep of some length; one of 0 only lets others run."""
    calls = [node for node in ast.walk(loop) if isinstance(node, ast.Call)]
    return any(ast.unparse(c.func) == "asyncio.sleep" and ast.unparse(c.args[0]) != "0" for c in calls)


def classes_are_small(root: Path) -> Iterator[str]:
    """At most so many methods and attributes, or a written reason."""
    for name, path in sources(root, {".py"}):
        if _top(name.replace("/", ".")) not in ROOMS:
            continue
        for node in _nodes(path):
            if isinstance(node, ast.ClassDef) and f"{name}:{node.name}" not in LARGE:
                methods, attributes = _methods(node), _attributes(node)
                if len(methods) > METHODS or len(attributes) > ATTRIBUTES:
                    yield f"{name}: {node.name} has {len(methods)} methods, {len(attributes)} attributes"


def a_call_is_short(root: Path) -> Iterator[str]:
    path = root / "relay/call/call.py"
    for node in _nodes(path) if path.exists() else ():
        if isinstance(node, ast.ClassDef) and node.name == "Call":
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > CALL_LINES:
                yield f"relay/call/call.py: Call has {lines} lines"


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def _attributes(node: ast.ClassDef) -> set[str]:
    """Its fields, and what its `__init__` sets."""
    fields = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
    found = {field.id for field in fields if isinstance(field, ast.Name)}
    for method in _methods(node):
        if method.name in ("__init__", "__post_init__"):
            stored = [each for each in ast.walk(method) if isinstance(each, ast.Attribute)]
            found |= {each.attr for each in stored if isinstance(each.ctx, ast.Store)}
    return found


def tests_see_what_users_see(root: Path) -> Iterator[str]:
    """A test reads and replaces no private name of an object: it stands where its user does."""
    for name, path in sources(root, {".py"}):
        if not name.startswith("tests/"):
            continue
        for node in _nodes(path):
            private = _private(node)
            exempt = any(name.startswith(file) and private == attribute for file, attribute in NOT_OURS)
            if private and not exempt:
                yield f"{name}:{getattr(node, 'lineno', 0)} touches {private}"


def _private(node: ast.AST) -> str:
    """The private name that is read of another object, or replaced in it; empty for none."""
    if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
        return node.attr if node.attr.startswith("_") and not node.attr.startswith("__") else ""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr") and len(node.args) > 1:
        replaced = node.args[1] if len(node.args) > 2 else node.args[0]
        if isinstance(replaced, ast.Constant) and isinstance(replaced.value, str):
            last = replaced.value.rpartition(".")[2]
            return last if last.startswith("_") and not last.startswith("__") else ""
    return ""


_installed = functools.cache(packages_distributions)


def names_are_free(root: Path, installed: Mapping[str, list[str]] | None = None) -> Iterator[str]:
    """No folder at the top shadows what a dependency is imported by."""
    taken = _installed() if installed is None else installed
    for folder in sorted(path.name for path in root.iterdir() if path.is_dir()):
        owners = set(taken.get(folder, ()))
        if owners or folder in sys.stdlib_module_names:
            yield f"{folder}/ shadows {', '.join(sorted(owners)) or 'the standard library'}"


WALLS: tuple[Wall, ...] = (
    rooms_keep_apart,
    folders_keep_apart,
    protocol_is_quiet,
    packages_move,
    doors_are_kept,
    wire_names_stay_inside,
    files_are_short,
    functions_are_short,
    sockets_stay_outside,
    nothing_polls,
    classes_are_small,
    a_call_is_short,
    tests_see_what_users_see,
    names_are_free,
)
