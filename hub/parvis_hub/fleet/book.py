"""The authority's own book, beside its key: what it has signed, and what counts no more; lines are only ever added.

The register is in the hub's store, and a store that was made of a backup has forgotten what happened since. What the book has of revoked
certificates and spent claims wins over it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import structlog
from parvis_contract import Closed
from pydantic import Field, TypeAdapter, ValidationError

from .authority import Kind

log = structlog.get_logger("parvis.hub.fleet")


class Issued(Closed):
    """A certificate was signed.

    Attributes:
        serial: Its number.
        pem: It.
        whose: Whose it is.
    """

    entry: Literal["issued"] = "issued"
    serial: str
    pem: str
    whose: Kind


class Revoked(Closed):
    """A certificate counts no more.

    Attributes:
        serial: Its number.
        at_us: Since when, microseconds since 1970.
    """

    entry: Literal["revoked"] = "revoked"
    serial: str
    at_us: int


class Spent(Closed):
    """A claim's code counts no more: it was used, or another took its place.

    Attributes:
        digest: Of the code.
    """

    entry: Literal["spent"] = "spent"
    digest: str


Entry = Issued | Revoked | Spent
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="entry")])


class Book:
    """The book of one authority. Any thread, and any process beside, may add to it.

    Args:
        path: Its file; made with the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> list[Entry]:
        """Everything that is in it, the oldest first.

        Raises:
            OSError: It is there and cannot be read.
        """
        found: list[Entry] = []
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return found
        for number, line in enumerate(lines, 1):
            try:
                found += [_ENTRY.validate_json(line)] if line else []
            except ValidationError:
                # The power went while it was written, and whoever wrote it was told that it failed.
                log.warning("a line of the authority's book cannot be read; it is passed over", file=str(self._path), line=number)
        return found

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds entries; on disk when this returns.

        Raises:
            OSError: The disk takes them not.
        """
        # A line that was cut off ends here.
        text = "".join(f"\n{entry.model_dump_json()}" for entry in entries)
        if not text:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            raw = text.encode() + b"\n"
            if file.write(raw) != len(raw):
                raise OSError(28, "No space left on device", str(self._path))
            os.fsync(descriptor)
