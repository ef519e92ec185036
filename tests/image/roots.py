"""Other roots of the image that is tried: one that is as good, and some that are not, made without being mounted."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an image, once."""
    plain = folder / "root.img"
    if not plain.exists():
        subprocess.run(["zstd", "-q", "-d", archive, "-o", plain], check=True)
    return plain


def variant(plain: Path, version: str, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    """The same root under another version, packed.

    Args:
        plain: The root's file system.
        version: Of the new one.
        folder: Where it goes.
        without: Files that it is to lack.
    """
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
