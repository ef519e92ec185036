"""The console in a real browser, on a real hub: what an operator sees, hears and does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from parvis_contract import (
    AlarmClass,
    ModelRef,
    ObjectClass,
    ObjectUnattended,
    Phase,
    SoundAlarm,
    StatusReason,
    StreamState,
    UnitState,
    Verdict,
    ZoneIntrusion,
)
from parvis_hub.console import load_cards, zoo_folder
from parvis_hub.store import DecisionReason
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import Browsers
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import past_profile
from tests.hub.console.test_criteria import MEASURES, incident

LEFT = ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5)
INTRUSION = ZoneIntrusion(zone="quay-edge", object_class=ObjectClass.PERSON, duration_s=4.0)

expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browsers(chromium: Path) -> Iterator[Browsers]:
    with Browsers(chromium) as made:
        yield made


@pytest.fixture
def open_page(browsers: Browsers, hub: Hub) -> Iterator[Callable[..., Page]]:
    """Opens the console of the hub, which is then served; at the end the pages are found to have kept to it."""
    hub.serve()
    yield lambda **more: browsers.open(hub.url, **more)
    browsers.check(hub.url)


def left(hub: Hub, right_m: float = 1.0, ago_s: float = 5.0) -> str:
    return hub.report("u011", "object.unattended", LEFT, place_m=before_camera(18, right_m), ago_s=ago_s)


def row(page: Page, id_: str) -> object:
    return page.locator(f"#incidents button[data-incident='{id_}']")


def choose(page: Page, id_: str) -> None:
    page.locator(f"#incidents button[data-incident='{id_}']").click()
    expect(page.locator("#card .gauge, #card .figures-list").first).to_be_visible()


# --- live ---------------------------------------------------------------------------------------------------------------------


def test_an_incident_appears_without_reload_and_is_announced(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    page = open_page()
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#silence")).to_contain_text("All 4 units are alive")
    id_ = left(hub)
    shown = row(page, id_)
    expect(shown).to_contain_text("Object left")
    expect(shown).to_contain_text("1 min 1 s")
    expect(shown).to_contain_text("square, terrace")
    expect(shown).to_contain_text("Not decided")
    expect(page.locator("#announce")).to_contain_text(re.compile(r"New incident: Object left, square, terrace, \d\d:\d\d:\d\d\."))
    expect(page.locator("#silence")).to_be_hidden()
    assert page.title().startswith("(1) vieux-port")
    assert page.evaluate("window.neverReloaded") is True


def test_what_goes_on_is_shown_as_it_grows(hub: Hub, open_page: Callable[..., Page]) -> None:
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1), ago_s=20.0)
    hub.receive(start)
    page = open_page()
    id_ = str(hub.desk.incidents()[0].message.data.incident)
    choose(page, id_)
    expect(page.locator(".gauge-foot")).to_contain_text("over it by 16 s")
    longer = ObjectUnattended(dwell_s=125.0, area_m2=0.21, nearest_person_m=12.0)
    hub.receive(hub.event("u011", "object.unattended", longer, phase=Phase.UPDATE, start=start, place_m=before_camera(18, 1), ago_s=1.0))
    expect(page.locator(".gauge-value")).to_have_text("2 min 5 s")
    expect(row(page, id_)).to_contain_text("2 min 5 s")


def test_a_lost_connection_is_said_and_what_was_missed_comes_after_it(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    page = open_page()
    hub.stop()
    banner = page.get_by_role("alert").filter(has_text="No connection to the hub since")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    expect(page.locator("#connection")).to_have_text("Connection lost")
    id_ = left(hub)
    hub.serve()
    expect(row(page, id_)).to_be_visible()
    expect(banner).to_be_hidden()
    expect(page.locator("#connection")).to_have_text("Live")


# --- the incident in full -----------------------------------------------------------------------------------------------------


def test_the_card_says_what_was_measured_where_when_and_by_whom(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page()
    choose(page, id_)
    card = page.get_by_role("region", name="Object left")
    for words in (
        "Something that was not there before has stayed still for 1 min 1 s. The nearest person was 9.5 m away. It covers 0.21 m².",
        "Threshold 45 s",
        "over it by 16 s",
        "Zone terrace · from the site plan",
        "In square, terrace",
        "18 m north-west of u011",
        "Within 1.4 m of the mark, with about two chances in three",
        "Seen, and placed on the ground by the unit’s calibration",
        "Times are those of the site (Europe/Paris).",
        "Confidence 87%",
        "Model nanodet-g-416, version 1.0.0",
        "1 message",
        "Nobody has decided yet. Until somebody does, this is a report by a machine.",
    ):
        expect(card).to_contain_text(words)
    first = hub.desk.incidents()[0].message.data.first_observed
    expect(card).to_contain_text(first.astimezone(ZoneInfo("Europe/Paris")).strftime("%H:%M:%S"))


def test_a_sound_is_shown_against_its_models_card(make_hub: Callable[..., Hub], browsers: Browsers) -> None:
    cards = load_cards(zoo_folder())
    version = max(path.name for path in zoo_folder().glob("yamnet/*"))
    hub = make_hub(cards=cards).serve()
    siren = SoundAlarm(sound_class=AlarmClass.SIREN, laeq_db=81.0, duration_s=9.0)
    id_ = hub.report("u003", "sound.alarm", siren, model=ModelRef(name="yamnet", version=version), confidence=0.95)
    page = browsers.open(hub.url)
    choose(page, id_)
    expect(page.locator(".gauge")).to_contain_text("from the model’s card")
    expect(page.locator("#card")).to_contain_text("A sound like a siren for 9 s, 81.0 dB on average.")
    expect(page.locator("#card")).to_contain_text("Somewhere within hearing of u003, 110 m")
    browsers.check(hub.url)


def test_every_type_of_incident_has_its_words_in_both_languages(hub: Hub, open_page: Callable[..., Page]) -> None:
    made = [hub.put(incident(name)) for name in MEASURES]
    page = open_page()
    for language in ("English", "Français"):
        page.get_by_role("button", name=language).click()
        for id_ in made:
            choose(page, id_)
            text = page.locator("#card").inner_text() + page.locator(f"[data-incident='{id_}']").inner_text()
            assert not re.search(r"\{\w+\}|undefined|NaN|null|\b\w+\.\w+_\w+\b", text), text


# --- deciding -----------------------------------------------------------------------------------------------------------------


def test_two_keystrokes_confirm_and_another_browser_sees_it(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    one, other = open_page(), open_page(name="b-duval")
    choose(other, id_)
    choose(one, id_)
    one.keyboard.press("c")
    one.keyboard.press("2")
    expect(one.locator("#card .history")).to_contain_text("Confirmed by a-martin")
    expect(one.locator("#card .history")).to_contain_text("Seen by an operator")
    [decision] = hub.incident(id_).decisions
    assert (decision.verdict, decision.reason, decision.by) == (Verdict.CONFIRMED, DecisionReason.SEEN_BY_OPERATOR, "a-martin")
    expect(other.locator("#card .history")).to_contain_text("Confirmed by a-martin")
    expect(other.locator("#announce")).to_contain_text("Object left: Confirmed by a-martin.")
    other.locator("[data-filter='decided']").click()
    expect(row(other, id_)).to_contain_text("Confirmed")


def test_a_dismissal_has_a_reason_and_can_be_taken_back(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page()
    choose(page, id_)
    page.get_by_role("button", name="Dismiss").click()
    dialog = page.get_by_role("dialog", name="Dismiss: why?")
    expect(dialog.get_by_role("button")).to_have_count(6)
    dialog.get_by_role("button", name="False alarm").click()
    expect(page.locator("#card .history")).to_contain_text("Dismissed by a-martin")
    page.keyboard.press("w")
    page.keyboard.press("1")
    expect(page.locator("#card .history li")).to_have_count(2)
    expect(page.locator("#card .history")).to_contain_text("Withdrawn by a-martin")
    expect(page.locator("#card .card-marks")).to_contain_text("Not decided")
    assert [each.reason for each in hub.incident(id_).decisions] == [DecisionReason.FALSE_ALARM, DecisionReason.MISTAKEN_DECISION]


def test_the_digits_of_a_french_keyboard_need_no_shift(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page(locale="fr-FR")
    choose(page, id_)
    page.keyboard.press("d")
    expect(page.get_by_role("dialog", name="Écarter : pourquoi ?".replace(" :", "\u00a0:").replace(" ?", "\u202f?"))).to_be_visible()
    # The key of the digit 2 gives é where the letters are azerty.
    page.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'é', code: 'Digit2', bubbles: true, cancelable: true}))"
    )
    expect(page.locator("#card .history")).to_contain_text("Un essai")
    assert hub.incident(id_).decisions[0].reason is DecisionReason.TEST


def test_who_decides_is_asked_once_and_only_a_name_will_do(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page(name=None)
    choose(page, id_)
    page.keyboard.press("c")
    field = page.get_by_role("textbox", name="Name")
    field.fill("<img src=x onerror=alert(1)>")
    page.keyboard.press("Enter")
    expect(page.locator("#operator-error")).to_contain_text("This is not such a name")
    field.fill("c-petit")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Confirm: what did you find?")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("#card .history")).to_contain_text("Confirmed by c-petit")
    page.reload()
    expect(page.locator("#operator")).to_have_text("c-petit")


def test_a_decision_that_could_not_be_written_is_said_and_can_be_made_again(hub: Hub, open_page: Callable[..., Page]) -> None:
    id_ = left(hub)
    page = open_page()
    choose(page, id_)
    hub.stop()
    page.keyboard.press("c")
    page.keyboard.press("1")
    dialog = page.locator("#decide-dialog")
    expect(dialog).to_contain_text("The decision was not written: the hub does not answer. Try again.")
    hub.serve()
    page.keyboard.press("1")
    expect(page.locator("#card .history")).to_contain_text("Confirmed by a-martin")
    assert len(hub.incident(id_).decisions) == 1


# --- units --------------------------------------------------------------------------------------------------------------------


def test_a_unit_says_why_it_is_not_well(hub: Hub, open_page: Callable[..., Page]) -> None:
    hub.all_alive()
    page = open_page()
    unit = page.locator("[data-unit='u011']")
    expect(unit).to_contain_text("Alive")
    hub.status("u011", UnitState.DEGRADED, StatusReason.LOW_RATE, microphone=(StreamState.STALLED, StatusReason.NO_DATA))
    expect(unit).to_contain_text("Degraded")
    expect(unit).to_contain_text("Fewer pictures or less sound than there should be.")
    expect(unit).to_contain_text("Microphone: stalled. The camera or microphone sends nothing. Check the power and the cable")
    expect(page.locator("#announce")).to_contain_text("u011: Degraded. Fewer pictures")
    hub.status("u017", UnitState.LOST, StatusReason.CONNECTION_LOST)
    expect(page.locator("[data-unit='u017']")).to_contain_text("Lost")
    expect(page.locator("#unit-count")).to_contain_text(re.compile(r"2\s*alive.*1\s*degraded.*1\s*lost", re.DOTALL))


def test_every_reason_is_shown_in_words(open_page: Callable[..., Page]) -> None:
    page = open_page()
    for language in ("English", "Français"):
        page.get_by_role("button", name=language).click()
        # No hub is asked eighteen times: the page is given what the hub would give.
        shown = page.evaluate(
            """async (codes) => {
              const { reasons } = await import("/static/js/words.js");
              return codes.map((code) => reasons({ state: "degraded", reason: code, silent: false, last_seen: "2026-06-21T18:04:05Z" })[0]);
            }""",
            [reason.value for reason in StatusReason],
        )
        assert len({each["why"] for each in shown}) == len(StatusReason)
        assert all(each["why"] and each["todo"] and not each["why"].startswith("reason.") for each in shown)


def test_a_unit_that_stops_speaking_is_silent(make_hub: Callable[..., Hub], browsers: Browsers) -> None:
    hub = make_hub(silent_after_s=4.0).serve()
    hub.all_alive()
    page = browsers.open(hub.url)
    expect(page.locator("[data-unit='u003']")).to_contain_text("Alive")
    expect(page.locator("[data-unit='u003']")).to_contain_text("Nothing has come from it for longer than it should take.")
    expect(page.locator("#silence")).to_contain_text("No unit is alive")
    expect(page.locator("#silence")).to_contain_text("Silence here does not mean that nothing happens: u003, u011, u017, u020")
    browsers.check(hub.url)


# --- why it is silent ---------------------------------------------------------------------------------------------------------


def test_silence_is_explained_by_who_could_have_spoken(hub: Hub, open_page: Callable[..., Page]) -> None:
    page = open_page()
    silence = page.locator("#silence")
    expect(silence).to_contain_text("No unit has reported yet")
    expect(silence).to_contain_text("u003, u011, u017, u020")
    hub.status("u003")
    hub.status("u011")
    expect(silence).to_contain_text("2 of 4 units can report now. Where the others stand, nothing is seen or heard: u017, u020.")
    hub.all_alive()
    expect(silence).to_contain_text("All 4 units are alive and detect nothing of the list below.")
    expect(silence.get_by_role("listitem")).to_have_count(13)
    for unit in hub.site.units:
        hub.status(unit, UnitState.FAILED, StatusReason.PROFILE_FORBIDS)
    expect(silence).to_contain_text("The legal profile stops the units")


def test_a_profile_that_is_not_in_force_is_why_it_is_silent(make_hub: Callable[..., Hub], browsers: Browsers, tmp_path: Path) -> None:
    (tmp_path / "past.yaml").write_text(past_profile(), encoding="utf-8")
    hub = make_hub(profile="past.yaml").serve()
    page = browsers.open(hub.url, locale="fr")
    expect(page.locator("#silence")).to_contain_text("Le profil juridique n’est pas en vigueur")
    expect(page.locator("#silence")).to_contain_text("du 1 janvier 2020 au 31 décembre 2020")
    browsers.check(hub.url)


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
    page.get_by_role("button", name="Show on the map").first.click()
    page.keyboard.press("d")
    page.keyboard.press("1")
    expect(page.locator("#card .history")).to_contain_text("Dismissed by a-martin")
    expect(sign).to_be_visible()
    page.keyboard.press("Escape")
    expect(sign).to_have_count(0)


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
    assert page.evaluate("getComputedStyle(document.querySelector('.flag')).animationName") == "none"
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
