"""A bundle as one file, and back: a plain tar, the same bytes for the same files; nothing but a bundle's own files is ever unpacked."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from parvis_contract import CommandRefusal, ModelRef
from parvis_contract.card import Card
from pydantic import ValidationError

from .errors import UpdateError

#: A bundle has so many files at most (card, model, licence, golden samples), of so many bytes in all: what a unit's memory bears.
MOST_FILES = 8
MOST_BYTES = 256 * 1024 * 1024


def files_of(card: Card) -> tuple[str, ...]:
    """The files of a bundle, in the order of the archive: the card first."""
    return ("card.json", card.model_file, card.licence.file, *([card.golden.file] if card.golden else []))


def target_name(model: ModelRef) -> str:
    """Under which a bundle is listed."""
    return f"models/{model.name}/{model.version}.tar"


def pack(folder: Path) -> bytes:
    """A bundle's archive: no times, no owners, a fixed order, so that the same bundle gives the same bytes.

    Args:
        folder: Of the bundle.

    Raises:
        OSError: A file is not there.
        pydantic.ValidationError: Its card is not a card.
    """
    card = Card.model_validate_json((folder / "card.json").read_bytes())
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in files_of(card):
            raw = (folder / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(raw), 0o644
            tar.addfile(member, io.BytesIO(raw))
    return whole.getvalue()


def unpack(archive: Path, folder: Path, model: ModelRef) -> None:
    """Unpacks a bundle into a new folder; when this returns, it is on disk.

    Args:
        archive: The tar.
        folder: Must not be there yet.
        model: Which bundle it must be.

    Raises:
        UpdateError: It is not that bundle, or holds what a bundle does not.
        OSError: The disk takes it not.
    """
    try:
        with tarfile.open(archive, mode="r:") as tar:
            members = _checked(tar)
            first = tar.extractfile(members[0])
            card = Card.model_validate_json(first.read() if first else b"")
            if (card.name, card.version) != (model.name, model.version):
                raise _not_a_bundle(f"its card is of {card.name} {card.version}")
            if tuple(member.name for member in members) != files_of(card):
                raise _not_a_bundle(f"it holds {', '.join(member.name for member in members)}; its card names {', '.join(files_of(card))}")
            folder.mkdir(parents=True)
            for member in members:
                source = tar.extractfile(member)
                _write(folder / member.name, source.read() if source else b"")
    except (tarfile.TarError, ValidationError) as error:
        raise _not_a_bundle(str(error).splitlines()[0]) from None


def _checked(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """The members, in order; no more of a hostile archive is read than it takes to refuse it."""
    members: list[tarfile.TarInfo] = []
    room = MOST_BYTES
    while (member := tar.next()) is not None:
        room -= member.size
        plain = member.isreg() and not member.issparse() and Path(member.name).name == member.name and not member.name.startswith(".")
        if not plain or room < 0 or len(members) >= MOST_FILES:
            raise _not_a_bundle(f"{member.name!r}: plain files without a folder, {MOST_FILES} and {MOST_BYTES // 1_000_000} MB at most")
        members.append(member)
    if not members or members[0].name != "card.json":
        raise _not_a_bundle("card.json comes first")
    return members


def _write(path: Path, raw: bytes) -> None:
    with path.open("xb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _not_a_bundle(why: str) -> UpdateError:
    return UpdateError(CommandRefusal.NOT_SUPPORTED, f"not a bundle that this program can use: {why}")
