"""The steps of one update, in order, each of which may be the last that a power cut lets happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog
from parvis_contract import CommandRefusal, ModelRef

from .archive import target_name
from .errors import UpdateError
from .golden import prove
from .repository import Repository, disk_trouble
from .shelf import Shelf
from .state import Held

_log = structlog.get_logger()


def install(shelf: Shelf, repository: Repository, model: ModelRef, sha256: str, prove: Callable[[Path], None] = prove) -> bool:
    """Brings a model into the spare slot and on trial; the program that runs, or the next start, uses it from then on.

    Listed, fetched, unpacked, proved, on trial. After a kill at any point the same call goes on, or does it again.

    Args:
        shelf: Where it goes.
        repository: Where it is from.
        model: Name and version.
        sha256: Of the archive, as the release names it.
        prove: Runs the golden samples of the bundle in a folder; raises UpdateError.

    Returns:
        False if it is in use already, on trial or for good; then nothing was done.

    Raises:
        UpdateError: It is not taken.
    """
    wanted = Held(version=model.version, sha256=sha256)
    try:
        state = shelf.state(model.name)
        if wanted == state.held(state.trial or state.current):
            return False
        repository.refresh()
        listed = repository.find(target_name(model))
        if listed.sha256 != sha256:
            why = f"{listed.name} has the SHA-256 {listed.sha256}, the release names {sha256}; release what is listed"
            raise UpdateError(CommandRefusal.NOT_PERMITTED, why)
        if state.trial is None and state.held(state.spare) == wanted:
            # The version before: it is here still, and was proved; but a disk ages.
            prove(shelf.slot_folder(model.name, state.spare))
        else:
            archive = shelf.folder / "fetched" / f"{model.name}.tar"
            repository.fetch_target(listed.name, archive)
            _log.info("fetched", model=model.name, version=model.version, bytes=listed.length)
            slot = shelf.fill(model, archive)
            prove(slot)
            archive.unlink()
        shelf.change(model.name, lambda state: state.tried(wanted))
    except OSError as error:
        raise disk_trouble(error) from None
    _log.info("on trial", model=model.name, version=model.version)
    return True
