"""Whether two images are the same bytes, and if not, which files of which partition differ, and which packages of Debian."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .image import copy_sparse, digest
from .layout import MIB, Partition, read_table

#: Where an image says which packages of Debian it has, a line each: name, tab, version.
_PACKAGES = "usr/lib/parvis/packages"


def compare(first: Path, second: Path, work: Path) -> Iterator[str]:
    """What differs, in lines for a person; nothing where both are the same bytes.

    Args:
        first: An image, packed or not.
        second: Another.
        work: Folder with room for both, unpacked twice.

    Raises:
        LayoutError: One of both has no partition table.
        subprocess.CalledProcessError: One of both cannot be unpacked.
    """
    if _same(first, second):
        return
    plain = [_plain(path, work / f"{side}.img") for side, path in (("first", first), ("second", second))]
    if plain != [first, second] and _same(*plain):
        yield "only the packing differs: unpacked they are the same"
        return
    tables = [_table(path) for path in plain]
    if tables[0] != tables[1]:
        yield "the partition tables differ"
        return
    for part in tables[0]:
        taken = [_taken(path, part, work / f"{side}.part") for side, path in zip(("first", "second"), plain, strict=True)]
        if _same(*taken):
            continue
        trees = [_files(path, work / f"{path.stem}-{part.name}") for path in taken]
        lines = [*_packages(*(tree.get(_PACKAGES, ("", b""))[1] for tree in trees)), *_differing(*trees)]
        yield from (f"{part.name}: {line}" for line in lines or ["every file is the same; the file system's own bookkeeping differs"])


def _same(first: Path, second: Path) -> bool:
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as other:
        while chunk := one.read(MIB):
            if chunk != other.read(MIB):
                return False
    return True


def _plain(path: Path, out: Path) -> Path:
    if path.suffix != ".zst":
        return path
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["zstd", "--decompress", "--quiet", "--force", "--sparse", path, "-o", out], check=True)
    return out


def _table(path: Path) -> tuple[Partition, ...]:
    with path.open("rb") as file:
        return read_table(file.read(MIB))


def _taken(path: Path, part: Partition, out: Path) -> Path:
    """A partition as a file of its own, with holes."""
    with path.open("rb") as image, out.open("wb") as file:
        file.truncate(part.size_bytes)
        image.seek(part.first_byte)
        copy_sparse(image, file, part.size_bytes)
    return out


def _files(image: Path, folder: Path) -> dict[str, tuple[str, bytes]]:
    """Of each file: what it is beside its content (kind, rights, owner, time), and the digest of its content, or a link's target."""
    folder.mkdir(parents=True)
    with image.open("rb") as file:
        file.seek(1024 + 56)
        is_ext4 = file.read(2) == b"\x53\xef"
    if is_ext4:
        subprocess.run(["debugfs", "-R", f"rdump / {folder}", image], check=True, capture_output=True)
    else:
        subprocess.run(["mcopy", "-s", "-m", "-n", "-i", image, "::*", folder], check=False, capture_output=True)
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        name = str(path.relative_to(folder))
        content = b""
        if stat.S_ISLNK(about.st_mode):
            content = str(path.readlink()).encode()
        elif stat.S_ISREG(about.st_mode):
            content = path.read_bytes() if name == _PACKAGES else digest(path).encode()
        found[name] = (f"{stat.filemode(about.st_mode)} {about.st_uid}:{about.st_gid} {int(about.st_mtime)}", content)
    return found


def _packages(first: bytes, second: bytes) -> Iterator[str]:
    """Which packages have other versions."""
    versions = [dict(line.split("\t") for line in text.decode().splitlines() if "\t" in line) for text in (first, second)]
    for name in sorted({*versions[0], *versions[1]}):
        old, new = (each.get(name, "not there") for each in versions)
        if old != new:
            yield f"package {name}: {old}, {new}"


def _differing(first: dict[str, tuple[str, bytes]], second: dict[str, tuple[str, bytes]]) -> Iterator[str]:
    for name in sorted({*first, *second}):
        if name not in second or name not in first:
            yield f"/{name}: only in the {'first' if name in first else 'second'}"
        elif first[name] != second[name]:
            (how, what), (other, changed) = first[name], second[name]
            yield f"/{name}: {'other content' if what != changed else f'{how}, {other}'}"
