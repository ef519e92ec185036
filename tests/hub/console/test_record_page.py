"""The record in a real browser: what is kept, what has expired and is gone, and what the accountability log says of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from parvis_contract import Phase
from parvis_hub import governance
from parvis_hub.console.routes import STATIC
from parvis_hub.governance import Role, What
from parvis_hub.governance.about import RolloutAct, RowsExpired, UserChange
from parvis_hub.service import purge
from parvis_hub.store import Store
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import LEFT, choose, row
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import plate_of
from tests.hub.console.test_session_page import PASSWORD, sign_in

HOUR_US = 3_600_000_000


def over(hub: Hub) -> str:
    """Something was left, a plate was sent of it, and it is over."""
    place = before_camera(18, 1)
    start = hub.event("u011", "object.unattended", LEFT, place_m=place, ago_s=30.0)
    hub.receive(start)
    hub.receive(plate_of(start))
    hub.receive(hub.event("u011", "object.unattended", LEFT, phase=Phase.END, start=start, place_m=place))
    hub.store.commit(hub.intake.prepare([], hub._now_us() + HOUR_US).batch)
    [found] = hub.desk.incidents()
    return str(found.message.data.incident)


def hours_pass(hub: Hub, hours: float) -> None:
    """So much later, the hub deletes what is over its time, as it does every minute."""
    purge(Store(hub.database, hub.site, lambda: hub._now_us() + round(hours * HOUR_US)), hub.notices)


def test_an_expired_retention_in_a_browser(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.users.add("d-petit", Role.DATA_PROTECTION_OFFICER, PASSWORD, "hub")
    id_ = over(hub)
    page = open_page(name=None, wait=False)
    sign_in(page, "d-petit")
    choose(page, id_)
    expect(page.locator("#card figure img")).to_be_visible()
    page.locator("#record").press("Enter")
    dialog = page.get_by_role("dialog", name="Record")
    kept = dialog.locator("[data-kind='incidents']")
    expect(kept).to_contain_text("3 d")
    cells = kept.locator("td")
    expect(cells.nth(1)).to_have_text("1")
    expect(cells.nth(3)).to_have_text("0")
    expect(cells.nth(4)).to_have_text("–")
    dialog.get_by_role("button", name="Close").press("Enter")

    # Shortly before its time nothing is deleted; after it, it is gone, from the open page too, with its picture.
    hours_pass(hub, hub.site.law.retention.incidents_h - 1.0)
    expect(row(page, id_)).to_be_visible()
    hours_pass(hub, hub.site.law.retention.incidents_h + 2.0)
    expect(row(page, id_)).to_have_count(0)
    expect(page.locator("#card figure")).to_have_count(0)
    assert hub.desk.incident(uuid.UUID(id_)) is None
    assert page.evaluate(f"fetch('api/incidents/{id_}').then((answer) => answer.status)") == 404

    # And there is the proof.
    page.locator("#record").press("Enter")
    expect(cells.nth(1)).to_have_text("0")
    with hub.database.read() as connection:
        [entry] = governance.latest(connection, 5, what=What.ROWS_EXPIRED)
    assert isinstance(entry.about, RowsExpired)
    assert (entry.about.incidents, entry.about.plates, entry.about.events) == (1, 1, 2)
    expect(cells.nth(4)).to_contain_text(f": entry {entry.number}")
    said = dialog.locator(f"#record-log [data-entry='{entry.number}']")
    expect(said).to_contain_text("What was over its time was deleted")
    expect(said).to_contain_text("Incidents\u00a0: 1")
    expect(said).to_contain_text("Evidence plates\u00a0: 1")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Français").click()
    page.locator("#record").press("Enter")
    expect(page.get_by_role("dialog", name="Registre").locator(f"[data-entry='{entry.number}']")).to_contain_text("Incidents\u00a0: 1")


def test_the_log_is_read_page_by_page_and_by_whom_it_is_for(hub: Hub, open_page: Callable[..., Page]) -> None:
    for name, role in (("a-martin", Role.OPERATOR), ("s-noel", Role.SUPERVISOR)):
        hub.users.add(name, role, PASSWORD, "hub")
    for _ in range(70):
        hub.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    page = open_page(name=None, wait=False)
    sign_in(page, "a-martin")
    expect(page.locator("#operator")).to_have_text("a-martin")
    expect(page.locator("#record")).to_be_hidden()
    page = open_page(name=None, wait=False)
    sign_in(page, "s-noel")
    page.locator("#record").click()
    entries = page.locator("#record-log tbody tr")
    expect(entries).to_have_count(50)
    expect(entries.first).to_contain_text("s-noel")
    page.get_by_role("button", name="Earlier entries").click()
    expect(entries).to_have_count(74)
    expect(entries.last).to_contain_text("A user was changed · a-martin · added · ")
    expect(page.get_by_role("button", name="Earlier entries")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_language_has_a_word_for_all_that_can_be_recorded(language: str) -> None:
    words = json.loads((STATIC / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    wanted = {f"what.{each}" for each in What} | {f"user_change.{each}" for each in UserChange}
    wanted |= {f"rollout_act.{each}" for each in RolloutAct} | {f"kept.{name}" for name in RowsExpired.model_fields}
    assert wanted <= words.keys()


def test_the_page_can_tell_what_each_entry_is_about(open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert set(page.evaluate("import('/static/js/record.js').then(({ ABOUT }) => Object.keys(ABOUT))")) == set(What)
