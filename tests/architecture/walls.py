"""The walls of docs and design as functions: a checkout in, breaches out. Edit the tables here."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

#: room -> the rooms it may import from, besides itself; None: any but tests
MAY_IMPORT: dict[str, set[str] | None] = {
    "protocol": set(),
    "simulator": set(),
    "records": {"protocol"},
    "agents": {"protocol"},
    "client": {"protocol"},
    "gemini": {"agents", "protocol", "records"},
    "functions": {"agents", "gemini", "protocol", "records"},
    "relay": {"agents", "gemini", "protocol", "records"},
    "infra": None,
    "cli": None,
}
ROOMS = set(MAY_IMPORT)
IMPORT_NAMES = {"vivavoce": "client"}  #: of rooms whose Python has another name than the folder

#: folders that become parts of one published package -> the import name they have in the checkout
PUBLISHED = {"client/python/vivavoce/": "vivavoce", "protocol/": "protocol"}
STAND_INS = "client/python/vivavoce/_protocol/"  #: lead to protocol/ in the checkout, and are not published

#: folder -> the folders beside it that it must not import from
APART = {
    "relay/model/": ("relay.call", "relay.client", "relay.task", "relay.aws"),
    "relay/client/": ("relay.call", "relay.model", "relay.task", "relay.aws"),
    "relay/call/": ("relay.task", "relay.aws"),
}

#: module -> the only files and folders that may import it
DOORS = {
    "google": ("functions/core/minting/gemini_tokens.py", "tests/", "bench/"),
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

SOURCES = {".py", ".ts", ".tsx", ".js", ".mjs", ".html"}
FOREIGN = {"node_modules", "dist", "__pycache__"}
FILE_LINES = 400
FUNCTION_LINES = 40  #: without its docstring

Wall = Callable[[Path], Iterator[str]]


def sources(root: Path, suffixes: set[str]) -> Iterator[tuple[str, Path]]:
    """(path from the root, path) of every source of ours. Rooms that are not there are no breach."""
    for folder in sorted({*ROOMS, "tests", "bench"}):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file() and not FOREIGN & set(path.parts):
                yield path.relative_to(root).as_posix(), path


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
        if other == "tests" or (other in ROOMS and allowed is not None and other not in allowed):
            yield f"{name} imports {module}"


def folders_keep_apart(root: Path) -> Iterator[str]:
    """Within a room, the parts of a call do not know what holds them."""
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


def names_are_free(root: Path, installed: Mapping[str, list[str]] | None = None) -> Iterator[str]:
    """No folder at the top shadows what a dependency is imported by."""
    taken = packages_distributions() if installed is None else installed
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
    names_are_free,
)
