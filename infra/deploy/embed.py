"""Copies sources into template.yaml where it wants their text: `python -m infra.deploy.embed`.

CloudFormation takes the edge function and a container's command as text only. A block that begins with
`|  # from <path>` holds that file; a test fails when the two differ.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"

_BLOCK = re.compile(r"^( *)(.*)\|  # from (\S+)\n((?:\1 +.*\n|\n(?=\1 |\n))*)", re.MULTILINE)


def embed(template: str, root: Path = ROOT) -> str:
    """The template with every such block as its file is now."""

    def fill(found: re.Match[str]) -> str:
        indent, before, name = found[1], found[2], found[3]
        deeper = indent + "  "
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        text = "".join(f"{deeper}{line}\n" if line else "\n" for line in lines)
        return f"{indent}{before}|  # from {name}\n{text}"

    return _BLOCK.sub(fill, template)


def main() -> None:
    TEMPLATE.write_text(embed(TEMPLATE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
