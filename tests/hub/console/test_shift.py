"""What a shift is told beside an alert: how often the like of it was a false alarm, and which unit said what when."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from parvis_contract import ImpulseClass, ObjectUnattended, Phase, SoundImpulse, Verdict
from parvis_hub.store import DecisionReason
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import LEFT, choose, left, row
from tests.hub.console.hub import Hub, before_camera

TWELVE = [DecisionReason.FALSE_ALARM] * 3 + [DecisionReason.TEST] * 2 + [DecisionReason.SEEN_ON_SITE] * 7


def decided(hub: Hub, reason: DecisionReason, number: int) -> str:
    shot = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=1.0)
    id_ = hub.report("u020", "sound.impulse", shot, phase=Phase.INSTANT, ago_s=5_000.0 - 60.0 * number)
    decide(hub, id_, reason)
    return id_


def decide(hub: Hub, id_: str, reason: DecisionReason) -> None:
    verdict = Verdict.CONFIRMED if reason is DecisionReason.SEEN_ON_SITE else Verdict.DISMISSED
    verdict = Verdict.UNCONFIRMED if reason is DecisionReason.MISTAKEN_DECISION else verdict
    hub.desk.decide(uuid.UUID(id_), verdict, reason, "a-martin", datetime.now(UTC))


def test_false_alarms_are_counted_by_type_and_unit_from_the_last_decision_on_each(hub: Hub) -> None:
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    ids = [decided(hub, reason, number) for number, reason in enumerate(TWELVE)]
    other = left(hub)
    assert client.get(f"/api/incidents/{ids[0]}").json()["outcomes"] == [{"unit": "u020", "decided": 12, "false_alarms": 3}]
    assert client.get(f"/api/incidents/{other}").json()["outcomes"] == [{"unit": "u011", "decided": 0, "false_alarms": 0}]
    # Decided otherwise, and taken back: the last word counts.
    decide(hub, ids[0], DecisionReason.SEEN_ON_SITE)
    decide(hub, ids[1], DecisionReason.MISTAKEN_DECISION)
    assert client.get(f"/api/incidents/{ids[0]}").json()["outcomes"] == [{"unit": "u020", "decided": 11, "false_alarms": 1}]


def test_the_timeline_says_which_unit_said_what_when_and_counts_what_goes_on(hub: Hub) -> None:
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1), ago_s=60.0)
    hub.receive(start)
    for ago_s in (40.0, 30.0, 20.0):
        going_on = ObjectUnattended(dwell_s=121.0 - ago_s, area_m2=0.21, nearest_person_m=9.5)
        hub.receive(
            hub.event("u011", "object.unattended", going_on, phase=Phase.UPDATE, start=start, place_m=before_camera(18, 1), ago_s=ago_s)
        )
    end = ObjectUnattended(dwell_s=111.0, area_m2=0.21, nearest_person_m=1.0)
    hub.receive(hub.event("u011", "object.unattended", end, phase=Phase.END, start=start, place_m=before_camera(18, 1), ago_s=10.0))
    [row] = hub.desk.incidents()
    told = client.get(f"/api/incidents/{row.message.data.incident}").json()["timeline"]
    said = [(entry["unit"], entry["phase"], entry["count"]) for entry in told]
    assert said == [("u011", "start", 1), ("u011", "update", 3), ("u011", "end", 1)]
    assert told[0]["time"] == told[0]["until"] < told[1]["time"] < told[1]["until"] < told[2]["time"]


@pytest.mark.parametrize(
    ("count", "says"), [(12, "3 were false alarms (25%)"), (9, "Too few to tell how often u020 is wrong with this type: 9 decided, 3")]
)
def test_the_card_shows_both(hub: Hub, open_page: Callable[..., Page], count: int, says: str) -> None:
    id_, *_ = [decided(hub, reason, number) for number, reason in enumerate(TWELVE[:count])]
    page = open_page()
    page.locator("[data-filter='all']").click()
    choose(page, id_)
    expect(page.locator("#card")).to_contain_text(says)
    expect(page.locator("#card .timeline")).to_contain_text("u020 reports it")


def test_the_list_is_narrowed_by_what_unit_time_verdict_and_place_and_says_what_it_hides(hub: Hub, open_page: Callable[..., Page]) -> None:
    older = left(hub, right_m=-6.0, ago_s=7_200.0)
    shot = decided(hub, DecisionReason.FALSE_ALARM, 0)
    bag = left(hub)
    page = open_page(webgl=True)
    page.wait_for_selector("body[data-map='on']")
    page.locator("[data-filter='all']").click()
    page.locator("#narrow summary").click()

    def ask(name: str, value: str, *found: str) -> None:
        page.locator(f"[data-narrow='{name}']").select_option(value)
        expect(page.locator("#incidents button")).to_have_count(len(found))
        for id_ in found:
            expect(row(page, id_)).to_be_visible()
        if value:
            expect(page.locator("#narrow-hidden")).to_have_text(f"{3 - len(found)} hidden")

    ask("type", "object.unattended", bag, older)
    ask("hours", "1", bag)
    ask("unit", "u003")
    expect(page.locator("#silence")).to_contain_text("Nothing passes the filters.")
    page.get_by_role("button", name="No filters").click()
    expect(page.locator("#incidents button")).to_have_count(3)
    ask("verdict", "dismissed", shot)
    ask("verdict", "", shot, bag, older)
    ask("place", "map", shot, bag, older)
    choose(page, bag)
    page.locator("#card .on-map").click()
    # The map has come so close to the one that the sound 90 m away is not on it.
    expect(row(page, shot)).to_have_count(0)
    expect(row(page, bag)).to_be_visible()
