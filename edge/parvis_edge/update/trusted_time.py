"""No earlier than this: a time that a unit without a clock may hold against its clock, from the newest signed metadata that it has seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parvis_contract import CommandRefusal

from parvis_edge.whole_file import replace_file

from .errors import UpdateError

#: Name of the field, in the signed part of root and timestamp, that says when it was signed. TUF keeps fields that it does not know.
ISSUED = "x-parvis-issued"
#: A clock may be behind the signer's by so much.
SLACK = timedelta(minutes=5)


class TrustedTime:
    """The latest moment that signed metadata has proved to be past.

    Args:
        folder: Where it is kept, as a file of one line.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "not_before"

    @property
    def not_before(self) -> datetime | None:
        """It cannot be earlier now; None if nothing has been seen."""
        try:
            return datetime.fromisoformat(self._path.read_text("ascii")).astimezone(UTC)
        except (OSError, ValueError):
            return None

    def learn(self, metadata: bytes) -> None:
        """Takes the time of signing from metadata that has been verified; one that does not say it teaches nothing.

        Raises:
            OSError: It cannot be kept.
        """
        try:
            issued = datetime.fromisoformat(json.loads(metadata)["signed"][ISSUED]).astimezone(UTC)
        except (ValueError, KeyError, TypeError):
            return
        known = self.not_before
        if known is None or issued > known:
            replace_file(self._path, issued.isoformat().encode("ascii"))

    def check(self, now: datetime) -> None:
        """Raises UpdateError where the clock shows a time that is known to be past."""
        known = self.not_before
        if known is not None and now < known - SLACK:
            raise UpdateError(
                CommandRefusal.CLOCK_BEHIND,
                f"the clock shows {now:%Y-%m-%d %H:%M} UTC, but metadata signed at {known:%Y-%m-%d %H:%M} is here: "
                "nothing is taken until the clock is set; the unit goes on with what it has",
                again=True,
            )
