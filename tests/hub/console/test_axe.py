"""Every screen, by day and by night, on a telephone and on a wall, has none of the faults that axe-core finds (WCAG 2.2, A and AA)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
from parvis_hub.governance import Role
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import Browsers, choose, left
from tests.hub.console.hub import Hub
from tests.hub.console.test_session_page import PASSWORD, sign_in

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TELEPHONE, WALL = {"width": 390, "height": 844}, {"width": 1920, "height": 1080}
DIALOGS = ("handover", "routes", "record", "fleet", "help")


def faults(page: Page) -> list[str]:
    """What axe finds, with the elements in which it does."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    assert len(found["passes"]) > 10, "axe has looked at nothing"
    return [f"{fault['id']}: {node['target']}: {node['failureSummary']}" for fault in found["violations"] for node in fault["nodes"]]


def screens(hub: Hub, page: Page, incident: str) -> Iterator[str]:
    """Each screen in turn, as somebody comes to it."""
    phone = page.locator(".views").is_visible()
    yield "list"
    page.locator("#narrow summary").click()
    yield "filters"
    page.locator("#narrow summary").click()
    for view in ("map", "units", "list") if phone else ():
        page.locator(f".views [data-view='{view}']").click()
        yield view
    choose(page, incident)
    yield "incident"
    page.keyboard.press("c")
    expect(page.locator("#decide-dialog")).to_be_visible()
    yield "deciding"
    page.keyboard.press("Escape")
    expect(page.locator("#decide-dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    for name in DIALOGS:
        if page.locator("#more").is_visible():
            page.locator("#more").click()
        page.locator(f"#{name}").click()
        shown = page.locator(f"#{name}-dialog, #consent-dialog").filter(visible=True)
        expect(shown).to_be_visible()
        page.wait_for_load_state("networkidle")
        yield name
        # A key that is pressed while it closes is still the dialog's.
        page.keyboard.press("Escape")
        expect(shown).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#replay")).to_be_visible()
    yield "a past hour"
    page.keyboard.press("Escape")
    hub.sessions.sign_out(page.context.cookies()[0]["value"])
    page.reload()
    expect(page.locator("#sign-in-dialog")).to_be_visible()
    yield "signing in"


@pytest.mark.parametrize("size", [TELEPHONE, WALL], ids=["telephone", "wall"])
def test_no_screen_has_a_fault_that_axe_finds(hub: Hub, open_page: Callable[..., Page], size: dict[str, int]) -> None:
    hub.all_alive()
    hub.users.add("s-noel", Role.SUPERVISOR, PASSWORD, "hub")
    incident = left(hub)
    page = open_page(webgl=True, name=None, wait=False, viewport=size, reduced_motion="reduce")
    # A map of this size, drawn by the processor, takes its time on a machine that does much else.
    page.set_default_timeout(90_000)
    sign_in(page, "s-noel")
    page.wait_for_selector("body[data-map='on']")
    found: dict[str, list[str]] = {}
    for screen in screens(hub, page, incident):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found[f"{screen}, {scheme}"] = faults(page)
    assert len(found) > 20
    assert {screen: each for screen, each in found.items() if each} == {}


def test_no_page_for_everybody_has_one_either(hub: Hub, browsers: Browsers) -> None:
    hub.serve()
    for name in ("register.html?lang=fr", "register.html", "sign.html", "reports.html"):
        page = browsers.open(f"{hub.url}public/{name}", name=None, wait=False)
        assert faults(page) == [], name
    browsers.check(hub.url)


@pytest.mark.usefixtures("hub")
def test_a_fault_is_found(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.locator("#languages").evaluate("element => element.append(document.createElement('button'))")
    assert "button-name" in {fault.partition(":")[0] for fault in faults(page)}
