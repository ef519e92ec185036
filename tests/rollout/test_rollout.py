"""A version goes from the canary to all, and no event is lost; `make rollout` tries what is bad, and what happens meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rollout import scenarios
from tests.rollout.street import Street, street_sound

UNITS = ("u001", "u002", "u003")


@pytest.mark.timeout(900)
def test_a_good_version_goes_from_the_canary_to_all_and_no_event_is_lost(tmp_path: Path, mosquitto: Path) -> None:
    sound = street_sound(tmp_path / "street.wav", 600.0)
    with Street(tmp_path, mosquitto, {name: ["microphone"] for name in UNITS}, {"microphone": sound}, members=UNITS) as street:
        scenarios.begin(street, *UNITS)
        lines = [*scenarios.good(street, "1.2.0", "u002"), scenarios.complete(street, "u002"), scenarios.whole(street)]
        assert [line for line in lines if not line.holds] == []
        assert {name: unit.ends for name, unit in street.units.items()} == {name: [] for name in UNITS}
