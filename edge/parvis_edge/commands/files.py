"""The last command of each type on disk: whole or not at all, whatever moment the power goes."""

from __future__ import annotations

from pathlib import Path

from parvis_edge.whole_file import replace_file


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
        replace_file(self.path(name), raw)
