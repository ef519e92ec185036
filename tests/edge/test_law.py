from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from parvis_contract import load_site
from parvis_edge.law import permission, today

from .program import OPEN_PROFILE, write_plan

NOW = date(2026, 6, 21)


def test_the_laboratory_allows_recordings_and_nothing_live(tmp_path: Path) -> None:
    site = load_site(write_plan(tmp_path))
    assert "zone.intrusion" in permission(site, "camera", recorded=True, on=NOW).allowed
    live = permission(site, "camera", recorded=False, on=NOW)
    assert live.allowed == frozenset()
    assert len(live.reasons) == 1
    assert re.search(r"lab\.yaml:\d+: profile lab allows recorded files only", live.reasons[0])


@pytest.mark.parametrize(("on", "line"), [(date(2019, 12, 31), 5), (date(2100, 1, 2), 6)])
def test_out_of_its_time_a_profile_allows_nothing(tmp_path: Path, on: date, line: int) -> None:
    found = permission(load_site(write_plan(tmp_path, OPEN_PROFILE)), "camera", recorded=True, on=on)
    assert found.allowed == frozenset()
    assert all(f"profile.yaml:{line}: " in reason for reason in found.reasons)


def test_what_is_not_named_is_refused_with_its_reason(tmp_path: Path) -> None:
    found = permission(load_site(write_plan(tmp_path, OPEN_PROFILE)), "camera", recorded=False, on=NOW)
    assert found.allowed == {"unit.tampered"}
    assert "zone.intrusion" in found.refusals
    assert "sound.impulse" not in found.refusals


def test_a_profile_that_does_not_speak_of_a_sense_allows_it_nothing(tmp_path: Path) -> None:
    without = "\n".join(line for line in OPEN_PROFILE.splitlines() if not line.startswith("microphone")) + "\n"
    found = permission(load_site(write_plan(tmp_path, without)), "microphone", recorded=True, on=NOW)
    assert found.allowed == frozenset()
    assert "no key `microphone`" in found.reasons[0]


def test_today_is_the_sites_own(tmp_path: Path) -> None:
    site = load_site(write_plan(tmp_path))
    assert today(site, datetime(2026, 6, 21, 22, 30, tzinfo=UTC)) == date(2026, 6, 22)
