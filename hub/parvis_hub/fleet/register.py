"""The register of the fleet, in the hub's store: who may claim, who has which certificate, whose is revoked."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from parvis_contract import HUB, to_datetime
from sqlalchemy import Connection, delete, func, insert, select, update

from parvis_hub import governance
from parvis_hub.governance import CertificateIssued, CertificatesRevoked, ClaimMade
from parvis_hub.store import Database
from parvis_hub.store.schema import certificates, claims

from .authority import UNIT_LASTS, Authority, Kind, key_digest
from .book import Book, Issued, Revoked, Spent
from .codes import new_code, plain_code

log = structlog.get_logger("parvis.hub.fleet")

#: So many wrong codes of a claim are counted, for a person to see that somebody tries; each costs a write. No number of them ends a claim:
#: 100 random bits are not guessed, and whoever is in the network could else keep any unit from enrolling.
MOST_COUNTED = 100
#: A name is given so many new certificates in a day: a unit needs one in sixty, and asks for the same one until it is answered. Whoever has
#: a stolen key could else fill the hub's disk with them.
MOST_A_DAY = 3
#: The answer to a claim may be lost on its way; so long, the same key may ask for it again.
ANSWERED_AGAIN = timedelta(hours=24)


class Refusal(StrEnum):
    """Why a claim or a renewal is refused."""

    NO_SUCH_CLAIM = "no_such_claim"
    EXPIRED = "expired"
    USED = "used"
    TOO_SOON = "too_soon"
    REVOKED = "revoked"
    NOT_OURS = "not_ours"


class ClaimRefused(Exception):
    """No certificate; the message says what to do.

    Attributes:
        reason: The same for a program.
    """

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that was made for a unit, without its code.

    Attributes:
        unit: Whose.
        expires: When it ends.
        used: When it was used; None if it was not.
        attempts: How many wrong codes there were.
    """

    unit: str
    expires: datetime
    used: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a certificate.

    Attributes:
        name: Its common name.
        kind: Whose it is.
        serial: The certificate's number.
        until: When it ends.
        revoked: When it was revoked; None if it was not.
    """

    name: str
    kind: Kind
    serial: int
    until: datetime
    revoked: datetime | None


class Fleet:
    """The register of one site. Any thread, and any process beside, may use it.

    Args:
        database: The hub's store.
        authority: Who signs.
        book: The authority's; whatever happens is in it before it is in the store.
        now_us: Microseconds since 1970.
    """

    def __init__(self, database: Database, authority: Authority, book: Book, now_us: Callable[[], int]) -> None:
        self._database, self._authority, self._book, self._now_us = database, authority, book, now_us

    def catch_up(self) -> None:
        """Learns from the authority's book what a store that was made of a backup has forgotten, and tells the book what it lacks.

        Raises:
            OSError: The book cannot be read or written.
        """
        with self._database.write() as connection:
            booked = self._book.entries()
            issued = {entry.serial: entry for entry in booked if isinstance(entry, Issued)}
            revoked = {entry.serial: entry.at_us for entry in booked if isinstance(entry, Revoked)}
            spent = {entry.digest for entry in booked if isinstance(entry, Spent)}
            rows = {row.serial: row for row in connection.execute(select(certificates))}
            self._book.add(_issued(row.pem, Kind(row.kind)) for serial, row in rows.items() if serial not in issued)
            ended = {serial: row.revoked_us for serial, row in rows.items() if row.revoked_us is not None}
            self._book.add(Revoked(serial=serial, at_us=at_us) for serial, at_us in ended.items() if serial not in revoked)
            learnt = [_row(entry.pem, entry.whose) for serial, entry in issued.items() if serial not in rows]
            for row in learnt:
                connection.execute(insert(certificates).values(row))
            shut_out = [serial for serial in revoked.keys() - ended if serial in rows.keys() | issued]
            for serial in shut_out:
                connection.execute(update(certificates).where(certificates.c.serial == serial).values(revoked_us=revoked[serial]))
            claimed = connection.execute(select(claims)).all()
            self._book.add(Spent(digest=row.digest) for row in claimed if row.used_us is not None and row.digest not in spent)
            voided = [row.unit for row in claimed if row.used_us is None and row.digest in spent]
            connection.execute(delete(claims).where(claims.c.unit.in_(voided)))
        if learnt or shut_out or voided:
            log.warning(
                "the store had forgotten what is in the authority's book", issued=len(learnt), revoked=shut_out, claims_spent=voided
            )

    def make_claim(self, unit: str, expires: datetime, by: str) -> str:
        """Lets a unit claim its certificate, once; an earlier claim of the same unit is void.

        Returns:
            The code; only its digest is kept.
        """
        code, expires_us = new_code(), _us(expires)
        with self._database.write() as connection:
            before = _unused(connection, unit)
            connection.execute(delete(claims).where(claims.c.unit == unit))
            connection.execute(insert(claims).values(unit=unit, digest=_digest(code), expires_us=expires_us, attempts=0))
            governance.append(connection, self._now_us(), by, ClaimMade(unit=unit, until_us=expires_us))
        self._book.add(before)
        return code

    def claim(self, unit: str, code: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Gives a unit its certificate for its code.

        Args:
            unit: Its name.
            code: As it was typed.
            key: The unit's; for a day after, the same key is given the same certificate again.

        Raises:
            ClaimRefused: With the reason. A wrong code and a unit without claim are told apart by nobody outside.
        """
        with self._database.read() as connection:
            # Nothing is written for somebody who only tries.
            row = connection.execute(select(claims).where(claims.c.unit == unit)).one_or_none()
        if row is None or (row.attempts >= MOST_COUNTED and not _is_code(row.digest, code)):
            raise _no_such_claim(unit)
        with self._database.write() as connection:
            found = self._judged(connection, unit, code, key)
        if isinstance(found, ClaimRefused):
            # Raised after the transaction, which counts the attempt.
            raise found
        # Afterwards: had the store not kept it, the code would still be the unit's only one.
        self._book.add([Spent(digest=_digest(code))])
        return found

    def _judged(self, connection: Connection, unit: str, code: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate | ClaimRefused:
        now_us, digest = self._now_us(), key_digest(key)
        row = connection.execute(select(claims).where(claims.c.unit == unit)).one_or_none()
        if row is None:
            return _no_such_claim(unit)
        if not _is_code(row.digest, code):
            connection.execute(update(claims).where(claims.c.unit == unit).values(attempts=claims.c.attempts + 1))
            return _no_such_claim(unit)
        if row.used_us is not None:
            again = row.key == digest and now_us < row.used_us + _microseconds(ANSWERED_AGAIN)
            kept = connection.execute(select(certificates).where(certificates.c.key == digest, certificates.c.revoked_us.is_(None))).first()
            if again and kept is not None:
                return x509.load_pem_x509_certificate(kept.pem.encode("ascii"))
            return ClaimRefused(Refusal.USED, f"this code has been used already; if not by {unit}, revoke it, and make a new claim")
        if now_us >= row.expires_us:
            return ClaimRefused(Refusal.EXPIRED, f"this claim has ended; {_NEW}")
        issued = self._issue(connection, key, unit, Kind.UNIT, HUB)
        connection.execute(update(claims).where(claims.c.unit == unit).values(used_us=now_us, key=digest))
        return issued

    def renew(self, current: x509.Certificate, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Gives the holder of a certificate that is in force another, for a new key.

        Args:
            current: The one that it has; that the asker holds its key has been shown already.
            key: The new key.

        Raises:
            ClaimRefused: It is not a unit's of this authority, has ended, is revoked, or was renewed a moment ago.
        """
        digest = key_digest(key)
        with self._database.write() as connection:
            row = connection.execute(select(certificates).where(certificates.c.serial == str(current.serial_number))).one_or_none()
            # Hub, broker and people are given theirs by somebody at the hub's machine.
            if row is None or row.kind != Kind.UNIT or x509.load_pem_x509_certificate(row.pem.encode("ascii")) != current:
                raise ClaimRefused(Refusal.NOT_OURS, "this is no unit's certificate of this hub's authority; enrol with a new claim")
            if row.revoked_us is not None:
                raise ClaimRefused(Refusal.REVOKED, "this certificate is revoked; enrol with a new claim")
            if self._now_us() >= row.until_us:
                raise ClaimRefused(Refusal.EXPIRED, "this certificate has ended; enrol with a new claim")
            # The answer to an earlier request of this key was lost.
            kept = connection.execute(select(certificates).where(certificates.c.key == digest)).first()
            if kept is not None and kept.name == row.name and kept.revoked_us is None:
                return x509.load_pem_x509_certificate(kept.pem.encode("ascii"))
            of_today = certificates.c.until_us > self._now_us() + _microseconds(UNIT_LASTS - timedelta(days=1))
            given = select(func.count()).select_from(certificates).where(certificates.c.name == row.name, of_today)
            if connection.execute(given).scalar_one() >= MOST_A_DAY:
                raise ClaimRefused(Refusal.TOO_SOON, f"{row.name} was given {MOST_A_DAY} certificates within a day; ask again tomorrow")
            return self._issue(connection, key, row.name, Kind.UNIT, HUB)

    def issue(self, key: ec.EllipticCurvePublicKey, name: str, kind: Kind, by: str, *, hosts: Iterable[str] = ()) -> x509.Certificate:
        """Signs a certificate without a claim, for somebody at the hub's machine."""
        with self._database.write() as connection:
            return self._issue(connection, key, name, kind, by, hosts=hosts)

    def _issue(
        self, connection: Connection, key: ec.EllipticCurvePublicKey, name: str, kind: Kind, by: str, *, hosts: Iterable[str] = ()
    ) -> x509.Certificate:
        now_us = self._now_us()
        issued = self._authority.issue(key, name, kind, to_datetime(now_us / 1e6), hosts=hosts)
        pem = issued.public_bytes(Encoding.PEM).decode("ascii")
        self._book.add([_issued(pem, kind)])
        row = _row(pem, kind)
        connection.execute(insert(certificates).values(row))
        governance.append(connection, now_us, by, CertificateIssued(name=name, kind=str(kind), until_us=row["until_us"]))
        return issued

    def revoke(self, name: str, by: str) -> int:
        """Revokes all certificates of a name, and voids its claim.

        Returns:
            How many certificates that were in force are not any more.
        """
        now_us = self._now_us()
        with self._database.write() as connection:
            unused = _unused(connection, name)
            connection.execute(delete(claims).where(claims.c.unit == name, claims.c.used_us.is_(None)))
            valid = (certificates.c.name == name, certificates.c.revoked_us.is_(None), certificates.c.until_us > now_us)
            serials = connection.execute(select(certificates.c.serial).where(*valid)).scalars().all()
            self._book.add(Revoked(serial=serial, at_us=now_us) for serial in serials)
            count = int(connection.execute(update(certificates).where(*valid).values(revoked_us=now_us)).rowcount)
            governance.append(connection, now_us, by, CertificatesRevoked(name=name, count=count))
        self._book.add(unused)
        return count

    def claims(self) -> list[Claim]:
        """Every claim, by unit."""
        with self._database.read() as connection:
            rows = connection.execute(select(claims).order_by(claims.c.unit)).all()
        return [Claim(row.unit, _time(row.expires_us), _time_or_none(row.used_us), row.attempts) for row in rows]

    def members(self) -> list[Member]:
        """Every certificate that has not ended by itself, by name, and the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(certificates)
                .where(certificates.c.until_us > self._now_us())
                .order_by(certificates.c.name, certificates.c.until_us.desc())
            ).all()
        return [Member(row.name, Kind(row.kind), int(row.serial), _time(row.until_us), _time_or_none(row.revoked_us)) for row in rows]


_NEW = "make a new claim: `parvis-hub fleet claim`"


def _no_such_claim(unit: str) -> ClaimRefused:
    return ClaimRefused(Refusal.NO_SUCH_CLAIM, f"{unit} has no claim with this code; compare it with the paper, or {_NEW}")


def _is_code(digest: str, code: str) -> bool:
    return hmac.compare_digest(digest, _digest(code))


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _digest(code: str) -> str:
    return hashlib.sha256(plain_code(code).encode("utf-8")).hexdigest()


def _unused(connection: Connection, unit: str) -> list[Spent]:
    """The claims of a unit that are to count no more."""
    found = connection.execute(select(claims.c.digest).where(claims.c.unit == unit, claims.c.used_us.is_(None))).scalars()
    return [Spent(digest=digest) for digest in found]


def _issued(pem: str, kind: Kind) -> Issued:
    return Issued(serial=str(x509.load_pem_x509_certificate(pem.encode("ascii")).serial_number), pem=pem, whose=kind)


def _row(pem: str, kind: Kind) -> dict[str, Any]:
    """A certificate as the store has it."""
    issued = x509.load_pem_x509_certificate(pem.encode("ascii"))
    key = issued.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101 - the authority signs no other
    return {
        "serial": str(issued.serial_number),
        "name": str(issued.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value),
        "kind": str(kind),
        "key": key_digest(key),
        "until_us": _us(issued.not_valid_after_utc),
        "pem": pem,
    }


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1e6)


def _time(us: int) -> datetime:
    return to_datetime(us / 1e6)


def _time_or_none(us: int | None) -> datetime | None:
    return None if us is None else _time(us)
