"""A unit whose clock lies: found by the sound that five units hear, kept over a restart, and told to whoever mends units."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from parvis_contract import ImpulseClass, Phase, SoundImpulse, load_site
from parvis_hub.intake import Intake
from parvis_hub.store import Desk, Store
from playwright.sync_api import Page, expect

from tests.hub.console.hub import TAGGER, Hub, at

SHOT_M = (10.0, 5.0)
#: Where the units that hear it are; the clock of the last is wrong.
EARS_M = {"u003": (-60, 42), "u011": (20, 10), "u020": (6, -88), "u030": (70, 60), "u031": (-80, -40), "u032": (95, -30), "u033": (-20, 90)}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    plan = made.site.path.read_text()
    more = "".join(
        f"  {name}: {{position: {{lon: {lon}, lat: {lat}}}, senses: [microphone], range_m: 200}}\n"
        for name, (lon, lat) in ((name, at(*place)) for name, place in EARS_M.items() if name >= "u030")
    )
    made.site.path.write_text(plan.replace("zones:\n", more + "zones:\n", 1))
    made.site = load_site(made.site.path)
    restart(made)
    yield made
    made.close()


def restart(hub: Hub) -> None:
    hub.store = Store(hub.database, hub.site)
    hub.intake = Intake(hub.site, hub.store)
    hub.desk = Desk(hub.store, hub.site, hub.notices)


def shoot(hub: Hub, off_s: float) -> None:
    """A shot that all hear when it reaches them; the last says a time that is off."""
    now = datetime.now(UTC)
    measure = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=1.0)
    for name, (east_m, north_m) in EARS_M.items():
        travel_s = ((east_m - SHOT_M[0]) ** 2 + (north_m - SHOT_M[1]) ** 2) ** 0.5 / 345.8
        late_s = travel_s + (off_s if name == "u033" else 0.0)
        hub.receive(
            hub.event(name, "sound.impulse", measure, phase=Phase.INSTANT, model=TAGGER, ago_s=20.0, now=now + timedelta(seconds=late_s))
        )


@pytest.mark.parametrize(("off_s", "says"), [(0.35, "ahead of the others"), (-0.35, "behind the others")])
def test_the_console_says_whose_clock_lies_and_by_how_much(hub: Hub, open_page: Callable[..., Page], off_s: float, says: str) -> None:
    hub.all_alive()
    page = open_page()
    expect(page.locator("#unit-list .unit-clock")).to_have_count(0)
    shoot(hub, off_s)
    entry = page.locator(".unit[data-unit='u033']")
    expect(entry.locator(".unit-clock")).to_contain_text(re.compile(rf"Its clock is 3\d\d\sms {says}’, whatever it says"))
    expect(page.locator("#unit-list .unit").first).to_have_attribute("data-unit", "u033")
    expect(page.locator("#unit-list .unit-clock")).to_have_count(1)


def test_it_is_in_the_metrics_outlasts_a_restart_and_is_old_news_after_a_day(hub: Hub) -> None:
    shoot(hub, 0.35)
    restart(hub)
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    [found] = [unit["wrong_clock"] for unit in client.get("/api/units").json()["units"] if unit["wrong_clock"]]
    assert found["off_s"] == pytest.approx(0.35, abs=0.03)
    [line] = [line for line in client.get("/metrics").text.splitlines() if line.startswith("parvis_hub_clock_off_seconds{")]
    assert line.startswith('parvis_hub_clock_off_seconds{unit="u033"} 0.3')
    tomorrow = Desk(hub.store, hub.site, hub.notices, now=lambda: datetime.now(UTC) + timedelta(hours=25))
    assert all(unit.wrong_clock is None for unit in tomorrow.units())
