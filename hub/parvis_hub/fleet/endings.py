"""What of a fleet ends, and when: certificates, and the signatures of the repository that units take models from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from parvis_contract import to_datetime
from sqlalchemy import Connection, select

from parvis_hub.store.schema import certificates

from .authority import SERVER_LASTS, UNIT_LASTS, Kind

#: A unit renews with a third of the time left. One that has not for half of that is away, or cannot.
UNIT_SOON = UNIT_LASTS / 6
#: Hub, broker and people's are renewed by a person, who wants some weeks.
OTHERS_SOON = SERVER_LASTS / 15
#: As `parvis-models publish status` has it: what a timer renews twice a day is old after two days, what people sign wants some weeks.
REPOSITORY_SOON = {"root": timedelta(days=45), "targets": timedelta(days=30), "snapshot": timedelta(days=4), "timestamp": timedelta(days=2)}


@dataclass(frozen=True, slots=True)
class Ending:
    """When something ends.

    Attributes:
        until: The end; None where it cannot be read.
        soon: Somebody has to act.
        revoked: It ended before, by an act.
    """

    until: datetime | None
    soon: bool
    revoked: bool = False


def certificate_endings(connection: Connection, now: datetime) -> dict[tuple[str, Kind], Ending]:
    """Of the certificate of each name that lasts longest; one in force before one that is revoked.

    Args:
        connection: To the hub's store.
        now: The time, UTC.
    """
    columns = (certificates.c.name, certificates.c.kind, certificates.c.until_us, certificates.c.revoked_us)
    in_force_last = (certificates.c.revoked_us.is_(None), certificates.c.until_us)
    found: dict[tuple[str, Kind], Ending] = {}
    for row in connection.execute(select(*columns).order_by(*in_force_last)):
        kind, until, revoked = Kind(row.kind), to_datetime(row.until_us / 1e6), row.revoked_us is not None
        soon = not revoked and until - now < (UNIT_SOON if kind is Kind.UNIT else OTHERS_SOON)
        found[row.name, kind] = Ending(until, soon, revoked)
    return found


def repository_endings(folder: Path, now: datetime) -> dict[str, Ending]:
    """Of each role of a repository, as it is served. Whether the signatures are right, units see for themselves.

    Args:
        folder: Of `parvis-models publish`.
        now: The time, UTC.
    """
    found = {}
    for role, soon in REPOSITORY_SOON.items():
        until = _until(newest_metadata(folder, role))
        found[role] = Ending(until, until is None or until - now < soon)
    return found


def newest_metadata(folder: Path, role: str) -> Path:
    """The file of a role that units are led to; one that is not there, where there is none."""
    metadata = folder / "metadata"
    numbered = [path for path in metadata.glob(f"*.{role}.json") if path.name.partition(".")[0].isdigit()]
    return max(numbered, key=lambda path: int(path.name.partition(".")[0]), default=metadata / f"{role}.json")


def _until(path: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(path.read_bytes())["signed"]["expires"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
