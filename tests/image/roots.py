"""Other roots of the image that is tried: one that is as good, and some that are not, made without being mounted."""

from __future__ import annotations

import subprocess
import tempfile
from functools import partial
from pathlib import Path


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an image, once."""
    plain = folder / "root.img"
    if not plain.exists():
        subprocess.run(["zstd", "-q", "-d", archive, "-o", plain], check=True)
    return plain


def variant(plain: Path, flavour: str, version: str, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    """The same root under another version, packed.

    Args:
        plain: The root's file system.
        flavour: Stays what it is.
        version: Of the new one.
        folder: Where it goes.
        without: Files that it is to lack.
    """
    del flavour
    packed = folder / f"{version}.img.zst"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        image, named = Path(work) / "root.img", Path(work) / "version"
        subprocess.run(["cp", "--sparse=always", plain, image], check=True)
        named.write_text(f"{version}\n")
        lines = ["rm /usr/lib/parvis/version", f"write {named} /usr/lib/parvis/version", *(f"rm {each}" for each in without)]
        done = subprocess.run(["debugfs", "-w", "-f", "-", image], input="\n".join(lines), capture_output=True, text=True, check=True)
        complaints = [line for line in done.stderr.splitlines() if "File not found" in line]
        if complaints:
            raise SystemExit(f"{plain}: {complaints}")
        subprocess.run(["zstd", "-q", "-1", image, "-o", packed], check=True)
    return packed


#: What a unit cannot start without: the part that puts it together, as a program and as Python compiled it.
_UNIT = ("/opt/parvis/lib/parvis_edge/unit.py", "/opt/parvis/lib/parvis_edge/__pycache__/unit.cpython-311.pyc")

#: The same root, whose unit cannot start.
broken = partial(variant, without=_UNIT)


def bare(plain: Path, flavour: str, version: str, folder: Path) -> Path:
    """A root that has a kernel and its initial files, which an update looks for, and nothing else: no first program.

    Args:
        plain: The root's file system.
        flavour: Of the card that it calls itself made for.
        version: Of the new one.
        folder: Where it goes.
    """
    packed = folder / f"{version}.img.zst"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        ours, image = Path(work) / "root/usr/lib/parvis", Path(work) / "root.img"
        ours.mkdir(parents=True)
        subprocess.run(["debugfs", "-R", f"rdump /usr/lib/parvis/boot {ours}", plain], capture_output=True, check=True)
        (ours / "version").write_text(f"{version}\n")
        (ours / "flavour").write_text(f"{flavour}\n")
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", Path(work) / "root", image, "128M"], check=True)
        subprocess.run(["zstd", "-q", "-1", image, "-o", packed], check=True)
    return packed
