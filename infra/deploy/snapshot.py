"""Writes the zip of which AWS builds the relay's MicroVM image: `python -m infra.deploy.snapshot`.

A Dockerfile and the relay's bundle, the same as a task's. Its name has the digest of its content, so that an
upload under it changes `MicrovmCode`, and with that the image, exactly when the relay has changed. SAM
uploads functions and layers by itself; of images only its newest releases do (aws-sam-cli#9283).
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

from infra.deploy import bundle

DOCKERFILE = bundle.ROOT / "infra" / "relay" / "microvm.Dockerfile"
PLACE = bundle.ROOT / ".aws-sam"
EPOCH = (1980, 1, 1, 0, 0, 0)  #: of every file, so that the same content is the same zip


def write(directory: Path, *, platform: str = bundle.TARGET) -> Path:
    """The zip, by a name with its digest."""
    with tempfile.TemporaryDirectory() as place:
        bundle.build("relay", Path(place), platform=platform)
        files = sorted(file for file in Path(place).rglob("*") if file.is_file())
        content = [(file.relative_to(place).as_posix(), file.read_bytes()) for file in files]
    return packed([("Dockerfile", DOCKERFILE.read_bytes()), *content], directory)


def packed(content: list[tuple[str, bytes]], directory: Path) -> Path:
    """A zip of these files. The same content gets the same name."""
    digest = hashlib.sha256()
    for name, data in content:
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"relay-snapshot-{digest.hexdigest()[:16]}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return path


def main() -> None:
    path = write(Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE)
    print(f"aws s3 cp {path} s3://BUCKET/{path.name}")
    print(f"MicrovmCode: s3://BUCKET/{path.name}")


if __name__ == "__main__":
    main()
