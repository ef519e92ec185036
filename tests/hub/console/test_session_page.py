"""Signing in, deciding and signing out in a real browser, and what each role is shown."""

from __future__ import annotations

from collections.abc import Callable

from parvis_hub.governance import Role
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import LEFT, choose, left, row
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import plate_of

PASSWORD = "correct horse battery"


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_role("textbox", name="Name").fill(name)
    page.locator("#sign-in-password").fill(password)
    page.keyboard.press("Enter")


def test_an_operator_signs_in_decides_in_two_keystrokes_and_signs_out(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    id_ = left(hub)
    page = open_page(name=None, wait=False)
    dialog = page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    expect(page.locator("#incidents button")).to_have_count(0)
    sign_in(page, "a-martin", "a wrong password")
    expect(page.locator("#sign-in-error")).to_have_text("The name or the password is wrong.")
    dialog.get_by_role("button", name="Français").click()
    expect(page.get_by_role("dialog", name="Connexion")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="English").click()
    sign_in(page, "a-martin")
    expect(page.locator("#operator")).to_have_text("a-martin")
    expect(page.locator("#open-note")).to_be_hidden()
    choose(page, id_)
    page.keyboard.press("c")
    page.keyboard.press("2")
    expect(page.locator("#card .history")).to_contain_text("Confirmed by a-martin")
    assert [decision.by for decision in hub.incident(id_).decisions] == ["a-martin"]
    # What the browser holds is for no script.
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(row(page, id_)).to_have_count(0)
    page.locator("[data-filter='all']").click()
    expect(row(page, id_)).to_be_visible()
    page.locator("#operator").click()
    page.get_by_role("button", name="Sign out").last.click()
    expect(dialog).to_be_visible()
    expect(page.locator("#incidents button")).to_have_count(0)


def test_a_maintainer_looks_and_cannot_decide_nor_see_a_plate(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.users.add("m-roux", Role.MAINTAINER, PASSWORD, "hub")
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))
    hub.receive(start)
    hub.receive(plate_of(start))
    page = open_page(name=None, wait=False)
    sign_in(page, "m-roux")
    id_ = str(hub.desk.incidents()[0].message.data.incident)
    choose(page, id_)
    card = page.locator("#card")
    expect(card).to_contain_text("Your role may look, and not decide.")
    expect(card).to_contain_text("There is an evidence plate. Your role may not see it.")
    expect(card.locator("figure, .decision-buttons")).to_have_count(0)
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_have_count(0)
    hub.users.set_role("m-roux", Role.OPERATOR, "hub")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    choose(page, id_)
    expect(card.get_by_role("button", name="Confirm")).to_be_visible()


def test_a_session_that_has_ended_is_said_and_nothing_is_shown_any_more(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    left(hub)
    page = open_page(name=None, wait=False)
    sign_in(page, "a-martin")
    expect(page.locator("#incidents button")).to_have_count(1)
    hub.later_us = 13 * 3_600_000_000
    expect(page.locator("#sign-in-error")).to_have_text("The session has ended. Sign in again.")
    expect(page.locator("#incidents button")).to_have_count(0)


def test_a_console_without_users_says_that_it_is_open(hub: Hub, open_page: Callable[..., Page]) -> None:
    page = open_page()
    expect(page.locator("#open-note")).to_contain_text("No sign-in: whoever reaches this page may decide.")
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
