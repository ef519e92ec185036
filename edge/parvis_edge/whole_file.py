"""Puts a file in the place of another: whole or not at all, whatever moment the power goes."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, raw: bytes) -> None:
    """Writes a file, readable by its owner alone; when this returns, it is on disk.

    Args:
        path: Its folder is made where it is not there.
        raw: What it is to hold.

    Raises:
        OSError: The disk takes nothing; the one before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """When this returns, a file is on disk; or what was renamed, made or removed in a folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
