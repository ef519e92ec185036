"""Database away, broker away, clock set back, in a real browser: the page says what is, and afterwards its list is complete.

`python -m tests.bench outage` plays the first with the database away for a whole minute, under load.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.chaos.accidents import SHIFTED
from tests.e2e.outage import Shift, broker_away, clock_back, store_away
from tests.hub.console.browsing import Browsers
from tests.hub.street import busy_street


@pytest.fixture(scope="module")
def browsers(chromium: Path) -> Iterator[Browsers]:
    with Browsers(chromium) as made:
        yield made


def test_a_shift_goes_on_whatever_goes_away(mosquitto: Path, postgresql: postgres.Postgres, browsers: Browsers, tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    street = busy_street(4, happenings=30, start_s=time.time() - 600)
    quarter = len(street.messages) // 4
    with Shift(mosquitto, postgresql.programs, browsers, tmp_path, street, SHIFTED.format(file=str(offset))) as shift:
        shift.tell(quarter)
        shift.complete()
        store_away(shift, 3.0, quarter)
        broker_away(shift, quarter)
        clock_back(shift, offset, len(street.messages) - 3 * quarter)
        assert "Traceback" not in shift.hub.log
        shift.close_page()
