"""No file leads back to itself by its imports, and a circle that is planted is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.circles import circles, python_imports, typescript_imports
from tests.architecture.walls import LEAVES

ROOT = Path(__file__).parents[2]
SDK = "client/sdk/src"
CONSOLE = "client/console/src"

Files = dict[str, str]  #: path -> text

PYTHON_CIRCLES: dict[str, Files] = {
    "two modules": {"relay/a.py": "from relay import b\n", "relay/b.py": "import relay.a\n"},
    "three modules of two rooms": {
        "relay/a.py": "from protocol.b import x\n",
        "protocol/b.py": "from records import c\n",
        "records/c.py": "from relay.a import y\n",
    },
    "types only": {
        "relay/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from relay.b import B\n",
        "relay/b.py": "from relay.a import A\n",
    },
    "late": {"relay/a.py": "def f():\n    from relay import b\n", "relay/b.py": "from relay.a import f\n"},
    "relative": {"relay/a.py": "from .b import x\n", "relay/b.py": "from . import a\n"},
    "a package's own name": {
        "relay/__init__.py": "from relay.a import x\n",
        "relay/a.py": "from relay import x\n",
    },
    "itself": {"relay/a.py": "from relay.a import x\n"},
}

TYPESCRIPT_CIRCLES: dict[str, Files] = {
    "values": {
        f"{SDK}/a.ts": "import { b } from './b.js';\n",
        f"{SDK}/b.ts": "import { a } from './a.js';\n",
    },
    "types only": {
        f"{SDK}/a.ts": "import type { B } from './b.js';\n",
        f"{SDK}/b.ts": "import { type A } from './a.js';\n",
    },
    "over many lines": {
        f"{SDK}/a.ts": "import {\n  b,\n  type B,\n} from './roads/b.js';\n",
        f"{SDK}/roads/b.ts": "import '../a.js';\n",
    },
    "handed on": {f"{SDK}/a.ts": "export * from './b.js';\n", f"{SDK}/b.ts": "export { a } from './a.js';\n"},
    "loaded late": {
        f"{SDK}/a.ts": "const b = () => import('./b.js');\n",
        f"{SDK}/b.ts": "type A = typeof import('./a.js');\n",
    },
    "of the console, without endings": {
        f"{CONSOLE}/A.tsx": "import { B } from './parts';\n",
        f"{CONSOLE}/parts/index.ts": "import { A } from '../A';\n",
    },
    "itself": {f"{SDK}/a.ts": "import type { A } from './a.js';\n"},
}

#: what looks like a circle and is none
HARMLESS: dict[str, Files] = {
    "a package that hands on what is in it": {
        "relay/__init__.py": "from relay.a import x\n",
        "relay/a.py": "from relay import b\n",
        "relay/b.py": "x = 1\n",
    },
    "two ways to one module": {
        "relay/a.py": "from relay import b, c\n",
        "relay/b.py": "from relay import c\n",
        "relay/c.py": "import json\n",
    },
    "comments and packages": {
        f"{SDK}/a.ts": "import { useState } from 'react';\nimport { b } from './b.js';\n",
        f"{SDK}/b.ts": "// import { a } from './a.js';\n/*\nimport './a.js';\n*/\n",
    },
    "built files": {
        f"{SDK}/a.ts": "import { b } from '../dist/b.js';\n",
        "client/sdk/dist/b.js": "import '../src/a.js';\n",
    },
}


def _found(root: Path) -> list[list[str]]:
    return circles(python_imports(root)) + circles(typescript_imports(root))


def _plant(root: Path, files: Files) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_no_python_module_leads_back_to_itself() -> None:
    assert circles(python_imports(ROOT)) == []


def test_no_typescript_file_leads_back_to_itself_not_even_by_its_types() -> None:
    assert circles(typescript_imports(ROOT)) == []


def test_no_room_leads_back_to_itself() -> None:
    """Rooms by their top folders, so that two of them never need each other. A leaf is a room of its own."""
    rooms: dict[str, set[str]] = {}
    for name, targets in python_imports(ROOT).items():
        rooms.setdefault(_room(name), set()).update({_room(target) for target in targets} - {_room(name)})
    assert {"relay", "protocol"} <= set(rooms)
    assert circles(rooms) == []
    assert [leaf for leaf in LEAVES if rooms[leaf]] == []


def _room(file: str) -> str:
    module = file.removesuffix(".py").replace("/", ".")
    return module if module in LEAVES else module.partition(".")[0]


@pytest.mark.parametrize("kind", PYTHON_CIRCLES)
def test_a_planted_python_circle_is_found(kind: str, tmp_path: Path) -> None:
    _plant(tmp_path, PYTHON_CIRCLES[kind])
    assert _found(tmp_path) == [sorted(PYTHON_CIRCLES[kind])]


@pytest.mark.parametrize("kind", TYPESCRIPT_CIRCLES)
def test_a_planted_typescript_circle_is_found(kind: str, tmp_path: Path) -> None:
    _plant(tmp_path, TYPESCRIPT_CIRCLES[kind])
    assert _found(tmp_path) == [sorted(TYPESCRIPT_CIRCLES[kind])]


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_only_looks_like_a_circle_is_none(kind: str, tmp_path: Path) -> None:
    _plant(tmp_path, HARMLESS[kind])
    assert _found(tmp_path) == []


def test_two_circles_are_told_apart(tmp_path: Path) -> None:
    _plant(tmp_path, PYTHON_CIRCLES["two modules"])
    _plant(tmp_path, TYPESCRIPT_CIRCLES["types only"])
    assert _found(tmp_path) == [["relay/a.py", "relay/b.py"], [f"{SDK}/a.ts", f"{SDK}/b.ts"]]


def test_the_imports_of_the_checkout_are_seen() -> None:
    """No circle is found where no import is seen, too."""
    python, typescript = python_imports(ROOT), typescript_imports(ROOT)
    assert "protocol/server.py" in python["relay/call/call.py"]
    assert f"{SDK}/ondemand/index.ts" in typescript[f"{SDK}/ondemand.ts"]
    assert f"{SDK}/roads/control.ts" in typescript[f"{SDK}/call.ts"]
    assert f"{CONSOLE}/Console.tsx" in typescript[f"{CONSOLE}/main.tsx"]
