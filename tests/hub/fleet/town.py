"""A site with an authority, a listener that serves, and a real mosquitto in its keeper, on the loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from parvis_contract import Site, load_site
from parvis_contract.enrolling import ClaimFile
from parvis_hub.fleet import Addresses, Authority, Fleet, FleetFolder, Kind
from parvis_hub.fleet.authority import key_pem, new_key
from parvis_hub.fleet.listener import create_listener
from parvis_hub.fleet.serving import configuration
from parvis_hub.store import Database, default_url

from tests.broker import free_port

KEEPER = Path(__file__).parents[3] / "deploy" / "mosquitto" / "keep.sh"
SITE = """\
site: vieux-port
profile: lab
origin: {lon: 5.37, lat: 43.296}
units:
  u017: {position: {lon: 5.36985, lat: 43.29641}, senses: [camera]}
  u018: {position: {lon: 5.36985, lat: 43.29641}, senses: [microphone]}
"""


@dataclass
class Clock:
    """The hub's, which a test sets on."""

    ahead: timedelta = timedelta()

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self.ahead // timedelta(microseconds=1)


@dataclass
class Town:
    """All of it.

    Attributes:
        path: A folder of its own.
        hub_port, broker_port: Where they are, once they run.
    """

    path: Path
    site: Site
    folder: FleetFolder
    authority: Authority
    database: Database
    fleet: Fleet
    clock: Clock
    hub_port: int = 0
    broker_port: int = 0

    @classmethod
    def build(cls, path: Path, store_url: str | None = None) -> Town:
        (path / "site.yaml").write_text(SITE)
        site, folder, clock = load_site(path / "site.yaml"), FleetFolder(path / "fleet"), Clock()
        hub_port, broker_port = free_port(), free_port()
        addresses = Addresses(hub=f"https://localhost:{hub_port}", broker=f"localhost:{broker_port}")
        authority = folder.make(site, addresses, datetime.now(UTC))
        database = Database(store_url or default_url(path), site.site)
        fleet = folder.fleet(database, authority, clock.now_us)
        town = cls(path, site, folder, authority, database, fleet, clock, hub_port, broker_port)
        folder.equip(fleet, Kind.HUB, "hub", "hub", hosts=["localhost", "127.0.0.1"])
        folder.equip(fleet, Kind.BROKER, "broker", "hub", hosts=["localhost", "127.0.0.1"])
        town.tell_broker()
        return town

    def tell_broker(self) -> None:
        self.folder.tell_broker(self.fleet, self.authority, self.site)

    def claim(self, unit: str = "u017", lasts: timedelta = timedelta(days=1)) -> ClaimFile:
        expires = datetime.now(UTC) + lasts
        addresses = self.folder.addresses()
        return ClaimFile(
            site=self.site.site,
            unit=unit,
            hub=addresses.hub,
            broker=addresses.broker,
            ca_sha256=self.authority.sha256,
            code=self.fleet.make_claim(unit, expires, "a-martin"),
            expires=expires,
        )

    def member(self, name: str, kind: Kind = Kind.UNIT, authority: Authority | None = None, now: datetime | None = None) -> Path:
        """A PEM file with a key and a certificate, of the register or of another authority."""
        key = new_key()
        if authority is None and now is None:
            issued = self.fleet.issue(key.public_key(), name, kind, "hub")
        else:
            issued = (authority or self.authority).issue(key.public_key(), name, kind, now or datetime.now(UTC))
        path = self.path / f"{name}-{issued.serial_number}.pem"
        path.write_bytes(key_pem(key) + issued.public_bytes(Encoding.PEM))
        return path

    @contextlib.contextmanager
    def listening(self, repository: Path | None = None, changed: Callable[[], None] | None = None) -> Iterator[None]:
        """The hub's fleet listener, served."""
        app = create_listener(
            self.fleet,
            self.authority,
            self.site,
            self.folder.addresses(),
            changed=changed or self.tell_broker,
            plans=self.path / "plans",
            repository=repository,
        )
        listening = socket.create_server(("127.0.0.1", self.hub_port))
        server = uvicorn.Server(configuration(app, self.folder.path / "hub.pem"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        _until(lambda: server.started)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(20)

    @contextlib.contextmanager
    def broker(self, mosquitto: Path) -> Iterator[None]:
        """Mosquitto, with its configuration as the hub writes it, in its keeper as it is shipped."""
        data = self.path / "broker-data"
        data.mkdir(exist_ok=True)
        path = self.folder.configure_broker(self.broker_port, str(data))
        if os.geteuid() == 0:
            # Root would become a user who may not look into a test's folder.
            path.write_text(path.read_text() + "user root\n")
        with (self.path / "broker.log").open("ab") as log:
            keeper = subprocess.Popen(["sh", str(KEEPER), str(self.folder.broker), str(mosquitto)], stdout=log, stderr=log)
        try:
            _until(self.answers)
            yield
        finally:
            keeper.terminate()
            keeper.wait(20)

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", self.broker_port), timeout=1):
            return True
        return False


def new_public_key() -> ec.EllipticCurvePublicKey:
    return new_key().public_key()


def _until(ready: Callable[[], bool], within_s: float = 30.0) -> None:
    until_s = time.monotonic() + within_s
    while not ready():
        assert time.monotonic() < until_s, "it did not become ready"
        time.sleep(0.02)
