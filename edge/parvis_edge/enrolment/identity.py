"""The folder of a unit's identity, in which at any instant there is a whole one or none."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from parvis_contract import Closed, Name
from parvis_contract.enrolling import PREFIX
from pydantic import ValidationError

from parvis_edge.whole_file import replace_file


class IdentityError(Exception):
    """There is no identity, or it cannot be used; the message says what to do."""


class Hub(Closed):
    """Whose unit it is, and where its hub is.

    Attributes:
        site, unit: Its names.
        hub: URL of the hub's fleet listener.
        broker: ``HOST:PORT``.
    """

    site: Name
    unit: Name
    hub: str
    broker: str

    @property
    def repository(self) -> str:
        """URL of the signed releases."""
        return f"{self.hub}{PREFIX}/repository"


@dataclass(frozen=True, slots=True)
class Identity:
    """A folder; what is in it is read when it is asked for.

    Attributes:
        folder: Where.
    """

    folder: Path

    @property
    def ca(self) -> Path:
        """Whom the unit believes."""
        return self.folder / "ca.pem"

    @property
    def pem(self) -> Path:
        """Key and certificate in one file, so that neither can be replaced without the other."""
        return self.folder / "unit.pem"

    @property
    def site_plan(self) -> Path:
        """The site plan that came with the certificate."""
        return self.folder / "site.yaml"

    @property
    def _next_key(self) -> Path:
        return self.folder / "next.key"

    def hub(self) -> Hub:
        """Whose unit it is.

        Raises:
            IdentityError: It has not enrolled, or the file is damaged.
        """
        path = self.folder / "hub.json"
        try:
            return Hub.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise IdentityError(f"{self.folder}: this unit has not enrolled; `parvis-edge enrol --claim FILE` does it") from None
        except (OSError, ValidationError) as error:
            raise IdentityError(f"{path}: cannot be used ({_short(error)}); enrol again with a new claim") from None

    def certificate(self) -> x509.Certificate:
        """The unit's own.

        Raises:
            IdentityError: There is none, or it cannot be read.
        """
        try:
            return x509.load_pem_x509_certificate(self.pem.read_bytes())
        except FileNotFoundError:
            raise IdentityError(f"{self.folder}: this unit has no certificate; `parvis-edge enrol --claim FILE` gets one") from None
        except (OSError, ValueError) as error:
            raise IdentityError(f"{self.pem}: cannot be used ({_short(error)}); enrol again with a new claim") from None

    def key(self) -> ec.EllipticCurvePrivateKey:
        """The unit's own.

        Raises:
            IdentityError: There is none, or it cannot be read.
        """
        return _key(self.pem)

    def next_key(self) -> ec.EllipticCurvePrivateKey:
        """The key for which a certificate is being asked; made and on disk before anybody is asked, the same until there is an answer.

        Raises:
            OSError: The disk takes nothing.
        """
        if self._next_key.exists():
            with suppress(IdentityError):
                key = _key(self._next_key)
                if not self._is_kept(key):
                    return key
            # Damaged, or left by an end between the two steps of `keep`.
            self._next_key.unlink()
        key = ec.generate_private_key(ec.SECP256R1())
        replace_file(self._next_key, _pem(key))
        return key

    def _is_kept(self, key: ec.EllipticCurvePrivateKey) -> bool:
        try:
            return self.certificate().public_key() == key.public_key()
        except IdentityError:
            return False

    def keep(self, certificate: x509.Certificate) -> None:
        """Puts the next key and its certificate in the place of those before.

        Raises:
            OSError: The disk takes nothing; those before are still there.
            IdentityError: The certificate is for another key.
        """
        key = _key(self._next_key)
        if certificate.public_key() != key.public_key():
            raise IdentityError("the hub's certificate is for another key; ask again")
        replace_file(self.pem, _pem(key) + certificate.public_bytes(Encoding.PEM))
        self._next_key.unlink()

    def keep_hub(self, ca: bytes, hub: Hub, site_plan: str) -> None:
        """Writes what came with the certificate; before the certificate itself, with which the identity is whole.

        Raises:
            OSError: The disk takes nothing.
        """
        replace_file(self.ca, ca)
        replace_file(self.site_plan, site_plan.encode("utf-8"))
        replace_file(self.folder / "hub.json", hub.model_dump_json(indent=2).encode() + b"\n")


def signing_request(key: ec.EllipticCurvePrivateKey, unit: str) -> str:
    """PKCS 10 in PEM: the public key, and the proof that the asker has the private one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode("ascii")


def days_left(certificate: x509.Certificate, now: datetime | None = None) -> float:
    """Until a certificate ends; below 0 it has."""
    return (certificate.not_valid_after_utc - (now or datetime.now(UTC))).total_seconds() / 86_400


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise IdentityError(f"{path}: cannot be used ({_short(error)}); enrol again with a new claim") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityError(f"{path}: holds no key of ours; enrol again with a new claim")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _short(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error).partition("\n")[0])[:120]
