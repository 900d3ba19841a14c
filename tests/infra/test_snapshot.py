"""The zip of the MicroVM image: named by its content, and nothing else."""

import zipfile
from pathlib import Path

from infra.deploy.snapshot import DOCKERFILE, packed

CONTENT = [("Dockerfile", b"FROM base\n"), ("python/relay/__main__.py", b"pass\n")]


def test_the_same_content_is_the_same_zip_under_the_same_name(tmp_path: Path) -> None:
    one, other = packed(CONTENT, tmp_path / "a"), packed(CONTENT, tmp_path / "b")
    assert one.name == other.name and one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert [(name, archive.read(name)) for name in archive.namelist()] == CONTENT


def test_another_content_has_another_name(tmp_path: Path) -> None:
    names = {packed(CONTENT, tmp_path).name}
    names |= {packed([CONTENT[0], ("python/relay/__main__.py", b"")], tmp_path).name}
    names |= {packed([CONTENT[0], ("python/relay/__main__.p", b"ypass\n")], tmp_path).name}
    assert len(names) == 3


def test_its_program_listens_where_the_template_says(tmp_path: Path) -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert "EXPOSE 8080 9000" in text and 'CMD ["python3.13", "-m", "relay"]' in text
