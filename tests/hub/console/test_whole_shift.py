"""An operator's whole session, by the keyboard alone: in, what comes, decided, taken back, looked back, out; and what the log then says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from parvis_contract import StatusReason, UnitState
from parvis_hub.governance import Role, entries
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import LEFT, left, row
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import plate_of
from tests.hub.console.test_session_page import PASSWORD, sign_in


def test_a_shift_from_signing_in_to_signing_out(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    hub.all_alive()
    # At night, on a page that has no map: the list is enough.
    page = open_page(name=None, wait=False, color_scheme="dark")
    sign_in(page, "a-martin")
    expect(page.locator("#silence")).to_contain_text("Nothing is reported")
    said = page.locator("#announce")

    # Something comes, and is said.
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))
    hub.receive(start)
    hub.receive(plate_of(start))
    [bag] = [str(each.message.data.incident) for each in hub.desk.incidents()]
    expect(said).to_contain_text("New incident: Object left")
    expect(page).to_have_title("(1) vieux-port · Parvis console")

    # Looked at, with its plate; confirmed; taken back; dismissed: two keys each.
    page.keyboard.press("j")
    card = page.locator("#card")
    expect(card.locator("figure img")).to_be_visible()
    for first, second, words in (
        ("c", "1", "Confirmed by a-martin"),
        ("w", "1", "Withdrawn by a-martin"),
        ("d", "1", "Dismissed by a-martin"),
    ):
        page.keyboard.press(first)
        expect(page.locator("#decide-dialog")).to_be_visible()
        page.keyboard.press(second)
        expect(card.locator(".history")).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(card).not_to_contain_text("Object left")

    # Another, which goes on; and a unit that needs somebody.
    second = left(hub, right_m=-6.0)
    expect(row(page, second)).to_be_visible()
    expect(row(page, bag)).to_have_count(0)
    hub.status("u017", UnitState.DEGRADED, StatusReason.LOW_RATE)
    expect(page.locator(".unit[data-unit='u017']")).to_have_attribute("data-health", "degraded")
    page.keyboard.press("f")
    expect(row(page, bag)).to_have_attribute("data-verdict", "dismissed")
    page.keyboard.press("f")
    expect(row(page, second)).to_be_visible()

    # Looked back, where nothing can be decided.
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.locator("body[data-past]")).to_be_attached()
    page.locator("#list").focus()
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#decide-dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("body[data-past]")).to_have_count(0)

    # The help, and out.
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard and signs")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#operator").press("Enter")
    page.get_by_role("button", name="Sign out").last.press("Enter")
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    expect(page.locator("#incidents button")).to_have_count(0)

    with hub.database.read() as connection:
        log = [(entry.by, entry.what.value) for entry in entries(connection) if entry.by == "a-martin"]
    assert log == [("a-martin", what) for what in ("signed_in", "plate_viewed", "verdict_given", "verdict_given", "verdict_given")]
    assert all(decision.at <= datetime.now(UTC) for decision in hub.incident(bag).decisions)
    assert [decision.by for decision in hub.incident(second).decisions] == []
