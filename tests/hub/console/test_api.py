"""The console's interface, without a browser: what it gives, what it refuses, and what stands before it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from parvis_contract import (
    EVENT_TYPES,
    Envelope,
    EvidencePlate,
    ObjectUnattended,
    Phase,
    SoundLevel,
    StatusReason,
    StreamState,
    UnitState,
    Verdict,
    make_message,
    new_id,
    to_datetime,
)
from parvis_hub.console.guard import CONTENT_SECURITY_POLICY
from parvis_hub.console.routes import MAX_VERDICT_BYTES
from parvis_hub.governance import PlateViewed, entries
from parvis_hub.store import REASONS

from tests.hub.console.hub import MODEL, Hub, before_camera

LEFT = ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5)
LOUD = SoundLevel(laeq_db=74.2, lafmax_db=88.0, lcpeak_db=101.0, period_s=60.0, limit_db=68.0)
OURS = {"x-parvis-console": "1", "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}


@pytest.fixture
def client(hub: Hub) -> TestClient:
    # Not entered: without the stream of changes, nothing runs in the background.
    return TestClient(hub.app(), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, TestClient, str]]:
    """A hub with one incident, for requests that change nothing."""
    made = Hub(tmp_path_factory.mktemp("hub"))
    yield made, TestClient(made.app(), base_url="http://127.0.0.1"), left(made)
    made.close()


def left(hub: Hub) -> str:
    return hub.report("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))


def decide(client: TestClient, incident: str, given: Any, **headers: str) -> Any:
    return client.post(f"/api/incidents/{incident}/verdict", json=given, headers=OURS | headers)


def test_the_site_is_described_with_its_profile_lists_and_map(client: TestClient) -> None:
    site = client.get("/api/site").json()
    assert site["site"] == "vieux-port"
    assert site["timezone"] == "Europe/Paris"
    assert site["profile"]["title"] == {"en": "Laboratory", "fr": "Laboratoire"}
    assert site["profile"]["in_force"] is True
    assert "sound.impulse" in site["profile"]["allow"]["microphone"]
    assert {entry["name"] for entry in site["event_types"]} == set(EVENT_TYPES)
    assert site["reasons"] == {verdict.value: [reason.value for reason in reasons] for verdict, reasons in REASONS.items()}
    layers = {feature["properties"]["layer"] for feature in site["basemap"]["features"]}
    assert layers == {"zone", "lane", "lane-name", "lane-arrow", "asset", "walkway"}


def test_an_incident_is_listed_and_given_in_full(hub: Hub, client: TestClient) -> None:
    incident = left(hub)
    listed = client.get("/api/incidents").json()
    assert [each["incident"]["incident"] for each in listed["incidents"]] == [incident]
    assert listed["truncated"] is False
    detail = client.get(f"/api/incidents/{incident}").json()
    assert detail["incident"]["measure"] == {"dwell_s": 61.0, "area_m2": 0.21, "nearest_person_m": 9.5}
    assert detail["incident"]["located_by"] == "ground_plane"
    [criterion] = detail["criteria"]
    assert criterion["quantity"] == "dwell_s"
    assert (criterion["observed"], criterion["limit"], criterion["zone"], criterion["source"]) == (61.0, 45.0, "terrace", "site_plan")
    assert detail["models"] == [{"name": MODEL.name, "version": MODEL.version, "rule": False, "figures": None}]
    assert detail["messages"] == [{"unit": "u011", "count": 1}]
    assert detail["decisions"] == []


def test_units_say_how_they_are_and_why(hub: Hub, client: TestClient) -> None:
    hub.status("u003")
    hub.status("u011", UnitState.DEGRADED, StatusReason.LOW_RATE, camera=(StreamState.DEGRADED, StatusReason.LOW_RATE))
    units = {unit["name"]: unit for unit in client.get("/api/units").json()["units"]}
    assert list(units) == ["u003", "u011", "u017", "u020"]
    assert (units["u003"]["state"], units["u003"]["silent"]) == ("healthy", False)
    assert units["u011"]["camera"] == {"state": "degraded", "reason": "low_rate"}
    assert (units["u011"]["heading_deg"], units["u011"]["calibrated"]) == (300.0, True)
    assert (units["u020"]["state"], units["u020"]["last_seen"]) == (None, None)


def test_a_decision_is_stored_with_its_reason_and_can_be_taken_back(hub: Hub, client: TestClient) -> None:
    incident = left(hub)
    answer = decide(client, incident, {"verdict": "confirmed", "reason": "seen_on_site", "by": "a-martin"})
    assert answer.status_code == 200
    assert answer.json()["incident"]["operator"]["by"] == "a-martin"
    assert decide(client, incident, {"verdict": "unconfirmed", "reason": "mistaken_decision", "by": "b-duval"}).status_code == 200
    detail = client.get(f"/api/incidents/{incident}").json()
    assert [(each["verdict"], each["reason"], each["by"]) for each in detail["decisions"]] == [
        ("confirmed", "seen_on_site", "a-martin"),
        ("unconfirmed", "mistaken_decision", "b-duval"),
    ]
    assert detail["incident"]["operator"] == {"verdict": "unconfirmed", "by": None, "at": None}
    assert hub.incident(incident).row.message.data.operator.verdict is Verdict.UNCONFIRMED


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"verdict": "confirmed", "reason": "false_alarm", "by": "a-martin"}, "no reason for confirmed"),
        ({"verdict": "confirmed", "reason": "because", "by": "a-martin"}, "reason"),
        ({"verdict": "urgent", "reason": "test", "by": "a-martin"}, "verdict"),
        ({"verdict": "dismissed", "reason": "test", "by": "<script>alert(1)</script>"}, "by"),
        ({"verdict": "dismissed", "reason": "test", "by": "Anne Martin"}, "by"),
        ({"verdict": "dismissed", "reason": "test"}, "by"),
        ({"verdict": "dismissed", "reason": "test", "by": "a-martin", "comment": "a tall man"}, "verdict"),
        (["dismissed"], "verdict"),
    ],
)
def test_a_decision_of_another_form_is_refused_and_nothing_is_stored(refusing: tuple[Hub, TestClient, str], given: Any, says: str) -> None:
    hub, client, incident = refusing
    answer = decide(client, incident, given)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert "<" not in answer.text
    assert "comment" not in answer.text
    assert hub.incident(incident).decisions == ()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-parvis-console": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_decision_from_another_page_is_refused(refusing: tuple[Hub, TestClient, str], headers: dict[str, str]) -> None:
    hub, client, incident = refusing
    body = json.dumps({"verdict": "confirmed", "reason": "seen_on_site", "by": "a-martin"})
    answer = client.post(f"/api/incidents/{incident}/verdict", content=body, headers={"content-type": "application/json"} | OURS | headers)
    assert answer.status_code == 403
    assert hub.incident(incident).decisions == ()


def test_a_decision_that_is_too_long_is_refused(refusing: tuple[Hub, TestClient, str]) -> None:
    _, client, incident = refusing
    answer = decide(client, incident, {"verdict": "confirmed", "reason": "seen_on_site", "by": "a" * MAX_VERDICT_BYTES})
    assert answer.status_code == 413


def test_what_is_not_kept_is_said_to_be_so(refusing: tuple[Hub, TestClient, str]) -> None:
    client = refusing[1]
    unknown = str(new_id())
    assert client.get(f"/api/incidents/{unknown}").status_code == 404
    assert client.get(f"/api/incidents/{unknown}/plates/{new_id()}").status_code == 404
    assert decide(client, unknown, {"verdict": "dismissed", "reason": "test", "by": "a-martin"}).status_code == 404
    assert client.get("/api/incidents/not-an-id").status_code == 422


@pytest.mark.parametrize("path", ["/", "/api/site", "/api/incidents", "/api/units", "/static/js/main.js", "/healthz", "/nowhere"])
def test_every_answer_keeps_foreign_code_out(refusing: tuple[Hub, TestClient, str], path: str) -> None:
    client = refusing[1]
    headers = client.get(path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    rules = dict(rule.split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules.pop("trusted-types") == "default"
    assert set(rules.values()) == {"'none'", "'self'"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("hub.example", 421),
        ("127.0.0.1.elsewhere.example", 421),
        ("", 421),
    ],
)
def test_only_the_hubs_own_names_are_answered_to(refusing: tuple[Hub, TestClient, str], host: str, status: int) -> None:
    client = refusing[1]
    assert client.get("/api/site", headers={"host": host}).status_code == status


def test_another_name_can_be_given_to_the_hub(hub: Hub) -> None:
    client = TestClient(hub.app(hosts=("hub.example",)), base_url="http://hub.example")
    assert client.get("/api/site").status_code == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("vendor/maplibre-gl/maplibre-gl.mjs", "text/javascript; charset=utf-8"),
        ("vendor/maplibre-gl/maplibre-gl-worker.mjs", "text/javascript; charset=utf-8"),
        ("css/base.css", "text/css; charset=utf-8"),
        ("vendor/inter/inter-latin-wght-normal.woff2", "font/woff2"),
        ("i18n/fr.json", "application/json"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_the_type_that_a_browser_asks_for(refusing: tuple[Hub, TestClient, str], path: str, kind: str) -> None:
    client = refusing[1]
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"])
def test_no_file_beside_the_pages_own_is_given(refusing: tuple[Hub, TestClient, str], path: str) -> None:
    client = refusing[1]
    assert client.get(path).status_code == 404


def test_counters_are_given_for_prometheus(hub: Hub, client: TestClient) -> None:
    hub.status("u003")
    left(hub)
    text = client.get("/metrics").text
    assert "parvis_hub_received_total 2.0" in text
    assert 'parvis_hub_units{state="healthy"} 1.0' in text
    assert 'parvis_hub_refused_total{reason="not_json"} 0.0' in text
    assert client.get("/healthz").json() == {"status": "ok"}


def test_an_undecided_incident_is_listed_however_many_came_after_it(hub: Hub, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_hub.console.routes.MAX_INCIDENTS", 1)
    waiting = hub.report("u003", "sound.level", LOUD, ago_s=60.0)
    later = hub.report("u011", "object.unattended", LEFT, place_m=before_camera(18, 1), ago_s=5.0)
    assert decide(client, later, {"verdict": "confirmed", "reason": "seen_on_site", "by": "a-martin"}).status_code == 200
    listed = client.get("/api/incidents").json()
    assert {each["incident"]["incident"] for each in listed["incidents"]} == {waiting, later}
    assert listed["truncated"] is True


def plate_of(start: Envelope[Any]) -> Envelope[Any]:
    """A plate about the event that a start began, a second after it."""
    encoded, webp = cv2.imencode(".webp", np.full((36, 64, 3), 127, np.uint8))
    assert encoded
    data = EvidencePlate(sequence=1, event=start.id, about="object.unattended", webp_base64=base64.b64encode(webp.tobytes()).decode())
    return make_message("evidence.plate", source=start.source, time=to_datetime(start.time.timestamp() + 1), data=data)


def test_an_evidence_plate_is_shown_as_a_picture(hub: Hub, client: TestClient) -> None:
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))
    hub.receive(start)
    plate = plate_of(start)
    hub.receive(plate)
    [row] = hub.desk.incidents()
    incident = row.message.data.incident
    [shown] = client.get(f"/api/incidents/{incident}").json()["plates"]
    answer = client.get(f"/api/incidents/{incident}/plates/{shown['id']}")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content == base64.b64decode(plate.data.webp_base64)
    # Each view is in the accountability log; what is refused is shown to nobody, and is no view.
    path = f"/api/incidents/{incident}/plates/{shown['id']}"
    assert client.get(path, params={"by": "a-martin"}).status_code == 200
    assert client.get(path, params={"by": "hub"}).status_code == 422
    assert client.get(path, params={"by": "Alice Martin"}).status_code == 422
    assert client.get(path, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    with hub.database.read() as connection:
        views = list(entries(connection))
    assert [entry.by for entry in views] == ["console", "a-martin"]
    assert {entry.about for entry in views} == {PlateViewed(incident=incident, plate=plate.id)}
    assert client.get("/api/audit/head").json() == views[-1].head.model_dump()


def test_the_sites_day_is_judged_by_its_profile(make_hub: Callable[..., Hub], tmp_path: Path) -> None:
    (tmp_path / "past.yaml").write_text(past_profile(), encoding="utf-8")
    hub = make_hub(profile="past.yaml")
    client = TestClient(hub.app(), base_url="http://127.0.0.1")
    assert client.get("/api/site").json()["profile"]["in_force"] is False


def past_profile() -> str:
    return """name: past
title: {en: A trial, fr: Un essai}
jurisdiction: none
basis: {text: A trial that has ended.}
valid_from: 2020-01-01
valid_to: 2020-12-31
microphone: {allow: [sound.level], source: {text: The trial.}}
sound_with_image: {allow: false, source: {text: The trial.}}
retention: {events_h: 72, incidents_h: 72, evidence_h: 72, sightings_h: 72, audit_h: 72, source: {text: The trial.}}
"""


def test_an_event_that_goes_on_is_told_with_a_new_revision(hub: Hub, client: TestClient) -> None:
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1), ago_s=20.0)
    hub.receive(start)
    [before] = client.get("/api/incidents").json()["incidents"]
    longer = ObjectUnattended(dwell_s=90.0, area_m2=0.21, nearest_person_m=9.5)
    hub.receive(hub.event("u011", "object.unattended", longer, phase=Phase.UPDATE, start=start, place_m=before_camera(18, 1), ago_s=1.0))
    [after] = client.get("/api/incidents").json()["incidents"]
    assert after["incident"]["incident"] == before["incident"]["incident"]
    assert after["incident"]["measure"]["dwell_s"] == 90.0
    assert after["revision"] > before["revision"]
