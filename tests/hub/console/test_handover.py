"""What a shift works with besides: a place of the plan, the order, a sound for what is new, and one page to hand over with."""

from __future__ import annotations

import re
from collections.abc import Callable

from parvis_contract import StatusReason, UnitState
from parvis_hub.store import DecisionReason
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import choose, left, row
from tests.hub.console.hub import Hub
from tests.hub.console.test_criteria import incident
from tests.hub.console.test_shift import decided


def test_a_place_of_the_plan_is_chosen_and_who_waits_longest_stands_first(hub: Hub, open_page: Callable[..., Page]) -> None:
    older = left(hub, right_m=-6.0, ago_s=7_200.0)
    on_terrace = left(hub)
    elsewhere = hub.put(incident("zone.intrusion", place_m=(-104.0, 20.0)))
    page = open_page()
    expect(page.locator("#incidents button")).to_have_count(3)
    page.keyboard.press("/")
    expect(page.locator("[data-narrow='place']")).to_be_focused()
    page.locator("[data-narrow='place']").select_option("at:quay-edge")
    expect(page.locator("#incidents button")).to_have_count(1)
    expect(row(page, elsewhere)).to_be_visible()
    expect(page.locator("#narrow-hidden")).to_have_text("2 hidden")
    page.locator("[data-narrow='place']").select_option("at:square")
    expect(page.locator("#incidents button")).to_have_count(2)
    page.locator("[data-order]").select_option("oldest")
    expect(page.locator("#incidents button").first).to_have_attribute("data-incident", older)
    page.locator("[data-order]").select_option("newest")
    expect(page.locator("#incidents button").first).to_have_attribute("data-incident", on_terrace)


COUNT_TONES = """() => {
  globalThis.tones = 0;
  const make = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () { globalThis.tones += 1; return make.call(this); };
}"""


def test_a_new_incident_is_heard_if_somebody_has_switched_that_on(hub: Hub, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.evaluate(COUNT_TONES)
    sound = page.get_by_role("button", name="Sound for new incidents")
    expect(sound).to_have_attribute("aria-pressed", "false")
    left(hub)
    expect(page.locator("#announce")).to_contain_text("Object left")
    assert page.evaluate("tones") == 0
    # It is heard once when it is switched on, so that whoever does it knows it again.
    page.keyboard.press("s")
    expect(sound).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("() => tones === 2")
    hub.put(incident("zone.intrusion", place_m=(-104.0, 20.0)))
    page.wait_for_function("() => tones === 4")
    sound.click()
    hub.put(incident("person.on_ground", place_m=(70.0, 30.0)))
    expect(page.locator("#announce")).to_contain_text("Person on the ground")
    assert page.evaluate("tones") == 4


def test_a_shift_is_handed_over_on_one_page(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    hub.status("u017", UnitState.DEGRADED, StatusReason.LOW_RATE)
    found = left(hub, right_m=-6.0, ago_s=7_200.0)
    shot = decided(hub, DecisionReason.FALSE_ALARM, 0)
    waits = left(hub)
    page = open_page()
    choose(page, found)
    page.keyboard.press("c")
    page.keyboard.press("1")
    expect(page.locator("#card .history")).to_contain_text("Confirmed by a-martin")
    page.get_by_role("button", name="Shift handover").click()
    dialog = page.get_by_role("dialog", name="Shift handover, vieux-port")
    expect(dialog.locator("h3")).to_have_text(
        [
            re.compile(each)
            for each in ("Wait for a decision: 1", "Confirmed since .*: 1", "Dismissed since .*: 1", "Units that need somebody: 1")
        ]
    )
    expect(dialog.locator("[data-incident]")).to_have_count(2)
    expect(dialog.locator(f"[data-incident='{waits}']")).to_be_visible()
    expect(dialog.locator(f"[data-incident='{found}']")).to_contain_text("a-martin")
    expect(dialog.locator(f"[data-incident='{shot}']")).to_have_count(0)
    expect(dialog).to_contain_text("u017Degraded")
    page.emulate_media(media="print")
    expect(dialog).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    expect(dialog.get_by_role("button", name="Close")).to_be_hidden()
