"""What a consent says, and how long it may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: After so long whoever wears a tag is asked again. As long as an allowlist may last at most.
MOST_DAYS = 31
#: Clocks differ.
_SLACK = timedelta(minutes=1)


class Purpose(StrEnum):
    """What somebody wears a tag for: a closed list, so that every language has it, and nothing about a person can be written in it."""

    STEWARDING = "stewarding"
    RACE = "race"
    PROCESSION = "procession"
    CREW = "crew"
    SERVICE_VEHICLE = "service_vehicle"
    TEST = "test"


class Status(StrEnum):
    """How a consent stands.

    `without_key`: the store says that it is active, and its key is not there: it was withdrawn after the backup was made that this store
    was restored from, or the folder of keys is another. It counts as ended.
    """

    WAITING = "waiting"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    WITHOUT_KEY = "without_key"


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's consent to wear one tag.

    Attributes:
        id: A random UUID; all that the accountability log has of it.
        participant: The controller's own reference, such as ``steward-07``.
        tag: Its number.
        purpose: What for.
        proof: Under which number the signed paper is filed.
        since, until: When it is in force, the end not included.
        status: Now.
        ended: When it ended; None while it has not.
        sightings: How many are kept.
    """

    id: str
    participant: str
    tag: int
    purpose: Purpose
    proof: str
    since: datetime
    until: datetime
    status: Status
    ended: datetime | None
    sightings: int = 0


def period_fault(since: datetime, until: datetime, now: datetime) -> str | None:
    """What is wrong with a period of consent; None if nothing is."""
    if until <= now or until <= since:
        return "a consent ends after it begins, and after now"
    if until > max(since, now) + timedelta(days=MOST_DAYS):
        return f"a consent lasts {MOST_DAYS} days at most; ask again then, and renew it"
    if since < now - _SLACK:
        return "a consent does not begin in the past"
    if since > now + timedelta(days=MOST_DAYS):
        return f"a consent begins within {MOST_DAYS} days"
    return None
