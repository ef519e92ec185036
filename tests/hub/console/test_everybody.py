"""The console is for everybody: in both languages, on any screen, with a map and without, by keyboard and by ear."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from parvis_contract import (
    CoursePoint,
    IncidentPosition,
    LocatedBy,
    StatusReason,
    UnitState,
)
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import choose, left, row
from tests.hub.console.hub import Hub, at
from tests.hub.console.test_criteria import incident

# --- languages ----------------------------------------------------------------------------------------------------------------


def test_the_language_follows_the_browser_can_be_changed_and_is_kept(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page(locale="fr-FR")
    expect(row(page, id_)).to_contain_text("Objet laissé")
    expect(page.get_by_role("heading", name="Unités")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(row(page, id_)).to_contain_text("Object left")
    assert page.locator("html").get_attribute("lang") == "en"
    page.reload()
    expect(row(page, id_)).to_contain_text("Object left")


# --- the map ------------------------------------------------------------------------------------------------------------------


def test_the_map_shows_units_and_incidents_as_they_come(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    page = open_page(webgl=True, viewport={"width": 1200, "height": 700})
    assert page.locator("body").get_attribute("data-map") == "on"
    panel = page.get_by_role("region", name="Map of the site")
    expect(panel.get_by_role("img", name="u011: Alive")).to_be_visible()
    hub.status("u017", UnitState.LOST, StatusReason.CONNECTION_LOST)
    expect(panel.get_by_role("img", name="u017: Lost")).to_be_visible()
    id_ = left(hub)
    sign = panel.locator(f".flag button[data-incident='{id_}']")
    expect(sign).to_be_visible()
    assert re.fullmatch(r"Object left, \d\d:\d\d:\d\d, Not decided", sign.get_attribute("aria-label") or "")
    sign.click()
    expect(page.get_by_role("region", name="Object left")).to_be_visible()
    expect(page.locator(".flag-sign[aria-current='true']")).to_have_attribute("data-incident", id_)
    page.wait_for_function("(async () => (await import('/static/js/map.js')).drawn().uncertain === 1)()")
    moving = incident("sound.alarm", located_by=LocatedBy.MULTILATERATION)
    places = [at(east_m, 0.0) for east_m in (-40.0, -20.0, 0.0)]
    course = tuple(
        CoursePoint(time=moving.last_observed, position=IncidentPosition(lon=lon, lat=lat, uncertainty_m=9.0)) for lon, lat in places
    )
    hub.put(moving.model_copy(update={"course": course}))
    page.locator(f"#incidents button[data-incident='{moving.incident}']").click()
    expect(page.locator("#card")).to_contain_text("It has moved or spread: 3 places one after another")
    page.wait_for_function("(async () => (await import('/static/js/map.js')).drawn().course === 3)()")
    choose(page, id_)
    page.get_by_role("button", name="Show on the map").first.click()
    page.keyboard.press("d")
    page.keyboard.press("1")
    expect(page.locator("#card .history")).to_contain_text("Dismissed by a-martin")
    expect(sign).to_be_visible()
    page.keyboard.press("Escape")
    expect(sign).to_have_count(0)


def test_a_map_of_many_incidents_says_how_many_are_where(hub: Hub, open_page: Callable[..., Page]) -> None:
    page = open_page(webgl=True, viewport={"width": 1200, "height": 700})
    for step in range(49):
        hub.put(incident("object.unattended", place_m=(2.0 * step - 50.0, 30.0 * (step % 2))))
    expect(page.locator("#incidents li")).to_have_count(49)
    assert page.locator(".flag-sign").count() > 10
    hub.put(incident("object.unattended", place_m=(0.0, 0.0)))
    expect(page.locator("#incidents li")).to_have_count(50)
    expect(page.locator(".flag-sign")).to_have_count(page.locator(".flag").count())
    rest = sum(int(words.removeprefix("+")) for words in page.locator(".flag-more").all_inner_texts())
    assert page.locator(".flag-sign").count() + rest == 50
    expect(page.get_by_role("button", name="more here").first).to_be_visible()


def test_without_webgl_the_list_is_the_whole_interface(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page()
    assert page.evaluate("document.createElement('canvas').getContext('webgl2')") is None
    expect(page.get_by_text("No map in this browser")).to_be_visible()
    expect(page.locator("#map-panel")).to_be_hidden()
    choose(page, id_)
    expect(page.locator("#card")).to_contain_text("18 m north-west of u011")
    expect(page.get_by_role("button", name="Show on the map")).to_have_count(0)
    page.keyboard.press("c")
    page.keyboard.press("1")
    expect(page.locator("#card .history")).to_contain_text("Confirmed by a-martin")


# --- keyboard, screen reader, eyes --------------------------------------------------------------------------------------------


def test_everything_is_done_from_the_keyboard(hub: Hub, open_page: Callable[..., Page]) -> None:
    ids = [left(hub, right_m, ago_s) for right_m, ago_s in ((-6.0, 30.0), (0.0, 20.0), (6.0, 10.0))]
    page = open_page()

    def focused() -> str | None:
        return page.evaluate("document.activeElement.dataset.incident ?? document.activeElement.id")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the incidents")).to_be_focused()
    page.keyboard.press("Enter")
    while focused() != ids[2]:
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert focused() == ids[1]
    page.keyboard.press("End")
    assert focused() == ids[0]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Object left")).to_be_focused()
    page.keyboard.press("Escape")
    assert focused() == ids[2]
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, ids[1])).to_have_attribute("aria-current", "true")
    page.keyboard.press("d")
    page.keyboard.press("3")
    expect(page.locator("#card .history")).to_contain_text("A known activity")
    page.keyboard.press("f")
    expect(row(page, ids[1])).to_contain_text("Dismissed")
    page.keyboard.press("u")
    assert focused() == "units"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard and signs")).to_be_visible()
    page.get_by_role("checkbox", name="Single-key shortcuts are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.locator("[data-filter='decided']")).to_have_attribute("aria-pressed", "true")


def test_a_screen_reader_finds_landmarks_names_and_headings(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    id_ = left(hub)
    page = open_page(webgl=True, reduced_motion="reduce", viewport={"width": 1200, "height": 700})
    choose(page, id_)
    expect(page.locator(".flag")).to_be_visible()
    page.locator(".flag").evaluate("flag => flag.classList.add('arriving')")
    arriving = "flag => getComputedStyle(flag).animationName"
    assert page.locator(".flag").evaluate(arriving) == "none"
    page.emulate_media(reduced_motion="no-preference")
    assert page.locator(".flag").evaluate(arriving) == "arrive"
    for role, name in (("banner", None), ("main", None), ("region", "Incidents"), ("region", "Map of the site"), ("region", "Units")):
        expect(page.get_by_role(role, name=name, exact=True) if name else page.get_by_role(role)).to_be_visible()  # type: ignore[arg-type]
    expect(page.get_by_role("list", name="Incidents").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Parvis"))
    levels = [
        int(element.evaluate("element => element.tagName[1]")) for element in page.locator("h1:visible, h2:visible, h3:visible").all()
    ]
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    assert page.locator("#announce").get_attribute("aria-live") == "polite"
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(DOUBLED) == []


NAMELESS = """() => {
  const named = (each) => each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.textContent.trim() || each.alt
    || each.labels?.length;
  return [...document.querySelectorAll("button, a, input, [role=img], img, section:not([hidden]), summary")]
    .filter((each) => !named(each)).map((each) => each.outerHTML.slice(0, 120));
}"""

DOUBLED = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}"""

CONTRAST = """() => {
  const number = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = number(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest(".visually-hidden, .skip, noscript, kbd")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(number(style.color)), light(ground(element))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    looked += 1;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) poor.push(`${element.className}: ${walker.currentNode.textContent}`);
  }
  return { looked, poor };
}"""


def test_every_word_stands_out_from_its_ground_by_day_and_by_night(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    hub.status("u011", UnitState.DEGRADED, StatusReason.LOW_RATE)
    id_ = left(hub)
    page = open_page()
    choose(page, id_)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for key in ("d", "Escape"):
            found = page.evaluate(CONTRAST)
            assert found["looked"] > 60
            assert found["poor"] == []
            page.keyboard.press(key)


def test_nothing_is_cut_off_from_a_telephone_to_a_wall(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    id_ = left(hub)
    page = open_page(locale="fr")
    for width in (2560, 1440, 820, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        choose(page, id_)
        expect(page.locator(".decision-buttons button").first).to_be_in_viewport()
        page.get_by_role("button", name="Fermer").click()
    expect(page.get_by_role("navigation", name="Vues")).to_be_visible()
    page.get_by_role("navigation").get_by_role("button", name="Unités").click()
    expect(page.locator("[data-unit='u003']")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
