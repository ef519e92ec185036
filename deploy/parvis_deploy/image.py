"""From a root's folder to files that are written to cards: the file systems, the table, and what is listed beside them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import IO

from parvis_edge.card.loader import SystemdBoot, autoboot, kernel_options

from .layout import MIB, ROOT_MIB, SECTOR_BYTES, Flavour, Partition, disk_bytes, partitions, table

#: Of a file system's identifiers and of the order of its directories: fixed, so that two builds are the same bytes.
_NAMESPACE = uuid.UUID("0d7d8a5e-0c5b-4a43-9a51-5d1f5b7c2f10")


_ZEROS = bytes(MIB)
#: Of a FAT file system; FAT32 has 65,525 at least. Fewer and larger ones are written sooner than those of one sector that mkfs.vfat takes.
_CLUSTERS = 131_072


def root_image(root: Path, out: Path, version: str, epoch: int) -> None:
    """Makes the root's file system, ext4, as small as it goes plus a tenth.

    Args:
        root: The folder.
        out: The file.
        version: Names the file system.
        epoch: POSIX seconds.
    """
    size_mib = min(ROOT_MIB, _used_bytes(root) * 11 // 10 // MIB + 64)
    out.unlink(missing_ok=True)
    name = str(uuid.uuid5(_NAMESPACE, version))
    options = [
        "-t",
        "ext4",
        "-q",
        "-F",
        "-m",
        "0",
        "-b",
        "4096",
        "-U",
        name,
        "-E",
        f"hash_seed={name},root_owner=0:0",
        "-L",
        "parvis-root",
        "-O",
        "^has_journal,^resize_inode",
    ]
    clock = {**os.environ, "E2FSPROGS_FAKE_TIME": str(epoch), "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(["mke2fs", *options, "-d", root, out, f"{size_mib}M"], check=True, env=clock)
    _settle_times(root, out, epoch, clock)


def _used_bytes(root: Path) -> int:
    """What a folder takes in blocks of 4 KiB, whatever file system it lies on."""
    sizes = (each.lstat().st_size if each.is_file() and not each.is_symlink() else 1 for each in root.rglob("*"))
    return sum((size + 4095) // 4096 * 4096 for size in sizes)


def _settle_times(root: Path, image: Path, epoch: int, clock: dict[str, str]) -> None:
    """mke2fs copies the moments at which the folder's files were made, which no program can set; they are put right in the image."""
    names = ["/", "/lost+found", *sorted(f"/{each.relative_to(root)}" for each in root.rglob("*"))]
    fields = ("ctime", "atime", "mtime", "crtime")
    stamp = f"@{epoch}"
    lines = [f'sif "{name}" {field} {stamp}' for name in names for field in fields]
    lines += [f'sif "{name}" {field}_extra 0' for name in names for field in ("ctime", "atime", "mtime")]
    with tempfile.NamedTemporaryFile("w", suffix=".debugfs") as script:
        script.write("\n".join(lines) + "\n")
        script.flush()
        subprocess.run(
            ["debugfs", "-w", "-f", script.name, image], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clock
        )


def boot_images(root: Path, flavour: Flavour, version: str, folder: Path, epoch: int) -> dict[str, Path]:
    """The FAT file systems of a flavour, by the name of their partition.

    Args:
        root: The root's folder.
        flavour: Which.
        version: Of the root.
        folder: Where they are made.
        epoch: POSIX seconds.
    """
    tree = folder / "boot"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    files = root / "usr/lib/parvis/boot"
    trees = {"parvis-boot": tree}
    if flavour == "generic":
        loader = tree / "EFI/BOOT/BOOTAA64.EFI"
        loader.parent.mkdir(parents=True)
        shutil.copy(root / "usr/lib/systemd/boot/efi/systemd-bootaa64.efi", loader)
        boot = SystemdBoot(tree)
        boot.place("a", files, version)
        boot.offer("a", version, tries=None)
        (tree / "loader/loader.conf").write_text("timeout 0\neditor no\nauto-entries no\nauto-firmware no\n")
    else:
        (tree / "autoboot.txt").write_bytes(autoboot("a"))
        firmware = folder / "firmware"
        shutil.rmtree(firmware, ignore_errors=True)
        shutil.copytree(files, firmware)
        (firmware / "cmdline.txt").write_text(kernel_options("a") + "\n")
        trees["parvis-firmware-a"] = firmware
    sizes = {part.name: part.size_bytes for part in partitions(flavour)}
    return {name: _fat(each, folder / f"{name}.fat", sizes[name], epoch) for name, each in trees.items()}


def _fat(tree: Path, out: Path, size_bytes: int, epoch: int) -> Path:
    """A FAT32 file system with a folder's content, in the order of the names."""
    out.unlink(missing_ok=True)
    clock = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC"}
    label = out.stem.upper().replace("-", "")[:11]
    serial = f"{uuid.uuid5(_NAMESPACE, out.stem).time_low:08x}"
    shape = ["-F", "32", "-s", str(size_bytes // (_CLUSTERS * SECTOR_BYTES)), "--invariant", "-i", serial, "-n", label]
    subprocess.run(["mkfs.vfat", *shape, "-C", out, str(size_bytes // 1024)], check=True, env=clock, stdout=subprocess.DEVNULL)
    for each in sorted(tree.rglob("*")):
        os.utime(each, (epoch, epoch))
        inside = f"::{each.relative_to(tree)}"
        make = ["mmd", "-i", str(out), inside] if each.is_dir() else ["mcopy", "-m", "-i", str(out), str(each), inside]
        subprocess.run(make, check=True, env=clock)
    return out


def card_image(flavour: Flavour, root: Path, boots: dict[str, Path], out: Path) -> tuple[Partition, ...]:
    """Puts table and file systems together, as a file with holes; the spare slot and the data partition are empty."""
    parts = partitions(flavour)
    size = disk_bytes(parts)
    first, last = table(parts, size)
    content = {**boots, "parvis-root-a": root}
    with out.open("wb") as card:
        card.truncate(size)
        card.write(first)
        card.seek(size - len(last))
        card.write(last)
        for part in parts:
            if part.name in content:
                card.seek(part.first_byte)
                with content[part.name].open("rb") as source:
                    copy_sparse(source, card, part.size_bytes)
    return parts


def copy_sparse(source: IO[bytes], target: IO[bytes], count: int) -> None:
    """Copies so many bytes, or as many as there are; where a MiB holds nothing but zeros, the target keeps what it has."""
    while count and (chunk := source.read(min(count, MIB))):
        count -= len(chunk)
        if chunk == _ZEROS[: len(chunk)]:
            target.seek(len(chunk), os.SEEK_CUR)
        else:
            target.write(chunk)


def pack(path: Path, target: Path) -> str:
    """Packs a file, always into the same bytes; gives their SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["zstd", "-q", "-f", "-9", "--single-thread", "--no-progress", path, "-o", target], check=True)
    return digest(target)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(path: Path, **facts: str | int) -> None:
    """Lists what was made, for ``parvis-deploy flash`` and whoever compares two builds."""
    path.write_text(json.dumps(facts, indent=2) + "\n")
