"""What can be recorded: a closed list, each with what it says, with no free text and nobody but the names that operators chose."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated

from parvis_contract import Closed, ModelRef, Name, Verdict
from parvis_contract.unit_messages import Tag
from pydantic import Field, StringConstraints

from .reasons import DecisionReason
from .roles import May, Role

#: SHA-256, in hexadecimal.
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0)]


class What(StrEnum):
    """What is recorded; nothing else can be."""

    HUB_STARTED = "hub_started"
    VERDICT_GIVEN = "verdict_given"
    PLATE_VIEWED = "plate_viewed"
    ROWS_EXPIRED = "rows_expired"
    LOG_PRUNED = "log_pruned"
    BACKUP_MADE = "backup_made"
    STORE_RESTORED = "store_restored"
    CONSENT_GIVEN = "consent_given"
    CONSENT_RENEWED = "consent_renewed"
    CONSENT_ENDED = "consent_ended"
    ROUTE_VIEWED = "route_viewed"
    ROUTE_EXPORTED = "route_exported"
    SIGNED_IN = "signed_in"
    SIGN_INS_REFUSED = "sign_ins_refused"
    USER_CHANGED = "user_changed"
    TOKEN_CHANGED = "token_changed"  # noqa: S105 - the name of an entry
    ROLLOUT_CHANGED = "rollout_changed"
    CLAIM_MADE = "claim_made"
    CERTIFICATE_ISSUED = "certificate_issued"
    CERTIFICATES_REVOKED = "certificates_revoked"


class HubStarted(Closed):
    """The hub was started, under this configuration; another digest than at the last start is a change of it.

    Attributes:
        site: Digest of the site plan as it was read, the profile left out.
        profile: Digest of the legal profile as it was read.
    """

    site: Digest
    profile: Digest


class VerdictGiven(Closed):
    """A person confirmed or dismissed an incident, or took that back."""

    incident: uuid.UUID
    verdict: Verdict
    reason: DecisionReason


class PlateViewed(Closed):
    """An evidence plate was shown."""

    incident: uuid.UUID
    plate: uuid.UUID


class RowsExpired(Closed):
    """Rows of the store whose retention had ended were deleted: how many of each table."""

    events: _Count
    flows: _Count
    sightings: _Count
    plates: _Count
    members: _Count
    decisions: _Count
    incidents: _Count
    # Left out where there were none, as in a log from before there were alerts: the digest is of what is written.
    alerts: Annotated[int, Field(ge=0, exclude_if=lambda count: count == 0)] = 0
    consents: Annotated[int, Field(ge=0, exclude_if=lambda count: count == 0)] = 0
    moves: Annotated[int, Field(ge=0, exclude_if=lambda count: count == 0)] = 0


class LogPruned(Closed):
    """Entries older than `audit_h` were deleted, from the beginning of the log.

    Attributes:
        upto: The number of the last that was deleted.
        digest: Its digest, which the oldest entry that is kept names as its predecessor's.
    """

    upto: Annotated[int, Field(ge=1)]
    digest: Digest


class BackupMade(Closed):
    """All that the store held but sightings went into a file."""


class StoreRestored(Closed):
    """What a backup held became the content of a store; what it had held since is not in it.

    Attributes:
        made_us: When the backup was made, microseconds since 1970 in UTC.
        rows: How many it held.
    """

    made_us: int
    rows: _Count


class ConsentGiven(Closed):
    """Somebody asked for a route, and was given a tag. Whose consent it is, the register alone says.

    Attributes:
        consent: The id of the consent in the register.
        tag: The number of the tag.
        until_us: When it ends by itself, microseconds since 1970 in UTC.
    """

    consent: uuid.UUID
    tag: Tag
    until_us: int


class RenewalReason(StrEnum):
    """Why somebody was asked again before their time was over; a closed list, so that nothing about a person can be written in it."""

    LASTS_LONGER = "lasts_longer"
    TAKES_PART_AGAIN = "takes_part_again"
    END_WAS_WRONG = "end_was_wrong"


class ConsentRenewed(Closed):
    """The same person consented again, until then; and why they were asked, which entries from before there were reasons do not say."""

    consent: uuid.UUID
    until_us: int
    reason: Annotated[RenewalReason | None, Field(exclude_if=lambda reason: reason is None)] = None


class Ending(StrEnum):
    """Why a consent is no more."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ConsentEnded(Closed):
    """A consent has ended: its key is destroyed, and its sightings are deleted.

    Attributes:
        consent: Which.
        ending: Why.
        sightings: How many were deleted.
    """

    consent: uuid.UUID
    ending: Ending
    sightings: _Count


class RouteViewed(Closed):
    """A route was shown."""

    consent: uuid.UUID


class ExportFormat(StrEnum):
    """In what a route is given away."""

    GEOJSON = "geojson"
    GPX = "gpx"


class RouteExported(Closed):
    """A route, with the sightings that it rests on, was written out."""

    consent: uuid.UUID
    format: ExportFormat


class SignedIn(Closed):
    """Somebody signed in at the console."""


class SignInsRefused(Closed):
    """Names or passwords were wrong again and again. Which names were tried is not kept: a password typed in the wrong field would be.

    Attributes:
        count: How often since the hub started, or since the last such entry.
    """

    count: _Count


class UserChange(StrEnum):
    """What was done to a user."""

    ADDED = "added"
    ROLE = "role"
    PASSWORD = "password"  # noqa: S105 - what was changed, not one
    REMOVED = "removed"


class UserChanged(Closed):
    """A user of the console was added, changed or removed.

    Attributes:
        user: Whose account it is.
        change: What was done.
        role: The role from then on; None with any other change.
    """

    user: Name
    change: UserChange
    role: Role | None = None


class TokenChanged(Closed):
    """A machine was given a token, or it was taken back.

    Attributes:
        token: Its name.
        may: What it lets a machine do from then on; empty where it was taken back.
    """

    token: Name
    may: tuple[May, ...]


class ClaimMade(Closed):
    """A unit may claim a certificate, once.

    Attributes:
        unit: Which.
        until_us: When that ends, microseconds since 1970 in UTC.
    """

    unit: Name
    until_us: int


class CertificateIssued(Closed):
    """Somebody was given a certificate with which the broker lets them in.

    Attributes:
        name: Its common name.
        kind: Whose it is: ``unit``, ``hub``, ``broker``, ``control-room``, ``maintainer``.
        until_us: When it ends, microseconds since 1970 in UTC.
    """

    name: Name
    kind: Name
    until_us: int


class CertificatesRevoked(Closed):
    """All certificates of a name count no more.

    Attributes:
        name: Whose.
        count: How many were in force.
    """

    name: Name
    count: _Count


class RolloutAct(StrEnum):
    """What was done with a rollout, or what it did by itself."""

    STARTED = "started"
    RING_BEGUN = "ring_begun"
    PAUSED = "paused"
    RESUMED = "resumed"
    HALTED = "halted"
    GOING_BACK = "going_back"
    BACK = "back"
    DONE = "done"


class RolloutChanged(Closed):
    """A model or a site plan is on its way to units, or was stopped, or goes back.

    Attributes:
        rollout: Which.
        act: What happened.
        sha256: Of what the units are to take from then on.
        model: Where that is a model: which version of which.
        ring: The last that was begun, from 0.
    """

    rollout: uuid.UUID
    act: RolloutAct
    sha256: Digest
    model: Annotated[ModelRef | None, Field(exclude_if=lambda model: model is None)] = None
    ring: _Count


About = (
    HubStarted
    | VerdictGiven
    | PlateViewed
    | RowsExpired
    | LogPruned
    | BackupMade
    | StoreRestored
    | ConsentGiven
    | ConsentRenewed
    | ConsentEnded
    | RouteViewed
    | RouteExported
    | SignedIn
    | SignInsRefused
    | UserChanged
    | TokenChanged
    | RolloutChanged
    | ClaimMade
    | CertificateIssued
    | CertificatesRevoked
)

KINDS: dict[What, type[About]] = {
    What.HUB_STARTED: HubStarted,
    What.VERDICT_GIVEN: VerdictGiven,
    What.PLATE_VIEWED: PlateViewed,
    What.ROWS_EXPIRED: RowsExpired,
    What.LOG_PRUNED: LogPruned,
    What.BACKUP_MADE: BackupMade,
    What.STORE_RESTORED: StoreRestored,
    What.CONSENT_GIVEN: ConsentGiven,
    What.CONSENT_RENEWED: ConsentRenewed,
    What.CONSENT_ENDED: ConsentEnded,
    What.ROUTE_VIEWED: RouteViewed,
    What.ROUTE_EXPORTED: RouteExported,
    What.SIGNED_IN: SignedIn,
    What.SIGN_INS_REFUSED: SignInsRefused,
    What.USER_CHANGED: UserChanged,
    What.TOKEN_CHANGED: TokenChanged,
    What.ROLLOUT_CHANGED: RolloutChanged,
    What.CLAIM_MADE: ClaimMade,
    What.CERTIFICATE_ISSUED: CertificateIssued,
    What.CERTIFICATES_REVOKED: CertificatesRevoked,
}
