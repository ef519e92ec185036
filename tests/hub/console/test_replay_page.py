"""A past hour in a real browser: chosen, played, gone through with the keyboard, and left; what happens now is told meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from parvis_contract import Phase, Verdict
from parvis_hub.store import DecisionReason
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import left, row
from tests.hub.console.hub import Hub
from tests.hub.console.test_past import BEGIN, SHOT, Hour


def test_a_past_hour_is_played_and_gone_through_and_left(hub: Hub, open_page: Callable[..., Page]) -> None:
    hour = Hour(hub)
    bag = hour.came(10, hour.bag(10))
    shot = hour.came(20, hour.event(20, "sound.impulse", SHOT, unit="u020", phase=Phase.INSTANT))
    hour.decide(25, bag, Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE)
    hub.all_alive()
    # The reader's computer is elsewhere: the time is that of the site.
    page = open_page(webgl=True, timezone_id="America/Cayenne")
    page.wait_for_selector("body[data-map='on']")
    flags = page.locator(".flag-sign")
    expect(flags).to_have_count(1)

    # What is listed is narrowed, which is no matter in the past, and is so again afterwards.
    page.locator("#narrow summary").click()
    only = page.locator("[data-narrow='type']")
    only.select_option("sound.impulse")

    page.locator("#list").focus()
    page.keyboard.press("r")
    since = page.get_by_label("One hour from")
    expect(since).to_be_focused()
    since.fill(hour.field())
    page.keyboard.press("Enter")
    bar, clock = page.locator("#replay"), page.locator("#replay-time")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_focused()
    expect(clock).to_have_text(re.compile(hour.clock(0)))
    expect(page.locator("#silence")).to_contain_text("Nothing was open at this moment.")
    expect(flags).to_have_count(0)
    expect(only).to_have_value("")
    expect(page.locator("#units-past")).to_be_visible()
    expect(page.locator(".replay-marks span")).to_have_count(2)

    # By keys: to the next change, and by ten seconds and a minute.
    page.locator("#list").focus()
    page.keyboard.press("n")
    expect(row(page, bag)).to_have_attribute("data-verdict", "unconfirmed")
    expect(flags).to_have_count(1)
    page.keyboard.press("n")
    expect(row(page, shot)).to_be_visible()
    page.keyboard.press("p")
    page.keyboard.press("ArrowLeft")
    expect(row(page, bag)).to_have_count(0)
    page.keyboard.press("Shift+ArrowRight")
    expect(row(page, bag)).to_be_visible()

    # What is opened is as it was: no decision, no picture, no figure of now.
    row(page, bag).click()
    card = page.locator("#card")
    expect(card).to_contain_text("As it was at this moment.")
    expect(card.locator(".decision, figure, .outcome, .timeline")).to_have_count(0)
    page.keyboard.press("c")
    expect(page.locator("#decide-dialog")).to_be_hidden()

    # What happens now is told meanwhile, and not shown as if it were then.
    new = left(hub, right_m=-6.0)
    expect(bar).to_contain_text("Now: 2 wait for a decision")
    expect(row(page, new)).to_have_count(0)

    # By the slider, and played to the end.
    page.get_by_label("Moment").fill("1600")
    expect(row(page, bag)).to_have_attribute("data-verdict", "confirmed")
    page.get_by_label("Speed").select_option("300")
    page.get_by_label("Moment").fill("3400")
    page.locator("#list").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(clock).to_have_text(re.compile(hour.clock(60)))
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()

    # First the incident is closed, then the past.
    expect(card).to_contain_text("This incident was not there at this moment.")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    expect(only).to_have_value("sound.impulse")
    page.get_by_role("button", name="No filters").click()
    expect(row(page, new)).to_be_visible()
    expect(page.locator("#unit-list .unit")).to_have_count(4)


def test_a_time_of_which_nothing_is_kept_is_said(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Replay").press("Enter")
    page.get_by_label("One hour from").fill((BEGIN - timedelta(days=3_000)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.locator("#replay-message")).to_contain_text("Not shown: since: a time in the last")
    expect(page.locator("#replay-run")).to_be_hidden()
    page.get_by_role("button", name="Back to now").press("Enter")
    expect(page.locator("#replay")).to_be_hidden()
