"""The fleet's folder on the hub's disk: the authority, the hub's own certificate, and the broker's files."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from parvis_contract import Closed, Site
from pydantic import ValidationError

from parvis_hub.store import Database
from parvis_hub.whole_file import replace

from .authority import Authority, AuthorityError, Kind, key_pem, new_key
from .book import Book
from .broker_files import access_list, configuration
from .register import Fleet


class Addresses(Closed):
    """Where units reach hub and broker, as they are told when they enrol.

    Attributes:
        hub: URL of the fleet listener, such as ``https://hub.example:8884``.
        broker: ``HOST:PORT``.
    """

    hub: str
    broker: str


@dataclass(frozen=True, slots=True)
class FleetFolder:
    """A folder that nobody but the hub's user can read, but for `broker/`, which mosquitto reads.

    Attributes:
        path: It.
    """

    path: Path

    @property
    def broker(self) -> Path:
        """Mosquitto's files."""
        return self.path / "broker"

    @property
    def plans(self) -> Path:
        """Site plans that units are told to take, each named by its SHA-256."""
        return self.path / "plans"

    def make(self, site: Site, addresses: Addresses, now: datetime) -> Authority:
        """Makes the authority, which stays.

        Raises:
            AuthorityError: There is one already.
            OSError: Nothing can be written there.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)
        self.broker.mkdir(exist_ok=True)
        with contextlib.suppress(LookupError, PermissionError):
            # Mosquitto reads its key after it has given up being root. Where this user may not give the folder away, an administrator does.
            shutil.chown(self.broker, group="mosquitto")
        # New files are of the folder's group.
        self.broker.chmod(0o2755)
        if (self.path / "ca.key").exists():
            raise AuthorityError(f"{self.path}: there is an authority already; another would shut out every unit that has enrolled")
        authority = Authority.make(site.site, now)
        pem = authority.certificate.public_bytes(Encoding.PEM)
        replace(self.path / "addresses.json", addresses.model_dump_json(indent=2).encode() + b"\n", 0o600)
        replace(self.path / "ca.pem", pem, 0o644)
        replace(self.broker / "ca.pem", pem, 0o644)
        # The key last: with it, the folder is whole.
        replace(self.path / "ca.key", key_pem(authority.key), 0o600)
        return authority

    def authority(self) -> Authority:
        """Reads it.

        Raises:
            AuthorityError: There is none, or others may read its key.
        """
        key = self.path / "ca.key"
        try:
            if key.stat().st_mode & 0o077:
                raise AuthorityError(
                    f"{key}: others than its owner may read it; chmod 600 {key}, and make a new fleet if somebody may have"
                )
            return Authority.read((self.path / "ca.pem").read_bytes(), key.read_bytes())
        except OSError as error:
            raise AuthorityError(f"{error.filename}: {error.strerror}; `parvis-hub fleet init` makes an authority") from None

    def fleet(self, database: Database, authority: Authority, now_us: Callable[[], int]) -> Fleet:
        """The register in a store, which learns at once what the authority's book has and it has not.

        Args:
            database: The hub's store.
            authority: Who signs.
            now_us: Microseconds since 1970.

        Raises:
            OSError: The book cannot be read or written.
        """
        fleet = Fleet(database, authority, Book(self.path / "book.jsonl"), now_us)
        fleet.catch_up()
        return fleet

    def addresses(self) -> Addresses:
        """Where units reach hub and broker.

        Raises:
            AuthorityError: It is not known.
        """
        path = self.path / "addresses.json"
        try:
            return Addresses.model_validate_json(path.read_bytes())
        except OSError as error:
            raise AuthorityError(f"{path}: {error.strerror}; `parvis-hub fleet init` writes it") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise AuthorityError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; expected hub and broker") from None

    def equip(self, fleet: Fleet, kind: Kind, name: str, by: str, *, hosts: Iterable[str] = (), into: Path | None = None) -> Path:
        """Makes a key and a certificate on this machine, in one PEM file, the key first.

        Args:
            fleet: The register.
            kind: Whose it is.
            name: Its common name; the file's, too.
            by: Who does it.
            hosts: Names under which a server is reached.
            into: The folder; None for this one, or the broker's.
        """
        key = new_key()
        issued = fleet.issue(key.public_key(), name, kind, by, hosts=hosts)
        pem = issued.public_bytes(Encoding.PEM)
        folder = into or (self.broker if kind is Kind.BROKER else self.path)
        if kind is Kind.BROKER:
            replace(folder / "broker.key", key_pem(key), 0o640)
            replace(folder / "broker.pem", pem, 0o644)
            return folder / "broker.pem"
        replace(folder / f"{name}.pem", key_pem(key) + pem, 0o600)
        return folder / f"{name}.pem"

    def tell_broker(self, fleet: Fleet, authority: Authority, site: Site) -> None:
        """Writes who may do what, and whose certificates count no more; mosquitto's keeper sees the files change.

        Each is written only if it says something new: mosquitto is started again for a new list of revocations.
        """
        with self._one_at_a_time():
            members = fleet.members()
            replace_if_other(self.broker / "acl", access_list(site.site, site.units, members).encode())
            serials = sorted(member.serial for member in members if member.revoked is not None)
            path = self.broker / "crl.pem"
            if not path.exists() or revoked_serials(path) != serials:
                replace(path, authority.revocations(serials, datetime.now(UTC)), 0o644)

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Whoever has read the register writes before the next reads it.

        A hub that had read it before somebody was revoked beside it would let them in again.
        """
        with (self.path / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def configure_broker(self, port: int, data: str, folder: str | None = None) -> Path:
        """Writes `mosquitto.conf`; see :func:`.broker_files.configuration`."""
        path = self.broker / "mosquitto.conf"
        replace_if_other(path, configuration(folder or str(self.broker.absolute()), port, data).encode())
        return path


def revoked_serials(path: Path) -> list[int]:
    """The numbers on a list of revocations, in order."""
    return sorted(entry.serial_number for entry in x509.load_pem_x509_crl(path.read_bytes()))


def replace_if_other(path: Path, content: bytes) -> None:
    """Writes a file that all may read, if it does not say this already."""
    if not path.exists() or path.read_bytes() != content:
        replace(path, content, 0o644)
