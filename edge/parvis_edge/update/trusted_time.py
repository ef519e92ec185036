"""No earlier than this: what a unit without a clock may hold against its clock, the time of signing of metadata that it has verified. Pure.

Nothing of it is kept beside the metadata themselves. A timestamp's key lies on the hub; whoever steals it can date a timestamp ahead by
years, and a unit that remembered the date would refuse everything until then. So what it says counts for as long as that timestamp is
trusted: until the next one, or until the root's holders, whose keys are offline, have given the role to another key.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from parvis_contract import CommandRefusal

from .errors import UpdateError

#: Name of the field, in the signed part of root and timestamp, that says when it was signed. TUF keeps fields that it does not know.
ISSUED = "x-parvis-issued"
#: A clock may be behind the signer's by so much.
SLACK = timedelta(minutes=5)


def check_clock(now: datetime, metadata: bytes) -> None:
    """Compares the clock with the time of signing of metadata that have been verified; such as do not say it prove nothing.

    Raises:
        UpdateError: The clock shows a time that is past, or the metadata are dated ahead of their time.
    """
    try:
        signed = json.loads(metadata)["signed"]
        issued = datetime.fromisoformat(signed[ISSUED]).astimezone(UTC)
    except (ValueError, KeyError, TypeError, OverflowError):
        return
    if now + SLACK >= issued:
        return
    role = signed.get("_type", "metadata")
    raise UpdateError(
        CommandRefusal.CLOCK_BEHIND,
        f"the clock shows {now:%Y-%m-%d %H:%M} UTC, but the repository's {role} was signed at {issued:%Y-%m-%d %H:%M}: nothing is taken "
        "until the clock is set, and the unit goes on with what it has; if the clock is right, that key is in other hands: "
        f"`parvis-models publish rotate`, for {role}",
        again=True,
    )
