"""Puts a file in the place of another: whole or not at all, whatever moment the power goes."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, content: bytes, mode: int) -> None:
    """Writes a file whole or not at all; on disk when this returns."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
