"""Import circles: files that lead back to themselves by what they import, types and late imports included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.architecture.walls import ROOMS, sources

Imports = Mapping[str, set[str]]  #: file -> files it imports

#: roots of TypeScript sources
TYPESCRIPT = ("client/sdk/src", "client/console/src")

#: `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`, also as a type
SPECIFIER = re.compile(
    r"""^\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s*)?\s*['"](\.[^'"]*)['"]|\bimport\(\s*['"](\.[^'"]*)['"]""",
    re.MULTILINE,
)
COMMENT = re.compile(r"/\*[\s\S]*?\*/|^\s*//[^\n]*", re.MULTILINE)


def python_imports(root: Path) -> Imports:
    """Which modules of ours import which, wherever in the file it stands."""
    files = {name: path for name, path in sources(root, {".py"}) if name.split("/")[0] in ROOMS}
    return {name: set(_python_targets(name, path, files)) for name, path in files.items()}


def typescript_imports(root: Path) -> Imports:
    """The same for the client's sources; `./x.js` and `./x` are x.ts or x.tsx."""
    files: dict[str, Path] = {}
    for folder in TYPESCRIPT:
        for path in sorted((root / folder).rglob("*.ts*")):
            files[path.relative_to(root).as_posix()] = path
    return {name: set(_typescript_targets(root, path, files)) for name, path in files.items()}


def circles(imports: Imports) -> list[list[str]]:
    """Every set of files that all lead to each other, and every file that imports itself; sorted."""
    reached = {name: _reachable(name, imports) for name in imports}
    found = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in imports
        if name in reached[name]
    }
    return sorted(map(list, found))


def _reachable(start: str, imports: Imports) -> set[str]:
    """Files that an import or a chain of them leads to from `start`."""
    found: set[str] = set()
    left = list(imports[start])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(imports[name])
    return found


def _python_targets(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [_file(alias.name, files) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = name.split("/")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            # A module of that name, else a name in the package or module itself.
            modules = [_file(f"{base}.{alias.name}", files) or _file(base, files) for alias in node.names]
        else:
            continue
        yield from (module for module in modules if module)


def _file(module: str, files: Mapping[str, Path]) -> str | None:
    stem = module.replace(".", "/")
    return next((file for file in (f"{stem}.py", f"{stem}/__init__.py") if file in files), None)


def _typescript_targets(root: Path, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    text = COMMENT.sub("", path.read_text(encoding="utf-8"))
    for static, dynamic in SPECIFIER.findall(text):
        target = (path.parent / (static or dynamic)).resolve()
        stem = target.relative_to(root.resolve()).as_posix().removesuffix(".js")
        yield from (file for file in (stem, f"{stem}.ts", f"{stem}.tsx", f"{stem}/index.ts") if file in files)
