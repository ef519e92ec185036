"""The register of consents: given, renewed, withdrawn, expired; and the sightings that are kept under each one's key."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from parvis_contract import HUB, Closed, Envelope, Name, Site, TagSighting, parse_message, to_datetime, to_posix_us
from parvis_contract.base import UtcTime
from parvis_contract.unit_messages import Tag
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from parvis_hub import governance
from parvis_hub.consent.allowlist import ranges
from parvis_hub.consent.consents import Consent, Purpose, Status, period_fault
from parvis_hub.consent.keyring import KeyGone, Keyring, Sealed
from parvis_hub.governance import (
    About,
    ConsentEnded,
    ConsentGiven,
    ConsentRenewed,
    Ending,
    ExportFormat,
    Head,
    RenewalReason,
    RouteExported,
    RouteViewed,
)

from .database import Database
from .schema import consents, sightings

_HOUR_US = 3_600_000_000
#: Within so long, somebody who looks at a route again is still looking.
LOOK_US = 15 * 60_000_000


class NotEnrolled(ValueError):
    """A consent cannot be registered or renewed; the message says why. Nothing was kept."""


class UnknownParticipant(LookupError):
    """Nobody of this name has a consent that has not ended."""


class Enrolment(Closed):
    """What is needed to enrol somebody: no name, no address, no free text.

    Attributes:
        participant: A reference of the controller's own, such as ``steward-07``.
        tag: The number of the tag that they are given.
        purpose: What for.
        proof: Under which number their signed paper is filed.
        since: From when on; None for now.
        until: When it ends by itself.
    """

    participant: Name
    tag: Tag
    purpose: Purpose
    proof: Name
    since: UtcTime | None = None
    until: UtcTime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What whoever withdraws is given.

    Attributes:
        consent: The id of what was withdrawn.
        participant, tag: Whose it was.
        at: When.
        sightings: How many were deleted.
        entry: Number and digest of the entry in the accountability log that says the same; ``parvis-hub audit verify --head`` checks it.
    """

    consent: str
    participant: str
    tag: int
    at: datetime
    sightings: int
    entry: Head


@dataclass(frozen=True, slots=True)
class Opened:
    """What is kept under a consent, as its key opens it.

    Attributes:
        messages: In the order in which they came.
        damaged: The numbers of the rows, in the table `sightings`, that it does not open: somebody altered them, or the disk did.
    """

    messages: list[Envelope[TagSighting]]
    damaged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wearers:
    """The consents that have a key and have not ended, for the messages of one batch."""

    rows: tuple[Row[Any], ...]
    keys: Keyring | None

    def seal(self, message: Envelope[TagSighting], text: str) -> tuple[str, Sealed] | None:
        """Under whose consent a sighting is kept, and what is kept; None where nobody has consented to it."""
        time_us = to_posix_us(message.time)
        for row in self.rows:
            if self.keys is not None and row.tag == message.data.tag and row.from_us <= time_us < row.until_us:
                with contextlib.suppress(KeyGone):
                    return row.id, self.keys.key(row.id).seal(message.id, text)
        return None


class ConsentStore:
    """Between the register, the keys and whoever asks. Every method may be called from any thread and process.

    Args:
        database: The hub's.
        site: The site plan; its profile must allow tags.
        now_us: Microseconds since 1970.
        keys: Where the keys are; without it nobody can be enrolled, and nobody is.
    """

    def __init__(self, database: Database, site: Site, now_us: Callable[[], int], keys: Keyring | None) -> None:
        self._database, self._site, self._now_us, self._keys = database, site, now_us, keys
        self._kept_us = int(site.law.retention.audit_h * _HOUR_US)
        #: Who has looked at whose route, and when it was recorded last.
        self._looks: dict[tuple[str, str], int] = {}

    # --- the register ---------------------------------------------------------------------------------------------------------

    def enrol(self, asked: Enrolment, by: str) -> Consent:
        """Registers a consent, and makes its key.

        Raises:
            NotEnrolled: The site or its profile reads no tags, somebody else has the tag, the participant has one, or the time is too long.
            OSError: The key cannot be written.
            pydantic.ValidationError: `by` is not a Name.
        """
        now_us = self._now_us()
        since_us = now_us if asked.since is None else to_posix_us(asked.since)
        self._check_plan()
        self._check_period(since_us, to_posix_us(asked.until), now_us)
        keys = self._keyring()
        id_ = str(uuid.uuid4())
        with self._database.write() as connection:
            others = [
                row for row in self._running(connection, now_us) if row.until_us > since_us and row.from_us < to_posix_us(asked.until)
            ]
            for row in others:
                if row.participant == asked.participant:
                    raise NotEnrolled(f"{row.participant} is enrolled already, with tag {row.tag}: renew that, or withdraw it first")
                if row.tag == asked.tag:
                    raise NotEnrolled(f"tag {row.tag} is {row.participant}'s until {to_datetime(row.until_us / 1e6):%Y-%m-%d %H:%M}Z")
            try:
                ranges([*(row.tag for row in others), asked.tag])
            except ValueError as error:
                raise NotEnrolled(str(error)) from None
            keys.make(id_)
            try:
                values = {"id": id_, "participant": asked.participant, "tag": asked.tag, "purpose": asked.purpose.value}
                values |= {"proof": asked.proof, "from_us": since_us, "until_us": to_posix_us(asked.until)}
                connection.execute(insert(consents).values(**values))
                self._log(connection, by, ConsentGiven(consent=uuid.UUID(id_), tag=asked.tag, until_us=to_posix_us(asked.until)))
                row = connection.execute(select(consents).where(consents.c.id == id_)).one()
            except BaseException:
                keys.destroy(id_)
                raise
        return self._consent(row, now_us, 0)

    def renew(self, participant: str, until: datetime, proof: str, by: str, reason: RenewalReason | None = None) -> Consent:
        """Registers that somebody has consented again, and why they were asked.

        Raises:
            UnknownParticipant: They are not enrolled.
            NotEnrolled: The time is too long, or their tag is promised to somebody else before.
        """
        now_us = self._now_us()
        with self._database.write() as connection:
            rows = self._running(connection, now_us)
            row = next((row for row in rows if row.participant == participant), None)
            if row is None:
                raise UnknownParticipant(f"nobody is enrolled as {participant}; see `parvis-hub consent list`")
            self._check_period(now_us, to_posix_us(until), now_us)
            for other in rows:
                if other.id != row.id and other.tag == row.tag and other.from_us < to_posix_us(until):
                    raise NotEnrolled(f"tag {row.tag} is promised to {other.participant} from {to_datetime(other.from_us / 1e6):%Y-%m-%d}")
            connection.execute(update(consents).where(consents.c.id == row.id).values(until_us=to_posix_us(until), proof=proof))
            self._log(connection, by, ConsentRenewed(consent=uuid.UUID(row.id), until_us=to_posix_us(until), reason=reason))
        return self.of(participant)

    def withdraw(self, participant: str, by: str) -> Receipt:
        """Ends somebody's consent now: destroys the key, deletes the sightings, and records that.

        Raises:
            UnknownParticipant: They have none that has not ended.
            OSError: The key cannot be destroyed; nothing has ended, try again.
        """
        with self._database.write() as connection:
            open_ones = select(consents).where(consents.c.participant == participant, consents.c.ended_us.is_(None))
            receipts = [
                self._end(connection, row, Ending.WITHDRAWN, by) for row in connection.execute(open_ones.order_by(consents.c.until_us))
            ]
        if not receipts:
            raise UnknownParticipant(f"nobody is enrolled as {participant}; see `parvis-hub consent list`")
        return receipts[-1]

    def expire(self) -> list[Receipt]:
        """Ends the consents whose time is over, as a withdrawal does."""
        over = select(consents).where(consents.c.ended_us.is_(None), consents.c.until_us <= self._now_us())
        with self._database.read() as connection:
            if connection.execute(over.limit(1)).one_or_none() is None:
                return []
        with self._database.write() as connection:
            return [self._end(connection, row, Ending.EXPIRED, HUB) for row in connection.execute(over).all()]

    def _end(self, connection: Connection, row: Row[Any], ending: Ending, by: str) -> Receipt:
        # The key first: if what follows does not come to pass, what is left cannot be read, and this can be done again.
        if self._keys is not None:
            self._keys.destroy(row.id)
        now_us = self._now_us()
        deleted = connection.execute(delete(sightings).where(sightings.c.consent == row.id)).rowcount
        values = {"ended_us": now_us, "ending": ending.value, "expires_us": now_us + self._kept_us}
        connection.execute(update(consents).where(consents.c.id == row.id).values(**values))
        entry = self._log(connection, by, ConsentEnded(consent=uuid.UUID(row.id), ending=ending, sightings=deleted))
        return Receipt(row.id, row.participant, row.tag, to_datetime(now_us / 1e6), deleted, entry)

    # --- reading --------------------------------------------------------------------------------------------------------------

    def all(self) -> list[Consent]:
        """Every consent that is still kept, the one that ends last first."""
        now_us = self._now_us()
        counts = select(sightings.c.consent, func.count()).where(sightings.c.consent.is_not(None)).group_by(sightings.c.consent)
        with self._database.read() as connection:
            kept: dict[str, int] = {row[0]: row[1] for row in connection.execute(counts)}
            rows = connection.execute(select(consents).order_by(consents.c.until_us.desc(), consents.c.participant)).all()
        return [self._consent(row, now_us, kept.get(row.id, 0)) for row in rows]

    def of(self, participant: str) -> Consent:
        """Somebody's consent that is in force, or will be.

        Raises:
            UnknownParticipant: They have none.
        """
        for consent in self.all():
            if consent.participant == participant and consent.status in (Status.ACTIVE, Status.WAITING):
                return consent
        raise UnknownParticipant(f"nobody is enrolled as {participant}; see `parvis-hub consent list`")

    def wearers(self) -> Wearers:
        """Who wears a tag with consent: for the intake."""
        with self._database.read() as connection:
            return Wearers(tuple(self._running(connection, self._now_us())), self._keys)

    def sightings(self, consent: str) -> Opened:
        """What is kept under a consent; nothing if its key is gone."""
        query = select(sightings.c.row, sightings.c.id, sightings.c.message).where(sightings.c.consent == consent).order_by(sightings.c.row)
        messages: list[Envelope[TagSighting]] = []
        damaged = []
        if self._keys is None:
            return Opened(messages)
        with contextlib.suppress(KeyGone), self._database.read() as connection:
            key = self._keys.key(consent)
            for row in connection.execute(query):
                try:
                    messages.append(parse_message(key.open(Sealed(row.id, row.message))))
                except ValueError:
                    damaged.append(row.row)
        return Opened(messages, tuple(damaged))

    def state(self) -> dict[str, tuple[int, int]]:
        """Of each consent with sightings: how many, and the number of the last; another than before means another route."""
        query = select(sightings.c.consent, func.count(), func.max(sightings.c.row)).where(sightings.c.consent.is_not(None))
        with self._database.read() as connection:
            return {id_: (count, last) for id_, count, last in connection.execute(query.group_by(sightings.c.consent))}

    # --- on the record --------------------------------------------------------------------------------------------------------

    def viewed(self, consent: str, by: str) -> None:
        """Records that a route is shown. Whoever shows it does so after this has returned, or not at all.

        A page that stays open asks again every few seconds. That is one look, and recorded anew when it has gone on for :data:`LOOK_US`.
        """
        now_us = self._now_us()
        since_us = self._looks.get((consent, by))
        # A clock that was set back begins another look.
        if since_us is not None and 0 <= now_us - since_us < LOOK_US:
            return
        with self._database.write() as connection:
            self._log(connection, by, RouteViewed(consent=uuid.UUID(consent)))
        self._looks = {look: us for look, us in self._looks.items() if now_us - us < LOOK_US} | {(consent, by): now_us}

    def exported(self, consent: str, format: ExportFormat, by: str) -> None:
        """Records that a route is written out, before it is."""
        with self._database.write() as connection:
            self._log(connection, by, RouteExported(consent=uuid.UUID(consent), format=format))

    def _log(self, connection: Connection, by: str, about: About) -> Head:
        return governance.append(connection, self._now_us(), by, about).head

    # --- the rest -------------------------------------------------------------------------------------------------------------

    def _running(self, connection: Connection, now_us: int) -> list[Row[Any]]:
        query = select(consents).where(consents.c.ended_us.is_(None), consents.c.until_us > now_us).order_by(consents.c.from_us)
        return [row for row in connection.execute(query) if self._keys is not None and self._keys.has(row.id)]

    def _consent(self, row: Row[Any], now_us: int, count: int) -> Consent:
        ended = None if row.ended_us is None else to_datetime(row.ended_us / 1e6)
        since, until = to_datetime(row.from_us / 1e6), to_datetime(row.until_us / 1e6)
        status = Status(row.ending) if row.ending else self._status(row, now_us)
        return Consent(row.id, row.participant, row.tag, Purpose(row.purpose), row.proof, since, until, status, ended, count)

    def _status(self, row: Row[Any], now_us: int) -> Status:
        if row.until_us <= now_us:
            return Status.EXPIRED
        if self._keys is None or not self._keys.has(row.id):
            return Status.WITHOUT_KEY
        return Status.ACTIVE if row.from_us <= now_us else Status.WAITING

    def _check_plan(self) -> None:
        camera = self._site.law.camera
        if self._site.tags is None:
            raise NotEnrolled(
                f"{self._site.path}: no `tags`, so no unit reads one; say how large they are printed, such as tags: {{size_m: 0.4}}"
            )
        if camera is None or "tag.sighting" not in camera.allow:
            raise NotEnrolled(f"the profile {self._site.law.name} does not let a camera read tags")

    @staticmethod
    def _check_period(since_us: int, until_us: int, now_us: int) -> None:
        if why := period_fault(*(to_datetime(time_us / 1e6) for time_us in (since_us, until_us, now_us))):
            raise NotEnrolled(why)

    def _keyring(self) -> Keyring:
        if self._keys is None:
            raise NotEnrolled("this hub has no folder for keys")
        return self._keys
