"""The last command of each type on disk: whole or not at all, whatever moment the power goes."""

from __future__ import annotations

import os
from pathlib import Path


class CommandFiles:
    """One file per type of command, as it came.

    Args:
        folder: Where; made at the first writing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Of the command of this type (short name)."""
        return self._folder / f"{name}.json"

    def read(self, name: str) -> bytes | None:
        """The last that was kept; None if there is none.

        Raises:
            OSError: It is there and cannot be read.
        """
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, raw: bytes) -> None:
        """Puts a command in place of the one before; when this returns, it is on disk.

        Raises:
            OSError: The disk takes nothing; the one before is still there.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self.path(name)
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
