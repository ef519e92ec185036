"""The database away for a minute under load, with somebody at the console in a browser: what is lost, and when the list is complete."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests import postgres
from tests.bench.report import Row
from tests.e2e.outage import Shift, store_away
from tests.hub.console.browsing import Browsers
from tests.hub.street import busy_street

AWAY_S, A_SECOND = 60.0, 100


def rows() -> Iterator[Row]:
    """Fails where the page does not say it, its list is not complete afterwards, or a message is lost or counted twice.

    Raises:
        RuntimeError: mosquitto, Chromium or PostgreSQL with PostGIS is missing.
    """
    mosquitto, chromium, programs = shutil.which("mosquitto"), shutil.which("chromium"), postgres.programs()
    if mosquitto is None or chromium is None or programs is None:
        raise RuntimeError("apt install mosquitto chromium postgresql-postgis")
    street = busy_street(4, happenings=400, over_s=1_200.0, start_s=time.time() - 1_800)
    meanwhile = min(round(AWAY_S * A_SECOND), len(street.messages) - 500)
    with (
        tempfile.TemporaryDirectory(prefix="parvis-outage-") as folder,
        Browsers(Path(chromium)) as browsers,
        Shift(Path(mosquitto), programs, browsers, Path(folder), street) as shift,
    ):
        shift.tell(500)
        shift.complete()
        after_s = store_away(shift, AWAY_S, meanwhile)
        listed = shift.complete()
        shift.close_page()
    yield Row("messages while the database was away", meanwhile, f"in {AWAY_S:.0f} s")
    yield Row("of these lost, or counted twice", 0, "")
    yield Row("incidents in the page's list, all that there are", listed, "")
    yield Row("until it was complete, after the database was back", after_s, "s")
