"""What the installer gave the card, laid out for its services, and whom it may reach. Stands in every start's way, so little is loaded."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import structlog

from .peers import addresses_of, cameras_of, commands
from .places import BOOT, IDENTITY
from .settings import CLAIM, SETTINGS, TRUSTED, read_settings

_log = structlog.get_logger()

RUN = Path("/run/parvis")


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
    rules = commands(peers, cameras_of(read_settings(BOOT / SETTINGS).options), _lookup)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def _lookup(host: str) -> list[str]:
    try:
        return sorted({str(each[4][0]) for each in socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)})
    except socket.gaierror as error:
        _log.warning("a name cannot be looked up", host=host, detail=str(error))
        return []
