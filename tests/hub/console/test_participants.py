"""A consent at the console: given, its route looked at, and withdrawn; in a real browser, and by the interface alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from parvis_contract import Clock, ClockSource, Position, TagSighting, format_time, load_site, make_message, unit_source
from parvis_hub import governance
from parvis_hub.consent.consents import Purpose, Status
from parvis_hub.consent.keyring import Keyring, keys_folder
from parvis_hub.console.routes import STATIC
from parvis_hub.governance import RenewalReason, Role, What
from parvis_hub.intake import Intake
from parvis_hub.store import Desk, Enrolment, Store
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.hub.console.browsing import Browsers
from tests.hub.console.hub import Hub, at
from tests.hub.console.test_session_page import PASSWORD, sign_in

OURS = {"x-parvis-console": "1", "content-type": "application/json"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub whose site has tags, and walkways with names."""
    made = Hub(tmp_path)
    walkways = tmp_path / "walkways.geojson"
    lines = json.loads(walkways.read_text())
    for number, feature in enumerate(lines["features"], 1):
        feature["properties"]["id"] = f"w{number:03d}"
    walkways.write_text(json.dumps(lines))
    made.site.path.write_text(made.site.path.read_text() + "tags: {size_m: 0.16, allow: [17]}\n")
    made.site = load_site(made.site.path)
    made.store = Store(made.database, made.site, keys=Keyring(keys_folder(tmp_path)))
    made.intake = Intake(made.site, made.store)
    made.desk = Desk(made.store, made.site, made.notices)
    yield made
    made.close()


def walk(hub: Hub, tag: int = 17) -> None:
    """Twenty seconds along the first walkway, from now on."""
    seen(hub, [(k, -96 + 1.3 * k, -46 + 1.3 * k * 2 / 56) for k in range(20)], tag)


def round_two_corners(hub: Hub) -> None:
    """Down the second walkway and up the third; what is between them, 70 m of the first, nobody sees."""
    down = [(k - 55.0, -46.0 + 0.32 * k, -20.0 - 1.28 * k) for k in range(18)]
    up = [(k + 30.0, 30.0 + 0.065 * k, -46.0 + 1.3 * k) for k in range(20)]
    seen(hub, down + up)


def seen(hub: Hub, places: list[tuple[float, float, float]], tag: int = 17) -> None:
    """Sightings: after so many seconds, at metres east and north of the origin."""
    start = datetime.now(UTC) + timedelta(seconds=1)
    for k, (after_s, east_m, north_m) in enumerate(places):
        lon, lat = at(east_m, north_m)
        place = Position(lon=lon, lat=lat, uncertainty_m=0.8)
        data = TagSighting(sequence=k, tag=tag, position=place, clock=Clock(source=ClockSource.NTP, uncertainty_ms=3.0))
        source = unit_source(hub.site.site, "u011")
        hub.receive(make_message("tag.sighting", source=source, time=start + timedelta(seconds=after_s), data=data))


def log_of(hub: Hub) -> list[tuple[str, What]]:
    with hub.database.read() as connection:
        return [(entry.by, entry.what) for entry in governance.entries(connection)]


def asked(**more: Any) -> dict[str, Any]:
    until = format_time(datetime.now(UTC) + timedelta(days=1))
    return {"participant": "steward-07", "tag": 17, "purpose": "stewarding", "proof": "2026-114", "until": until, "by": "a-martin"} | more


def test_a_withdrawn_consent_in_a_browser(hub: Hub, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Routes by consent").press("Enter")
    dialog = page.get_by_role("dialog", name="Routes by consent")
    expect(dialog).to_contain_text("Nobody is enrolled.")
    for label, value in (("Your reference for them", "steward-07"), ("Tag number", "17"), ("Number of the signed paper", "2026-114")):
        dialog.get_by_label(label).fill(value)
    dialog.get_by_label("What for").select_option("stewarding")
    dialog.get_by_role("button", name="Enrol").press("Enter")
    entry = dialog.locator("li[data-participant='steward-07']")
    expect(entry).to_have_attribute("data-status", "active")

    entry.get_by_role("button", name="Renew: steward-07").press("Enter")
    form = entry.locator("form")
    form.get_by_label("For how many days").fill("9")
    form.get_by_label("Number of the signed paper").fill("2026-201")
    form.get_by_label("Why they were asked again").select_option("takes_part_again")
    form.get_by_role("button", name="Renew").press("Enter")
    expect(entry).to_contain_text("paper 2026-201")
    assert hub.store.consents.of("steward-07").until > datetime.now(UTC) + timedelta(days=8)

    walk(hub)
    entry.get_by_role("button", name="Route: steward-07").press("Enter")
    expect(dialog.locator("ol.route li[data-walkway='w001'][data-observed='true']")).to_be_visible()
    with page.expect_download() as download:
        entry.get_by_role("link", name="GPX: steward-07").press("Enter")
    assert download.value.path().read_text().count("<trkpt") == 20

    entry.get_by_role("button", name="Withdraw: steward-07").press("Enter")
    entry.get_by_role("button", name="Withdraw and delete").press("Enter")
    expect(dialog.get_by_role("heading", name="Receipt")).to_be_visible()
    expect(dialog.locator("#consent-receipt")).to_contain_text("sightings deleted: 20")
    expect(entry).to_have_attribute("data-status", "withdrawn")
    expect(dialog.locator("ol.route")).to_have_count(0)
    assert dialog.locator("#consent-receipt code").inner_text() == str(hub.desk.audit_head())
    assert hub.store.consents.state() == {}
    assert log_of(hub) == [
        ("a-martin", What.CONSENT_GIVEN),
        ("a-martin", What.CONSENT_RENEWED),
        ("a-martin", What.ROUTE_VIEWED),
        ("a-martin", What.ROUTE_EXPORTED),
        ("a-martin", What.CONSENT_ENDED),
    ]
    # The accountability log says the same, under the number of the receipt, and that the key is no more.
    page.get_by_role("button", name="Close").press("Enter")
    page.get_by_role("button", name="Record").press("Enter")
    last = page.locator("#record-log tbody tr").first
    expect(last).to_contain_text("A consent ended: its key is destroyed")
    expect(last).to_contain_text("withdrawn · sightings deleted: 20")
    expect(page.locator("#record-head code")).to_have_text(str(hub.desk.audit_head()))
    page.get_by_role("button", name="Close").press("Enter")
    page.get_by_role("button", name="Français").click()
    page.get_by_role("button", name="Parcours consentis").click()
    expect(page.locator("li[data-participant='steward-07']")).to_contain_text("retiré")


def shapes(page: Page, routes: int, gaps: int) -> None:
    """So many lines of what was seen, and of what must have been taken, are on the map."""
    drawn = "(async () => { const drawn = (await import('/static/js/map.js')).drawn(); return `${drawn.route} ${drawn.gaps}`; })()"
    page.wait_for_function(f"{drawn}.then((drawn) => drawn === '{routes} {gaps}')")


def test_a_route_on_the_map_with_its_gaps_until_it_is_withdrawn_elsewhere(hub: Hub, browsers: Browsers) -> None:
    for name, role in (("s-noel", Role.SUPERVISOR), ("o-petit", Role.OPERATOR)):
        hub.users.add(name, role, PASSWORD, "hub")
    now = datetime.now(UTC)
    period = {"since": now - timedelta(seconds=57), "until": now + timedelta(days=1)}
    consent = Enrolment(participant="steward-07", tag=17, purpose=Purpose.STEWARDING, proof="2026-114", **period)
    hub.store.consents.enrol(consent, "s-noel")
    round_two_corners(hub)
    with hub.database.write() as connection:
        connection.execute(text("UPDATE sightings SET message = 'AAAA' WHERE row = 5"))
    hub.serve()
    page = browsers.open(hub.url, name=None, wait=False, webgl=True)
    page.clock.install()
    sign_in(page, "s-noel")
    page.wait_for_selector("body[data-map='on']")
    page.get_by_role("button", name="Routes by consent").press("Enter")
    dialog = page.get_by_role("dialog", name="Routes by consent")
    dialog.get_by_role("button", name="Route: steward-07").press("Enter")
    walkways = dialog.locator("ol.route li")
    expect(walkways).to_have_count(3)
    assert [each.get_attribute("data-observed") for each in walkways.all()] == ["true", "false", "true"]
    expect(dialog).to_contain_text("Tell the maintainer their rows: 5.")
    dialog.get_by_role("button", name="Show on the map").press("Enter")
    expect(dialog).to_be_hidden()
    key = page.locator("#route-key")
    expect(key).to_contain_text("Route of steward-07")
    expect(key).to_contain_text("must have been taken; not seen")
    shapes(page, 2, 1)
    # A past hour has no routes in it; nor has anybody else's page.
    page.get_by_role("button", name="Replay").press("Enter")
    page.get_by_role("button", name="Show", exact=True).press("Enter")
    shapes(page, 0, 0)
    page.get_by_role("button", name="Back to now").press("Enter")
    shapes(page, 2, 1)
    other = browsers.open(hub.url, name=None, wait=False)
    sign_in(other, "o-petit")
    expect(other.locator("#operator")).to_have_text("o-petit")
    expect(other.locator("#routes")).to_be_hidden()

    hub.store.consents.withdraw("steward-07", "s-noel")
    page.clock.fast_forward(10_000)
    shapes(page, 0, 0)
    expect(key).to_be_hidden()
    assert "steward-07" not in page.locator("body").inner_text()
    assert ("s-noel", What.ROUTE_VIEWED) in log_of(hub)
    browsers.check(hub.url)


def test_what_is_wrong_is_said_and_nothing_is_kept(hub: Hub) -> None:
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    for body, why in (
        (asked(participant="Jean Martin"), "participant"),
        (asked(tag=587), "tag"),
        (asked(purpose="because"), "purpose"),
        (asked(note="he lives at"), "what was sent"),
        (asked(until="2026-06-21"), "until"),
        (asked(until=format_time(datetime.now(UTC) + timedelta(days=40))), "31 days"),
    ):
        answer = client.post("/api/consents", headers=OURS, json=body)
        assert (answer.status_code, why in answer.json()["error"]) == (422, True), answer.text
    assert client.get("/api/consents").json() == {"consents": []}
    for path in ("/api/routes/nobody", "/api/routes/nobody/export.gpx", "/api/consents/nobody/sheet.pdf"):
        assert client.get(path).status_code == 404
    assert client.post("/api/consents/nobody/withdraw", headers=OURS, json={}).status_code == 404
    assert client.post("/api/consents", headers=OURS | {"origin": "http://elsewhere.example"}, json=asked()).status_code == 403
    assert client.get("/api/routes/nobody", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_a_consent_is_renewed_and_its_tag_printed(hub: Hub) -> None:
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    assert client.post("/api/consents", headers=OURS, json=asked()).json()["status"] == "active"
    until = format_time(datetime.now(UTC) + timedelta(days=20))
    renewed = client.post(
        "/api/consents/steward-07/renew", headers=OURS, json={"until": until, "proof": "2026-200", "reason": "lasts_longer"}
    )
    assert (renewed.json()["until"], renewed.json()["proof"]) == (until, "2026-200")
    sheet = client.get("/api/consents/steward-07/sheet.pdf")
    assert (sheet.headers["content-type"], sheet.content[:5]) == ("application/pdf", b"%PDF-")
    geojson = client.get("/api/routes/steward-07/export.geojson", headers={"sec-fetch-site": "same-origin"})
    assert geojson.json() == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.MAINTAINER])
def test_who_need_not_see_a_route_sees_none(hub: Hub, role: Role) -> None:
    hub.users.add("b-roux", role, "correct horse battery", "hub")
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    assert client.post("/api/session", headers=OURS, json={"name": "b-roux", "password": "correct horse battery"}).status_code == 200
    for path in ("/api/consents", "/api/routes/steward-07", "/api/routes/steward-07/export.gpx", "/api/consents/steward-07/sheet.pdf"):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_language_has_a_word_for_every_purpose_and_status(language: str) -> None:
    words = json.loads((STATIC / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    wanted = {f"purpose.{each}" for each in Purpose} | {f"consent_status.{each}" for each in Status}
    assert wanted | {f"renewal_reason.{each}" for each in RenewalReason} <= words.keys()
    # The page offers all of them.
    script = (STATIC / "js" / "consent.js").read_text(encoding="utf-8")
    for name, kind in (("PURPOSES", Purpose), ("RENEWALS", RenewalReason)):
        offered = re.search(rf"const {name} = (\[.*?\]);", script)
        assert offered is not None
        assert json.loads(offered[1]) == list(kind)
