"""A new root, from the signed repository into the spare slot."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from parvis_contract import CommandRefusal

from parvis_edge.update.errors import UpdateError

from . import slot_image
from .loader import Loader, Slot, other
from .record import Outcome, RootState, Wish, write_outcome

_log = structlog.get_logger()

#: Fetches a target to a file, and says the SHA-256 of what it fetched.
Fetch = Callable[[str, Path], str]


@dataclass(frozen=True)
class Card:
    """What an update touches.

    Attributes:
        flavour: Of this card.
        version: Of the root that runs.
        slot: That runs.
        device: Partition of a slot.
        loader: What starts it.
        state: Folder of root's own state, on the data partition.
    """

    flavour: str
    version: str
    slot: Slot
    device: Callable[[Slot], Path]
    loader: Loader
    state: Path

    @property
    def outcome(self) -> Path:
        """Where the last update's outcome is kept."""
        return self.state / "outcome.json"


def take(card: Card, wish: Wish, last: Outcome | None, fetch: Fetch, before: str) -> Outcome:
    """Does all of an update but the new start. Can be interrupted at any instruction, and begun again: it goes on from there.

    Args:
        card: What it touches.
        wish: What is asked for.
        last: Outcome of the last one.
        fetch: Reads the repository.
        before: How the unit is now.

    Returns:
        ``trying``, or ``good`` where that root runs already; kept on disk.

    Raises:
        UpdateError: It is not to be had, is for another card, is damaged, or has fallen back here before.
        OSError: The disk takes nothing.
    """
    fallen = last.fallen if last else []
    outcome = Outcome(version=wish.version, sha256=wish.sha256, state=RootState.FETCHING, before=before, fallen=fallen)
    if wish.version == card.version:
        return _keep(card, outcome.model_copy(update={"state": RootState.GOOD, "slot": card.slot}))
    if wish.sha256 in fallen:
        raise _refused("it has been tried on this card, and was not good; publish another version")
    _keep(card, outcome)
    archive = card.state / "root.img.zst"
    if (fetched := fetch(f"roots/{card.flavour}/{wish.version}.img.zst", archive)) != wish.sha256:
        why = f"the repository lists {fetched[:12]}… under this version, and {wish.sha256[:12]}… was asked for"
        raise UpdateError(CommandRefusal.NOT_PERMITTED, why)
    spare = other(card.slot)
    device = card.device(spare)
    # First of all: until everything stands, nothing may start from there, whatever happens meanwhile.
    card.loader.withdraw(spare)
    _keep(card, outcome.model_copy(update={"state": RootState.WRITING, "slot": spare}))
    try:
        written = slot_image.write(archive, device, _progress("writing"))
        slot_image.check(archive, device, _progress("reading back"))
    except slot_image.SlotError as error:
        raise _refused(str(error)) from None
    _log.info("the new root is in its slot", slot=spare, written_bytes=written)
    with tempfile.TemporaryDirectory() as folder:
        files = _boot_files(device, Path(folder))
        named = [(files.parent / each).read_text().strip() for each in ("flavour", "version")]
        if named != [card.flavour, wish.version]:
            raise _refused(f"it calls itself {' '.join(named)}, and {card.flavour} {wish.version} was asked for")
        card.loader.place(spare, files, wish.version)
    card.loader.offer(spare, wish.version)
    archive.unlink()
    return _keep(card, outcome.model_copy(update={"state": RootState.TRYING, "slot": spare}))


def _refused(why: str) -> UpdateError:
    return UpdateError(CommandRefusal.NOT_SUPPORTED, why)


def _boot_files(device: Path, folder: Path) -> Path:
    """Copies ``/usr/lib/parvis`` out of a root that is not mounted, and gives its folder ``boot``."""
    done = subprocess.run(["debugfs", "-R", f"rdump /usr/lib/parvis {folder}", device], capture_output=True, text=True, check=False)
    boot = folder / "parvis" / "boot"
    if not (boot / "linux").is_file():
        raise _refused(f"it has no kernel in /usr/lib/parvis/boot: {done.stderr.strip().splitlines()[-1:]}")
    return boot


def _progress(what: str) -> Callable[[int], None]:
    told = 0

    def tell(at: int) -> None:
        nonlocal told
        if at - told >= 256 << 20:
            told = at
            _log.info(what, megabytes=at >> 20)

    return tell


def _keep(card: Card, outcome: Outcome) -> Outcome:
    write_outcome(card.outcome, outcome)
    os.sync()
    return outcome
