"""The card's root: takes another one that the unit asks for, and says whether the one that runs is good."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from parvis_contract import CommandRefusal

from parvis_edge.update.errors import UpdateError

from .asking import OURS
from .goodness import verdict
from .loader import Autoboot, Loader, Slot, SystemdBoot, running_slot
from .places import BOOT, IDENTITY, CardError
from .quiet import wait_for_quiet
from .record import STATE, WISH, Outcome, RootState, Wish, read_outcome, read_wish, write_outcome
from .settings import SETTINGS, read_settings
from .update import Card, take

_log = structlog.get_logger()

TRUSTED_ROOT = Path("/etc/parvis/root.json")
FIRMWARE = Path("/run/parvis-root/firmware")


def update() -> None:
    """Takes the root that is asked for, and starts it at a quiet time."""
    # What reads the repository takes long to load, and the verdict on a root needs none of it.
    from parvis_edge.update.repository import disk_trouble

    card = _card()
    last = read_outcome(card.outcome)
    wish = _asked()
    if wish is None:
        # Nothing, or nothing that can be understood.
        WISH.unlink(missing_ok=True)
        return
    try:
        outcome = take(card, wish, last, _fetch, _unit()["StatusText"])
    except (UpdateError, OSError) as error:
        trouble = disk_trouble(error) if isinstance(error, OSError) else error
        told = _log.warning if trouble.again else _log.error
        told("the new root is late" if trouble.again else "the new root is refused", version=wish.version, detail=str(trouble))
        state = RootState.FETCHING if trouble.again else RootState.REFUSED
        fallen = last.fallen if last else []
        kept = Outcome(**wish.model_dump(), state=state, refusal=trouble.refusal, detail=str(trouble), fallen=fallen)
        write_outcome(card.outcome, kept)
        if trouble.again:
            # systemd starts this again in a minute.
            raise SystemExit(1) from None
        outcome = kept
    # What has been asked for meanwhile stays, and is taken next.
    if _asked() == wish:
        WISH.unlink(missing_ok=True)
    if outcome.state is RootState.TRYING:
        window = read_settings(BOOT / SETTINGS).quiet
        _log.info("the new root is tried at a quiet time", version=outcome.version, slot=outcome.slot, window_utc=window)
        wait_for_quiet(window)
        subprocess.run(["systemctl", "--no-block", "reboot"], check=True)


def _asked() -> Wish | None:
    try:
        return read_wish(WISH)
    except ValueError as error:
        _log.error("what the unit asks for is no root", detail=str(error))
        return None


def good() -> None:
    """Judges a root on trial; says what became of one that has fallen back."""
    card = _card()
    outcome = read_outcome(card.outcome)
    if outcome is None or outcome.state not in (RootState.WRITING, RootState.TRYING):
        return
    if outcome.slot != card.slot:
        if outcome.state is RootState.TRYING:
            detail = f"the unit did not come to be well under it: back to {card.version}"
            _log.error("a new root has fallen back", version=outcome.version, detail=detail)
            fallen = [*outcome.fallen, outcome.sha256][-64:]
            fell = {"state": RootState.REFUSED, "refusal": CommandRefusal.NOT_SUPPORTED, "detail": detail, "fallen": fallen}
            write_outcome(card.outcome, outcome.model_copy(update=fell))
        return
    begun_s = time.monotonic()
    while True:
        unit = _unit()
        waited_s = time.monotonic() - begun_s
        judged = verdict(unit, outcome.before, waited_s)
        if judged == "good":
            break
        if judged == "bad":
            _log.error("this root is not good; starting again", version=card.version, **unit)
            subprocess.run(["systemctl", "--no-block", "reboot"], check=True)
            raise SystemExit(1)
        time.sleep(1)
    card.loader.keep(card.slot)
    write_outcome(card.outcome, outcome.model_copy(update={"state": RootState.GOOD}))
    _log.info("this root is good", version=card.version, slot=card.slot, waited_s=round(waited_s), status=unit["StatusText"])


def _card() -> Card:
    flavour = (OURS / "flavour").read_text().strip()
    loader: Loader = SystemdBoot(BOOT) if flavour == "generic" else Autoboot(BOOT, _firmware)
    slot = running_slot(Path("/proc/cmdline").read_text())
    return Card(flavour, (OURS / "version").read_text().strip(), slot, _device, loader, STATE)


def _device(slot: Slot) -> Path:
    return Path(f"/dev/disk/by-partlabel/parvis-root-{slot}")


@contextmanager
def _firmware(slot: Slot) -> Iterator[Path]:
    """The firmware partition of a slot, made empty and mounted."""
    device = f"/dev/disk/by-partlabel/parvis-firmware-{slot}"
    subprocess.run(["mkfs.vfat", "-F", "32", device], check=True, stdout=subprocess.DEVNULL)
    FIRMWARE.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "vfat", "-o", "nosuid,nodev,noexec", device, FIRMWARE], check=True)
    try:
        yield FIRMWARE
    finally:
        subprocess.run(["umount", FIRMWARE], check=True)


def _unit() -> dict[str, str]:
    """How the unit's service is, as systemd has it."""
    asked = ["systemctl", "show", "--property=ActiveState,NRestarts,StatusText", "parvis-unit.service"]
    shown = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return {"StatusText": "", **dict(line.partition("=")[::2] for line in shown.splitlines())}


def _fetch(name: str, destination: Path) -> str:
    from parvis_edge.enrolment.identity import Identity, IdentityError
    from parvis_edge.update.repository import repository_of

    identity = Identity(IDENTITY)
    try:
        hub = identity.hub()
    except IdentityError as error:
        raise CardError(str(error)) from None
    repository = repository_of(STATE / "metadata", hub.repository, TRUSTED_ROOT, identity.ca)
    return repository.fetch_target(name, destination).sha256
