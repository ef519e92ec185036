"""A past hour as it was shown: made again of what had come by each moment, with the verdicts of that moment, and nothing else."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from parvis_contract import ImpulseClass, ObjectUnattended, Phase, SoundImpulse, Verdict, dump_message, topic_of
from parvis_hub.intake import Delivery
from parvis_hub.store import DecisionReason

from tests.hub.console.browsing import LEFT
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import plate_of

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime.now(UTC)
#: To the minute, as a page asks for it.
BEGIN = (NOW - timedelta(minutes=70)).replace(second=0, microsecond=0)
SHOT = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=1.0)


class Hour:
    """An hour that is over: things came at minutes of it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def field(self) -> str:
        """The beginning as it is typed in at the site."""
        return f"{BEGIN.astimezone(PARIS):%Y-%m-%dT%H:%M}"

    def clock(self, minute: float) -> str:
        """A minute of the hour on the site's clocks."""
        return f"{(BEGIN + timedelta(minutes=minute)).astimezone(PARIS):%H:%M:%S}"

    def came(self, minute: float, message: Any) -> str:
        """Receives a message as if it were then; returns its incident."""
        received_us = round((BEGIN + timedelta(minutes=minute)).timestamp() * 1e6)
        prepared = self.hub.intake.prepare([Delivery(topic_of(message), dump_message(message), received_us)], received_us)
        assert not prepared.rejections
        self.hub.store.commit(prepared.batch)
        return next(str(row.message.data.incident) for row in self.hub.desk.incidents() if message.event_id in row.message.data.events)

    def event(self, minute: float, name: str, measure: Any, *, unit: str = "u011", **more: Any) -> Any:
        more.setdefault("ago_s", 0.0)
        return self.hub.event(unit, name, measure, now=BEGIN + timedelta(minutes=minute), **more)

    def bag(self, minute: float, **more: Any) -> Any:
        return self.event(minute, "object.unattended", LEFT, place_m=before_camera(18, 1), **more)

    def decide(self, minute: float, incident: str, verdict: Verdict, reason: DecisionReason) -> None:
        self.hub.desk.decide(uuid.UUID(incident), verdict, reason, "a-martin", BEGIN + timedelta(minutes=minute))

    def read(self, since_minute: float = 0.0, minutes: int = 60) -> Any:
        client = TestClient(self.hub.app(), base_url="http://127.0.0.1")
        since = (BEGIN + timedelta(minutes=since_minute)).isoformat()
        answer = client.get("/api/replay", params={"since": since, "minutes": minutes})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def open_at(self, minute: float, told: Any) -> dict[str, Any]:
        """What a page shows at a minute."""
        shown: dict[str, Any] = {}
        for change in told["changes"]:
            if datetime.fromisoformat(change["at"]) > BEGIN + timedelta(minutes=minute):
                break
            if "gone" in change:
                del shown[change["id"]]
            else:
                shown[change["incident"]["incident"]] = change["incident"]
        return shown


@pytest.fixture
def hour(hub: Hub) -> Hour:
    return Hour(hub)


def test_each_moment_has_what_was_open_then_with_the_verdict_of_then(hour: Hour) -> None:
    start = hour.bag(10)
    bag = hour.came(10, start)
    shot = hour.came(20, hour.event(20, "sound.impulse", SHOT, unit="u020", phase=Phase.INSTANT))
    hour.decide(25, bag, Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE)
    hour.decide(28, bag, Verdict.UNCONFIRMED, DecisionReason.MISTAKEN_DECISION)
    longer = ObjectUnattended(dwell_s=1_200.0, area_m2=0.21, nearest_person_m=9.5)
    hour.came(30, hour.event(30, "object.unattended", longer, start=start, phase=Phase.END, place_m=before_camera(18, 1)))
    told = hour.read()
    verdicts = {}
    for minute in (9, 11, 20.05, 21, 26, 29, 59):
        shown = hour.open_at(minute, told)
        verdicts[minute] = {id_: incident["operator"]["verdict"] for id_, incident in shown.items()}
    assert hour.open_at(20.05, told)[shot]["state"] == "open"
    assert hour.open_at(21, told)[shot]["state"] == "closed"
    assert verdicts[9] == {}
    assert verdicts[11] == {bag: "unconfirmed"}
    assert verdicts[21] == verdicts[20.05] == {bag: "unconfirmed", shot: "unconfirmed"}
    # The sound has been closed for five minutes; the thing lies there still.
    assert verdicts[26] == {bag: "confirmed"}
    assert verdicts[29] == {bag: "unconfirmed"}
    assert verdicts[59] == {}
    # What the store says now of the end is what the replay ends with.
    assert hour.hub.incident(bag).row.message.data.measure.dwell_s == 1_200.0
    assert hour.open_at(29, told)[bag]["measure"]["dwell_s"] == 61.0


def test_it_begins_with_what_was_open_already_and_ends_where_it_was_asked_to(hour: Hour) -> None:
    bag = hour.came(10, hour.bag(10))
    hour.came(40, hour.event(40, "sound.impulse", SHOT, unit="u020", phase=Phase.INSTANT))
    told = hour.read(12, 15)
    assert told["changes"][0]["at"] == told["since"]
    assert list(hour.open_at(12.1, told)) == [bag]
    assert [change for change in told["changes"] if change.get("incident", {}).get("type") == "sound.impulse"] == []
    assert datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"]) == timedelta(minutes=15)


def test_what_had_closed_before_is_shown_for_five_minutes_and_no_longer(hour: Hour) -> None:
    shots = [hour.came(minute, hour.event(minute, "sound.impulse", SHOT, unit="u020", phase=Phase.INSTANT)) for minute in (3, 8)]
    told = hour.read(10)
    assert [incident["state"] for incident in hour.open_at(10, told).values()] == ["closed"]
    assert list(hour.open_at(12, told)) == [shots[1]]
    assert hour.open_at(14, told) == {}


def test_what_came_later_shows_from_when_it_came(hour: Hour) -> None:
    """An object bears the time when it was put down, and is reported later: nobody at the console knew of it before."""
    bag = hour.came(10, hour.bag(10, ago_s=120.0))
    told = hour.read()
    assert hour.open_at(9.9, told) == {}
    assert list(hour.open_at(10.1, told)) == [bag]


def test_there_are_no_pictures_no_messages_and_no_routes_in_it(hour: Hour) -> None:
    start = hour.bag(10)
    hour.came(10, start)
    hour.hub.receive(plate_of(start))
    text = str(hour.read())
    assert "plate" not in text
    assert str(start.event_id) not in text.replace(str(hour.hub.desk.incidents()[0].message.data.incident), "")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"since": "2026-06-21T18:00:00"}, "timezone"),
        ({"since": "yesterday"}, "datetime"),
        ({}, "required"),
        # Far enough for the slowest machine between the reading of this file and the test.
        ({"since": (NOW + timedelta(hours=5)).isoformat()}, "in the last"),
        ({"since": (NOW - timedelta(days=3_000)).isoformat()}, "in the last"),
        ({"since": BEGIN.isoformat(), "minutes": "61"}, "60"),
        ({"since": BEGIN.isoformat(), "minutes": "0"}, "1"),
    ],
    # Not the times: each of several test processes would have its own.
    ids=["no zone", "no time", "none", "to come", "long gone", "too long", "too short"],
)
def test_a_time_that_cannot_be_shown_is_refused(hub: Hub, query: dict[str, str], says: str) -> None:
    answer = TestClient(hub.app(), base_url="http://127.0.0.1").get("/api/replay", params=query)
    assert answer.status_code == 422
    assert says in answer.text


def test_more_than_is_gone_through_at_once_is_refused(hour: Hour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_hub.store.past.MOST", 3)
    for minute in range(4):
        hour.came(minute, hour.event(minute, "sound.impulse", SHOT, unit="u020", phase=Phase.INSTANT))
    client = TestClient(hour.hub.app(), base_url="http://127.0.0.1")
    answer = client.get("/api/replay", params={"since": BEGIN.isoformat(), "minutes": 60})
    assert (answer.status_code, answer.json()["error"]) == (422, "more than 3 messages came; ask for a shorter time")
    assert client.get("/api/replay", params={"since": BEGIN.isoformat(), "minutes": 2}).status_code == 200


def test_what_takes_too_long_is_given_up(hour: Hour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_hub.console.replaying._LONGEST_S", 0.0)
    client = TestClient(hour.hub.app(), base_url="http://127.0.0.1")
    for _ in range(2):
        answer = client.get("/api/replay", params={"since": BEGIN.isoformat()})
        assert (answer.status_code, "takes too long" in answer.json()["error"]) == (422, True)
