"""Where a unit keeps what is usual from one run to the next: a folder beside the outbox, one file of numbers per level of a zone."""

from __future__ import annotations

from pathlib import Path

import structlog

from .whole_file import replace_file

_log = structlog.get_logger()


class BaselineFolder:
    """Files by name, read and written whole; a disk that fails is told, and stops nothing.

    Args:
        folder: Where; made at the first writing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """What was last written under this name; None if there is nothing that can be read."""
        path = self._folder / f"{name}.json"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("what is usual cannot be read; it is learned anew", file=str(path), why=error.strerror)
            return None

    def write(self, name: str, raw: bytes) -> None:
        """Puts it in the place of what was there."""
        path = self._folder / f"{name}.json"
        try:
            replace_file(path, raw)
        except OSError as error:
            _log.warning("what is usual cannot be kept; it is tried again in an hour", file=str(path), why=error.strerror)
