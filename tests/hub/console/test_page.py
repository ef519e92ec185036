"""The console in a real browser, on a real hub: what an operator sees, hears and does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from parvis_contract import (
    AlarmClass,
    ModelRef,
    ObjectUnattended,
    Phase,
    SoundAlarm,
    StatusReason,
    StreamState,
    UnitState,
    Verdict,
)
from parvis_hub.console import load_cards, zoo_folder
from parvis_hub.store import DecisionReason
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import LEFT, Browsers, choose, left, row
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import past_profile, plate_of
from tests.hub.console.test_criteria import MEASURES, incident

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


@pytest.mark.parametrize(("locale", "caption"), [("en-GB", "The place without people"), ("fr-FR", "Le lieu sans personne")])
def test_an_evidence_plate_is_shown_when_it_comes_and_says_what_it_is(
    hub: Hub, open_page: Callable[..., Page], locale: str, caption: str
) -> None:
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))
    hub.receive(start)
    page = open_page(locale=locale)
    choose(page, str(hub.desk.incidents()[0].message.data.incident))
    expect(page.locator("#card figure")).to_have_count(0)
    # It comes after the card has been opened: the card shows it by itself.
    hub.receive(plate_of(start))
    picture = page.locator("#card figure img")
    expect(picture).to_have_js_property("naturalWidth", 64)
    assert picture.get_attribute("alt")
    expect(page.locator("#card figcaption")).to_contain_text(caption)
    link = page.locator("#card figure a")
    for _ in range(30):
        page.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    expect(link).to_be_focused()
    with page.expect_popup() as opened:
        page.keyboard.press("Enter")
    assert "/plates/" in opened.value.url


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


def test_a_sound_is_shown_with_its_models_record(make_hub: Callable[..., Hub], browsers: Browsers) -> None:
    cards = load_cards(zoo_folder())
    version = max(path.name for path in zoo_folder().glob("yamnet/*"))
    hub = make_hub(cards=cards).serve()
    siren = SoundAlarm(sound_class=AlarmClass.SIREN, laeq_db=81.0, duration_s=9.0)
    id_ = hub.report("u003", "sound.alarm", siren, model=ModelRef(name="yamnet", version=version), confidence=0.95)
    page = browsers.open(hub.url)
    choose(page, id_)
    expect(page.locator("#card")).to_contain_text("The site plan sets no threshold for this type. The unit’s own rule decided.")
    expect(page.locator("#card")).to_contain_text("When it was measured,")
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
    hub = make_hub(silent_after_s=2.0).serve()
    page = browsers.open(hub.url)
    expect(page.locator("[data-unit='u003']")).to_contain_text("This hub has never heard from it.")
    hub.all_alive()
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
