"""When nobody minds a unit that is away for a minute or two."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from datetime import time as time_of_day


def quiet(window: str, now: datetime) -> bool:
    """Whether it is a time at which nobody minds a unit that is away for a minute or two.

    Args:
        window: ``02:00-04:00``, UTC; it may go over midnight; ``any`` is the whole day.
        now: UTC.

    Raises:
        ValueError: The window is none.
    """
    if window == "any":
        return True
    first, last = (time_of_day.fromisoformat(each) for each in window.split("-"))
    at = now.time()
    return first <= at < last if first <= last else at >= first or at < last


def wait_for_quiet(window: str) -> None:
    """Sleeps until then."""
    while not quiet(window, datetime.now(UTC)):
        time.sleep(30)
