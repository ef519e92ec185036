"""The services of a flashed card: ``parvis-card settings|firewall|update|good``. Started by systemd, as root."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import structlog
from parvis_contract import CommandRefusal
from pydantic import ValidationError

from parvis_edge.enrolment.identity import Identity, IdentityError
from parvis_edge.update.errors import UpdateError
from parvis_edge.update.repository import disk_trouble
from parvis_edge.update.updater import repository_of

from .asking import OURS
from .goodness import verdict
from .loader import Autoboot, Loader, LoaderError, Slot, SystemdBoot, running_slot
from .peers import PeerError, addresses_of, cameras_of, commands
from .record import STATE, WISH, Outcome, RootState, Wish, read_outcome, read_wish, write_outcome
from .settings import CLAIM, SETTINGS, TRUSTED, Settings, SettingsError, read_settings
from .update import Card, take, wait_for_quiet

_log = structlog.get_logger()

BOOT = Path("/boot")
RUN = Path("/run/parvis")
IDENTITY = Path("/var/lib/parvis/identity")
TRUSTED_ROOT = Path("/etc/parvis/root.json")
FIRMWARE = Path("/run/parvis-root/firmware")


def settings() -> None:
    """Lays the card's own settings out where the services look for them."""
    RUN.mkdir(mode=0o755, exist_ok=True)
    found = read_settings(BOOT / SETTINGS)
    networks = Path("/run/systemd/network")
    networks.mkdir(parents=True, exist_ok=True)
    (networks / "10-parvis.network").write_text(found.network())
    if found.time_server:
        servers = Path("/run/systemd/timesyncd.conf.d")
        servers.mkdir(parents=True, exist_ok=True)
        (servers / "parvis.conf").write_text(f"[Time]\nNTP={found.time_server}\n")
    (RUN / "unit.env").write_text(found.environment())
    if (BOOT / TRUSTED).exists():
        (RUN / "root.json").write_bytes((BOOT / TRUSTED).read_bytes())
    if wifi := found.wifi_configuration():
        path = RUN / "wifi.conf"
        path.touch(mode=0o600)
        path.write_text(wifi)


def firewall() -> None:
    """Lets hub, broker and cameras be reached."""
    source = next((each for each in (IDENTITY / "hub.json", BOOT / CLAIM) if each.exists()), None)
    peers = addresses_of(source.read_text()) if source else []
    rules = commands(peers, cameras_of(_settings().options), _lookup)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def update() -> None:
    """Takes the root that is asked for, and starts it at a quiet time."""
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
        window = _settings().quiet
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


def _settings() -> Settings:
    return read_settings(BOOT / SETTINGS)


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
    identity = Identity(IDENTITY)
    repository = repository_of(STATE / "metadata", identity.hub().repository, TRUSTED_ROOT, identity.ca)
    return repository.fetch_target(name, destination).sha256


def _lookup(host: str) -> list[str]:
    try:
        return sorted({str(each[4][0]) for each in socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)})
    except socket.gaierror as error:
        _log.warning("a name cannot be looked up", host=host, detail=str(error))
        return []


def main() -> NoReturn:
    """Runs one verb; 1 if it has to be tried again, 2 for something that a person has to change."""
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
    )
    verbs = {"settings": settings, "firewall": firewall, "update": update, "good": good}
    verb = verbs.get(" ".join(sys.argv[1:]))
    if verb is None:
        sys.stderr.write(f"usage: parvis-card {'|'.join(verbs)}; a card's own services call it\n")
        raise SystemExit(2)
    try:
        verb()
    except (IdentityError, LoaderError, PeerError, SettingsError, OSError, ValidationError, subprocess.CalledProcessError) as error:
        _log.error("failed", verb=sys.argv[1], detail=str(error))
        raise SystemExit(2 if isinstance(error, SettingsError) else 1) from None
    raise SystemExit(0)


if __name__ == "__main__":
    main()
