"""Writes a card: says what will be lost, refuses what must not be, writes, reads back, and puts in what makes the card one unit's."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from parvis_contract.enrolling import ClaimFile
from parvis_edge.card.slot_image import CHUNK_BYTES, read_exactly, write_all
from pydantic import ValidationError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from .layout import MIB, LayoutError, Partition, grown, read_table, table


class FlashError(Exception):
    """This is not written; says why and what to do."""


@dataclass(frozen=True)
class Target:
    """What will be overwritten.

    Attributes:
        path: A device, or a file that stands for one.
        size_bytes: How large it is; 0 for a file that is not there yet.
        device: Whether it is a device.
        lines: What stands on it, for a person.
        mounted: Where parts of it are in use.
    """

    path: Path
    size_bytes: int
    device: bool
    lines: tuple[str, ...]
    mounted: tuple[str, ...]


def look_at(path: Path) -> Target:
    """What stands on a device or in a file now.

    Raises:
        FlashError: It is neither, or it cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir() or str(path).startswith("/dev/"):
            raise FlashError(f"{path}: is not there; `lsblk` lists the devices") from None
        return Target(path, 0, False, ("a new file",), ())
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}") from None
    if stat.S_ISREG(mode):
        return Target(path, path.stat().st_size, False, _partitions(path), ())
    if not stat.S_ISBLK(mode):
        raise FlashError(f"{path}: neither a device nor a file")
    asked = ["lsblk", "--json", "--bytes", "--paths", "--output", "NAME,TYPE,SIZE,LABEL,PARTLABEL,FSTYPE,MODEL,MOUNTPOINTS", str(path)]
    shown = subprocess.run(asked, capture_output=True, text=True, check=False)
    if shown.returncode:
        raise FlashError(f"{path}: {shown.stderr.strip()}")
    return of_lsblk(path, json.loads(shown.stdout)["blockdevices"][0])


def of_lsblk(path: Path, disk: dict[str, Any]) -> Target:
    """What ``lsblk --json`` says of a disk.

    Raises:
        FlashError: It is a part of a disk, not the whole.
    """
    if disk["type"] not in ("disk", "loop"):
        raise FlashError(f"{path}: is a {disk['type']} of a disk; name the whole disk, such as /dev/sdb")
    lines, mounted = [f"{(disk.get('model') or 'a disk').strip()}, {disk['size'] / 1e9:.1f} GB"], []
    waiting = [disk]
    while waiting:
        each = waiting.pop(0)
        waiting += each.get("children") or []
        at = [point for point in each.get("mountpoints") or [] if point]
        mounted += at
        if each is not disk:
            label = each.get("label") or each.get("partlabel") or "no label"
            use = f", in use at {', '.join(at)}" if at else ""
            lines.append(f"{each['name']}: {each['size'] / 1e9:.1f} GB, {each.get('fstype') or 'empty'}, {label}{use}")
    return Target(path, int(disk["size"]), True, tuple(lines), tuple(mounted))


def refuse(target: Target) -> None:
    """Raises FlashError where something of the target is in use: the system's own disk always is."""
    if any(point in ("/", "/boot", "/boot/efi", "/usr", "/var", "[SWAP]") for point in target.mounted):
        raise FlashError(f"{target.path}: is the disk of this system")
    if target.mounted:
        points = ", ".join(target.mounted)
        raise FlashError(f"{target.path}: is in use at {points}. Let go of it first:\n  sudo umount {' '.join(target.mounted)}")


@dataclass(frozen=True)
class Image:
    """A packed image and what is listed beside it."""

    path: Path
    flavour: str
    version: str
    size_bytes: int
    sha256: str
    sha256_unpacked: str


def read_image(path: Path) -> Image:
    """Reads what ``make image`` listed beside an image, and checks the image against it.

    Raises:
        FlashError: One of both is missing, or they do not go together.
    """
    listed = path.with_suffix("").with_suffix(".json")
    try:
        facts = json.loads(listed.read_text())
        image = Image(path, *(facts[name] for name in ("flavour", "version", "size_bytes", "sha256", "sha256_unpacked")))
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FlashError(f"{error.filename}: {error.strerror}; `make image` makes it, or take it from a release") from None
    except (ValueError, KeyError) as error:
        raise FlashError(f"{listed}: does not describe an image: {error}") from None
    if found != image.sha256:
        raise FlashError(f"{path}: is not the file that {listed.name} describes; fetch it again")
    return image


def read_claim(path: Path, site: str | None, unit: str) -> bytes:
    """The claim file, if it is of this unit.

    Raises:
        FlashError: It is of another, or none.
    """
    try:
        raw = path.read_bytes()
        claim = ClaimFile.model_validate_json(raw)
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}; `parvis-hub fleet claim --write {path}` makes it") from None
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors())
        raise FlashError(f"{path}: is no claim: {told}") from None
    if claim.unit != unit or (site is not None and claim.site != site):
        raise FlashError(f"{path}: is the claim of {claim.site}/{claim.unit}, not of {site or claim.site}/{unit}")
    return raw


def read_trusted(path: Path) -> bytes:
    """The root metadata of a repository of updates.

    Raises:
        FlashError: It is none.
    """
    try:
        raw = path.read_bytes()
        Metadata[Root].from_bytes(raw)
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}") from None
    except RepositoryError as error:
        raise FlashError(f"{path}: is no root metadata: {error}") from None
    return raw


def write(image: Image, target: Target, told: Callable[[str, int, int], None]) -> tuple[Partition, ...]:
    """Writes an image, gives the data partition all that is left, and reads back what was written.

    Args:
        image: Checked.
        target: Not in use.
        told: Is given what is done, how many bytes are behind, and of how many.

    Returns:
        The card's partitions.

    Raises:
        FlashError: It does not fit, cannot be unpacked, or reads back otherwise.
    """
    size = max(target.size_bytes, image.size_bytes) if not target.device else target.size_bytes
    hashes = hashlib.sha256()
    try:
        with target.path.open("r+b" if target.path.exists() else "w+b", buffering=0) as card, _unpacked(image.path) as source:
            beginning = source.read(MIB)
            parts = grown(read_table(beginning), size)
            if not target.device:
                card.truncate(size)
            # The table last: a card that was pulled out half-way has none, and nobody takes it for a good one.
            _put(card, 0, b"\0" * MIB)
            hashes.update(beginning)
            # Past the first root the image is empty: what stands there on the card may stay, but for what an old card's data began with.
            used_to = parts[-2].first_byte
            at = MIB
            while chunk := source.read(min(CHUNK_BYTES, used_to - at)) if at < used_to else source.read(CHUNK_BYTES):
                hashes.update(chunk)
                if at < used_to:
                    _put(card, at, chunk)
                at += len(chunk)
                told("writing", min(at, used_to), used_to)
            if hashes.hexdigest() != image.sha256_unpacked:
                raise FlashError(f"{image.path}: unpacks to something else than it should; fetch it again")
            _put(card, parts[-1].first_byte, b"\0" * min(4 * MIB, parts[-1].size_bytes))
            first, last = table(parts, size)
            _put(card, size - len(last), last)
            _put(card, 0, first + beginning[len(first) :])
            os.fsync(card.fileno())
    except LayoutError as error:
        raise FlashError(f"{target.path}: {error}") from None
    except OSError as error:
        raise FlashError(f"{target.path}: {error.strerror}") from None
    _read_back(image, target.path, first, used_to, told)
    return parts


def _read_back(image: Image, path: Path, first: bytes, used_to: int, told: Callable[[str, int, int], None]) -> None:
    with path.open("rb", buffering=0) as card, _unpacked(image.path) as source:
        os.posix_fadvise(card.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        at = 0
        while at < used_to:
            expected = source.read(min(CHUNK_BYTES, used_to - at))
            if at == 0:
                expected = first + expected[len(first) :]
            if read_exactly(card, len(expected)) != expected:
                raise FlashError(f"{path}: reads back otherwise than it was written, near byte {at}; try another card")
            at += len(expected)
            told("reading back", at, used_to)


def personalise(path: Path, parts: Sequence[Partition], files: Mapping[str, bytes]) -> None:
    """Puts a card's own files on the boot partition, and reads them back.

    Raises:
        FlashError: mtools is missing, or the partition takes nothing.
    """
    boot = parts[0]
    at = f"{path}@@{boot.first_byte}"
    for name, content in files.items():
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            _mtools("mcopy", "-o", "-i", at, file.name, f"::{name}")
        if _mtools("mtype", "-i", at, f"::{name}") != content:
            raise FlashError(f"{path}: {name} reads back otherwise than it was written; try another card")
    with path.open("rb") as card:
        os.fsync(card.fileno())


def _mtools(*command: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})
    except FileNotFoundError:
        raise FlashError(f"{command[0]} is missing here. Install it:\n  sudo apt install mtools") from None
    if done.returncode:
        raise FlashError(f"the boot partition takes nothing: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


@contextmanager
def _unpacked(path: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202
    try:
        zstd = subprocess.Popen(["zstd", "--decompress", "--stdout", "--quiet", "--", path], stdout=subprocess.PIPE)
    except FileNotFoundError:
        raise FlashError("zstd is missing here. Install it:\n  sudo apt install zstd") from None
    with zstd:
        try:
            yield zstd.stdout
        finally:
            zstd.kill() if zstd.poll() is None else None


def _put(card: IO[bytes], at: int, content: bytes) -> None:
    card.seek(at)
    write_all(card, content)


def _partitions(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        beginning = file.read(MIB)
    size = f"a file of {path.stat().st_size / 1e9:.1f} GB"
    try:
        return (size, *(f"{part.name}: {part.size_bytes / 1e9:.1f} GB" for part in read_table(beginning)))
    except LayoutError:
        return (size,)
