"""What other systems read: alerts of what a person confirmed and nothing else, in CAP 1.2's own order; incidents on a map."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient
from parvis_contract import EVENT_TYPES, ImpulseClass, Incident, ObjectUnattended, Phase, SoundImpulse, Verdict
from parvis_hub.feeds.words import CATEGORIES, TITLES
from parvis_hub.store import DecisionReason
from shapely.geometry import shape

from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_criteria import incident

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"
#: The order of the standard's schema (CAP 1.2, 3.4), each with how often it may stand there.
ALERT = "identifier sender sent status msgType source? scope restriction? addresses? code* note? references? incidents? info*"
INFO = (
    "language? category+ event responseType* urgency severity certainty audience? eventCode* effective? onset? expires? senderName? "
    "headline? description? instruction? web? contact? parameter* resource* area*"
)
AREA = "areaDesc polygon* circle* geocode* altitude? ceiling?"
#: What may stand in an element (CAP 1.2, 3.2); whatever is not listed there is free text.
VALUES = {
    "status": "Actual|Exercise|System|Test|Draft",
    "msgType": "Alert|Update|Cancel|Ack|Error",
    "scope": "Public|Restricted|Private",
    "category": "Geo|Met|Safety|Security|Rescue|Fire|Health|Env|Transport|Infra|CBRNE|Other",
    "urgency": "Immediate|Expected|Future|Past|Unknown",
    "severity": "Extreme|Severe|Moderate|Minor|Unknown",
    "certainty": "Observed|Likely|Possible|Unlikely|Unknown",
    "identifier|sender": r"[^\s,<&]+",
    "sent|effective|onset|expires": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d",
    "circle": r"-?\d+(\.\d+)?,-?\d+(\.\d+)? \d+(\.\d+)?",
    "polygon": r"(-?\d+(\.\d+)?,-?\d+(\.\d+)? ?){4,}",
}
I18N = Path(__file__).parents[3] / "hub/parvis_hub/console/static/i18n"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    made.close()


@pytest.fixture
def client(hub: Hub) -> TestClient:
    return TestClient(hub.app(), base_url="http://127.0.0.1")


def left(hub: Hub, ahead_m: float = 18.0, **more: Any) -> str:
    measure = ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5)
    return hub.report("u011", "object.unattended", measure, place_m=before_camera(ahead_m, 1), **more)


def decide(hub: Hub, incident: str, verdict: Verdict = Verdict.CONFIRMED) -> None:
    reason = {
        Verdict.CONFIRMED: DecisionReason.SEEN_ON_SITE,
        Verdict.DISMISSED: DecisionReason.FALSE_ALARM,
        Verdict.UNCONFIRMED: DecisionReason.MISTAKEN_DECISION,
    }[verdict]
    hub.desk.decide(uuid.UUID(incident), verdict, reason, "a-martin", datetime.now(UTC))


def entries(client: TestClient) -> list[tuple[str, str]]:
    feed = ET.fromstring(client.get("/feeds/cap.atom").content)
    return [(entry.findtext(f"{ATOM}title", ""), entry.find(f"{ATOM}link").get("href")) for entry in feed.iter(f"{ATOM}entry")]  # type: ignore[union-attr]


def read(client: TestClient, href: str) -> ET.Element:
    answer = client.get(href)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/cap+xml")
    return ET.fromstring(answer.content)


def in_order(element: ET.Element, model: str) -> bool:
    names = "".join(f"{child.tag.removeprefix(CAP)} " for child in element)
    pattern = "".join(re.sub(r"(\w+)([?*+]?)", r"(?:\1 )\2", part) for part in model.split())
    return re.fullmatch(pattern, names) is not None


def test_every_type_has_a_title_and_a_category_the_same_as_on_the_console() -> None:
    assert set(CATEGORIES) == set(EVENT_TYPES)
    for language, titles in TITLES.items():
        words = json.loads((I18N / f"{language}.json").read_text())
        assert titles == {name: words[f"type.{name}"] for name in EVENT_TYPES}


def test_nothing_is_told_of_what_nobody_has_confirmed(hub: Hub, client: TestClient) -> None:
    decide(hub, left(hub), Verdict.DISMISSED)
    left(hub, 40.0)
    assert entries(client) == []


def test_a_confirmed_incident_is_an_alert_in_the_standards_order(hub: Hub, client: TestClient) -> None:
    incident = left(hub)
    decide(hub, incident)
    [(title, href)] = entries(client)
    assert title == "Alert: Object left"
    alert = read(client, href)
    assert alert.tag == f"{CAP}alert"
    assert in_order(alert, ALERT)
    assert [alert.findtext(f"{CAP}{name}") for name in ("identifier", "sender", "status", "msgType", "scope", "incidents")] == [
        f"{incident}.1",
        "urn:parvis:vieux-port:hub",
        "Test",
        "Alert",
        "Restricted",
        incident,
    ]
    sent = alert.findtext(f"{CAP}sent") or ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", sent)
    infos = alert.findall(f"{CAP}info")
    assert [info.findtext(f"{CAP}language") for info in infos] == ["en-GB", "fr-FR"]
    for info in infos:
        assert in_order(info, INFO)
        assert in_order(info.find(f"{CAP}area"), AREA)  # type: ignore[arg-type]
        # A person decides what matters: no urgency, no severity.
        assert [info.findtext(f"{CAP}{name}") for name in ("urgency", "severity", "certainty")] == ["Unknown", "Unknown", "Observed"]
        circle = info.findtext(f"{CAP}area/{CAP}circle") or ""
        place = hub.incident(incident).row.message.data.position
        lat, lon, radius_km = (float(number) for number in re.split("[, ]", circle))
        assert (lat, lon) == pytest.approx((place.lat, place.lon), abs=1e-6)
        assert radius_km * 1e3 == pytest.approx(2.45 * place.uncertainty_m, abs=0.1)
    values = {each.findtext(f"{CAP}valueName"): each.findtext(f"{CAP}value") for each in infos[0].findall(f"{CAP}parameter")}
    assert values["org.parvis.dwell_s"] == "61.0"


@pytest.mark.parametrize("type", sorted(EVENT_TYPES))
def test_whatever_is_confirmed_changed_or_taken_back_is_as_the_standard_has_it(hub: Hub, client: TestClient, type: str) -> None:
    now = datetime.now(UTC)
    id_ = hub.put(confirmed := incident(type).model_copy(update={"first_observed": now, "last_observed": now}))
    decide(hub, id_)
    decided = hub.incident(id_).row.message.data
    moved = confirmed.position.model_copy(update={"lat": confirmed.position.lat + 0.01})
    hub.put(Incident.model_validate(decided.model_copy(update={"position": moved})))
    decide(hub, id_, Verdict.UNCONFIRMED)
    for number, kind in enumerate(("Alert", "Update", "Cancel"), start=1):
        alert = read(client, f"/feeds/cap/{id_}.{number}.xml")
        assert alert.findtext(f"{CAP}msgType") == kind
        assert in_order(alert, ALERT)
        assert all(in_order(info, INFO) for info in alert.iter(f"{CAP}info"))
        assert all(in_order(area, AREA) for area in alert.iter(f"{CAP}area"))
        for element in alert.iter():
            for names, pattern in VALUES.items():
                if element.tag.removeprefix(CAP) in names.split("|"):
                    assert re.fullmatch(pattern, element.text or ""), f"{element.tag}: {element.text}"


def test_a_change_that_matters_is_an_update_and_a_verdict_taken_back_a_cancel(hub: Hub, client: TestClient) -> None:
    start = hub.event("u011", "object.unattended", ObjectUnattended(dwell_s=61.0, area_m2=0.2, nearest_person_m=None), ago_s=90.0)
    hub.receive(start)
    incident = str(hub.desk.incidents()[0].message.data.incident)
    decide(hub, incident)
    later = ObjectUnattended(dwell_s=90.0, area_m2=0.2, nearest_person_m=None)
    hub.receive(hub.event("u011", "object.unattended", later, phase=Phase.UPDATE, start=start, ago_s=60.0))
    assert [title for title, _ in entries(client)] == ["Alert: Object left"], "that it is still there is no news"
    before = hub.incident(incident).row.message.data
    moved = before.position.model_copy(update={"lat": before.position.lat + 0.01})
    hub.put(Incident.model_validate(before.model_copy(update={"position": moved})))
    [(title, href)] = entries(client)
    assert title == "Update: Object left"
    update = read(client, href)
    sent = read(client, href.replace(".2.xml", ".1.xml")).findtext(f"{CAP}sent")
    assert update.findtext(f"{CAP}references") == f"urn:parvis:vieux-port:hub,{incident}.1,{sent}"
    decide(hub, incident, Verdict.UNCONFIRMED)
    [(title, href)] = entries(client)
    assert title == "Cancel: Object left"
    assert len((read(client, href).findtext(f"{CAP}references") or "").split()) == 2
    decide(hub, incident)
    [(title, href)] = entries(client)
    assert title == "Alert: Object left"
    assert read(client, href).find(f"{CAP}references") is None, "what was cancelled is over"


@pytest.mark.parametrize("name", ["nothing", f"{uuid.UUID(int=1)}.1", "../../etc/passwd", f"{'-' * 36}.1"])
def test_an_alert_that_is_not_there_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/feeds/cap/{name}.xml").status_code == 404


# --- GeoJSON ------------------------------------------------------------------------------------------------------------------


def names(client: TestClient, **asked: Any) -> list[str]:
    answer = client.get("/feeds/incidents.geojson", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json"), answer.text
    assert answer.json()["type"] == "FeatureCollection"
    return [feature["id"] for feature in answer.json()["features"]]


def test_a_map_asks_for_incidents_by_what_they_are_where_and_when(hub: Hub, client: TestClient) -> None:
    bag = left(hub, ago_s=600.0)
    measure = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=1.0)
    shot = hub.report("u020", "sound.impulse", measure, phase=Phase.INSTANT, ago_s=5.0)
    decide(hub, bag)
    assert names(client) == [shot, bag]
    assert names(client, type="object.unattended") == [bag]
    assert names(client, type=["object.unattended", "sound.impulse"]) == [shot, bag]
    assert names(client, unit="u020") == [shot]
    assert names(client, verdict="confirmed") == [bag]
    assert names(client, since=(datetime.now(UTC) - timedelta(seconds=60)).isoformat()) == [shot]
    assert names(client, until=(datetime.now(UTC) - timedelta(seconds=60)).isoformat()) == [bag]
    place = hub.incident(bag).row.message.data.position
    near = f"{place.lon - 1e-5},{place.lat - 1e-5},{place.lon + 1e-5},{place.lat + 1e-5}"
    assert names(client, bbox=near) == [bag]
    assert names(client, limit=1) == [shot]
    feature = client.get("/feeds/incidents.geojson", params={"bbox": near}).json()["features"][0]
    assert feature["geometry"] == {"type": "Point", "coordinates": [place.lon, place.lat]}
    # RFC 7946: a feature has these members and may have others, of which none bears the name of a geometry's; no other datum than WGS 84.
    collection = client.get("/feeds/incidents.geojson").json()
    assert not {"crs", "coordinates", "geometries", "geometry", "properties"} & set(collection)
    for each in collection["features"]:
        assert each["type"] == "Feature"
        assert {"geometry", "properties"} <= set(each)
        assert not {"coordinates", "geometries", "features"} & set(each)
        assert shape(each["geometry"]).is_valid
    assert feature["properties"]["operator"]["by"] == "a-martin"
    assert not {"events", "course", "position"} & set(feature["properties"])


@pytest.mark.parametrize(
    "asked",
    [{"type": "face.seen"}, {"bbox": "1,2,3"}, {"bbox": "a,b,c,d"}, {"since": "yesterday"}, {"since": "2026-06-21T18:00:00"}, {"limit": 0}],
)
def test_what_cannot_be_asked_is_said(client: TestClient, asked: dict[str, Any]) -> None:
    assert client.get("/feeds/incidents.geojson", params=asked).status_code == 422


def test_the_interface_describes_itself(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/feeds/cap.atom", "/feeds/incidents.geojson", "/api/incidents/{id}/verdict"} <= set(paths)
    asked = {each["name"] for each in paths["/feeds/incidents.geojson"]["get"]["parameters"]}
    assert asked == {"state", "verdict", "type", "unit", "since", "until", "bbox", "limit"}, "and none of them is a person"
