"""The gate and what follows it: every refusal with its reason, nothing stored of it, duplicates, lateness, gaps, signs of life."""

from __future__ import annotations

import json
import random
import time
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    Position,
    RefusalReason,
    Refused,
    SenseStatus,
    Site,
    StreamState,
    TagSighting,
    UnitState,
    UnitStatus,
    UnitTelemetry,
    dump_message,
    load_site,
    make_message,
    parse_message,
    to_datetime,
    topic_of,
    unit_source,
)
from parvis_hub.intake import Delivery, EventClock, Gate, Intake, SteadyClock
from parvis_hub.intake.sequence import Sequence
from parvis_hub.store import Database, Desk, Notices, Store, default_url
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tests.contract.fuzz import malformed
from tests.hub.street import SITE, Street, busy_street, write_site

NOW_S = time.time()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


class Desktop:
    """A hub without its broker, whose clock the test holds."""

    def __init__(self, site: Site, url: str) -> None:
        self.site, self.url, self.now_s = site, url, NOW_S
        self.open()

    def open(self) -> None:
        """Starts it, or starts it again from what it has kept."""
        self.store = Store(Database(self.url, self.site.site), self.site, lambda: int(self.now_s * 1e6))
        self.desk = Desk(self.store, self.site, Notices(), now=lambda: to_datetime(self.now_s))
        self.intake = Intake(self.site, self.store)

    def raw(self, several: list[tuple[str, bytes]], *, retained: bool = False) -> list[Any]:
        deliveries = [Delivery(topic, payload, int(self.now_s * 1e6), retained) for topic, payload in several]
        prepared = self.intake.prepare(deliveries, int(self.now_s * 1e6))
        self.store.commit(prepared.batch)
        return prepared.rejections

    def take(self, several: list[Envelope[Any]], *, retained: bool = False) -> list[Any]:
        return self.raw([(topic_of(message), dump_message(message)) for message in several], retained=retained)

    def unit(self, name: str) -> Any:
        return next(unit for unit in self.desk.units() if unit.name == name)


@pytest.fixture
def desktop(site: Site, store_url: str) -> Desktop:
    return Desktop(site, store_url)


def one_event(unit: str = "u000", at_s: float = NOW_S) -> Envelope[Any]:
    street = Street()
    street.tampered(at_s, int(unit[1:]))
    return street.messages[0]


# --- the gate -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("parvis/v1/quay/u000/event/unit.tampered", None),
        ("parvis/v1/quay/u001/event/unit.tampered", RefusalReason.WRONG_TOPIC),
        ("parvis/v1/quay/u000/event/sound.alarm", RefusalReason.WRONG_TOPIC),
        ("parvis/v1/quay/u000/telemetry", RefusalReason.WRONG_TOPIC),
        ("parvis/v1/quay/u000/event/face.seen", RefusalReason.WRONG_TOPIC),
        ("parvis/v1/elsewhere/u000/event/unit.tampered", RefusalReason.WRONG_TOPIC),
        ("parvis/v1/quay/u999/event/unit.tampered", RefusalReason.UNKNOWN_UNIT),
        ("", RefusalReason.WRONG_TOPIC),
    ],
)
def test_a_message_comes_by_its_own_topic(site: Site, topic: str, reason: RefusalReason | None) -> None:
    payload = dump_message(one_event())
    if reason is None:
        assert Gate(site).admit(topic, payload, NOW_S) == parse_message(payload)
    else:
        with pytest.raises(Refused) as refused:
            Gate(site).admit(topic, payload, NOW_S)
        assert refused.value.reason is reason


@pytest.mark.parametrize(("after_s", "refused"), [(-1e6, False), (0, False), (50, False), (100, True), (1e6, True), (-400 * 86_400, True)])
def test_a_message_is_of_a_time_that_can_be(site: Site, after_s: float, refused: bool) -> None:
    message = one_event(at_s=NOW_S + after_s)
    with pytest.raises(Refused, match="implausible_time") if refused else nullcontext():
        Gate(site).admit(topic_of(message), dump_message(message), NOW_S)


def test_malformed_messages_are_refused_with_a_reason_and_nothing_of_them_is_kept_or_repeated(desktop: Desktop) -> None:
    rng = random.Random(4)
    topics = [str(topic_of(message)) for message in busy_street(1).messages] + ["parvis/v1/quay/u000/status", "parvis/v1/quay/u000/flow"]
    payloads = [each if isinstance(each, bytes) else each[1] for each in islice(malformed(11), 2000)]
    for at in range(0, len(payloads), 500):
        rejections = desktop.raw([(rng.choice(topics), payload) for payload in payloads[at : at + 500]])
        assert len(rejections) <= 20
        for rejection in rejections:
            assert len(dump_message(rejection)) < 1024
    counters = desktop.desk.counters()
    assert counters.received == 2000
    assert sum(counters.refused.values()) == 2000
    assert counters.not_announced >= 2000 - 20
    assert counters.stored == 0
    assert len(counters.refused) >= 8
    assert desktop.desk.incidents() == []


def test_a_refusal_says_why_and_not_what(desktop: Desktop) -> None:
    secret = "somebody in a red coat"
    event = json.loads(dump_message(one_event()))
    event["data"]["note"] = secret
    (rejection,) = desktop.raw([("parvis/v1/quay/u000/event/unit.tampered", json.dumps(event).encode())])
    assert rejection.data.reason is RefusalReason.UNKNOWN_FIELD
    assert rejection.data.unit == "u000"
    assert secret.encode() not in dump_message(rejection)
    assert b"note" not in dump_message(rejection)


# --- once, in time, without gaps ----------------------------------------------------------------------------------------------


def test_a_message_counts_once_however_often_it_comes(desktop: Desktop) -> None:
    messages = busy_street(2, start_s=NOW_S - 900).sorted()
    desktop.take(messages + messages)
    desktop.take(messages)
    before = desktop.desk.incidents()
    desktop.open()
    desktop.take(messages)
    assert desktop.desk.incidents() == before
    counters = desktop.desk.counters()
    assert (counters.stored, counters.duplicates) == (len(messages), 3 * len(messages))


def test_what_comes_too_late_is_kept_and_listed_and_part_of_no_incident(desktop: Desktop) -> None:
    now = one_event(at_s=NOW_S)
    old = one_event(at_s=NOW_S - 3600)
    desktop.take([now])
    incidents = desktop.desk.incidents()
    desktop.take([old])
    assert desktop.desk.counters().too_late == 1
    assert desktop.desk.too_late() == [old]
    assert desktop.desk.incidents() == incidents
    desktop.open()
    desktop.take([])
    assert desktop.desk.incidents() == incidents


def test_a_unit_that_was_cut_off_is_not_late_and_holds_nobody_back(desktop: Desktop) -> None:
    """What it has kept joins the incident that the others have made meanwhile, though that was closed and forgotten long ago."""
    street = Street()
    street.shot(NOW_S - 40_000, (40.0, 40.0))
    cut_off = [message for message in street.sorted() if message.unit == "u005"]
    assert cut_off
    desktop.take([message for message in street.sorted() if message.unit != "u005"])
    desktop.take([one_event("u001", NOW_S - 5)])
    desktop.now_s += 3600
    desktop.take([])
    assert desktop.intake.forget(int(desktop.now_s * 1e6)) > 0
    desktop.take(cut_off)
    shots = [row.message.data for row in desktop.desk.incidents() if row.message.data.type == "sound.impulse"]
    assert [set(map(str, shot.events)) for shot in shots] == [set(street.truth)]
    assert desktop.desk.counters().too_late == 0


def test_it_goes_on_where_it_was_stopped_at_any_message(site: Site, tmp_path: Path) -> None:
    messages = busy_street(6, start_s=NOW_S - 900).sorted()
    whole = Desktop(site, default_url(tmp_path))
    whole.take(messages)
    (tmp_path / "broken").mkdir()
    broken = Desktop(site, default_url(tmp_path / "broken"))
    for at in range(0, len(messages), 17):
        broken.take(messages[at : at + 17])
        broken.open()
    assert [row.message for row in broken.desk.incidents()] == [row.message for row in whole.desk.incidents()]


def test_a_batch_that_could_not_be_kept_is_kept_at_the_second_attempt(desktop: Desktop) -> None:
    messages = busy_street(2, start_s=NOW_S - 900).sorted()
    deliveries = [Delivery(topic_of(message), dump_message(message), int(NOW_S * 1e6)) for message in messages]
    prepared = desktop.intake.prepare(deliveries, int(NOW_S * 1e6))
    batch = prepared.batch
    with desktop.store.database.write() as connection:
        connection.execute(text("ALTER TABLE counters RENAME TO away"))
    with pytest.raises(SQLAlchemyError, match="counters"):
        desktop.store.commit(batch)
    with desktop.store.database.write() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO counters"))
    assert desktop.desk.incidents() == []
    desktop.store.commit(batch)
    assert desktop.desk.counters().stored == len(messages)


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([4, 5, 6], []),
        ([4, 5, 8, 9], [(6, 7)]),
        ([4, 9, 7, 5], [(6, 6), (8, 8)]),
        ([4, 9, 5, 6, 7, 8], []),
        ([4, 4, 3, 2, 5], []),
        ([0, 3, 3, 1, 1, 2], []),
    ],
)
def test_gaps_in_the_sequence_are_known(numbers: list[int], gaps: list[tuple[int, int]]) -> None:
    sequence = Sequence()
    for number in numbers:
        sequence.take(number)
    assert sequence.gaps == gaps


def test_gaps_survive_a_restart_and_are_shown(desktop: Desktop) -> None:
    messages = [message for message in busy_street(6, start_s=NOW_S - 900).messages if message.unit == "u005"]
    assert [message.data.sequence for message in messages[:7]] == list(range(7))
    desktop.take([*messages[:3], *messages[5:6]])
    assert desktop.unit("u005").missing == 2
    desktop.open()
    desktop.take(messages[3:4])
    assert desktop.unit("u005").missing == 1
    desktop.take(messages)
    assert desktop.unit("u005").missing == 0


# --- signs of life ------------------------------------------------------------------------------------------------------------


def status(state: UnitState, at_s: float = NOW_S) -> Envelope[Any]:
    camera = SenseStatus(state=StreamState.HEALTHY)
    data = UnitStatus(state=state, camera=camera, software="0.1.0")
    return make_message("unit.status", source=unit_source(SITE, "u000"), time=to_datetime(at_s), data=data)


def test_a_unit_is_seen_by_what_it_says_and_not_by_what_the_broker_says_of_it(desktop: Desktop) -> None:
    assert desktop.unit("u000").last_seen is None
    assert desktop.unit("u000").silent
    desktop.take([status(UnitState.HEALTHY)], retained=True)
    assert (desktop.unit("u000").state, desktop.unit("u000").silent) == (UnitState.HEALTHY, True)
    desktop.take([status(UnitState.HEALTHY)])
    assert (desktop.unit("u000").state, desktop.unit("u000").silent) == (UnitState.HEALTHY, False)
    desktop.now_s += 3600
    assert desktop.unit("u000").silent
    # A last will was written when the unit connected: it bears an early time and is the last word all the same.
    desktop.take([status(UnitState.LOST, NOW_S - 100)])
    assert (desktop.unit("u000").state, desktop.unit("u000").silent) == (UnitState.LOST, True)


def test_telemetry_is_shown_and_only_the_last_is_kept(desktop: Desktop) -> None:
    for uptime_s in (10.0, 40.0):
        data = UnitTelemetry(
            uptime_s=uptime_s,
            captured_fps=25.0,
            analysed_fps=None,
            vision_inference_ms=None,
            hearing_inference_ms=None,
            queue_frames=0,
            dropped_frames=0,
            outbox_messages=0,
            outbox_oldest_s=0.0,
            outbox_shed=0,
            memory_bytes=None,
            temperature_c=None,
            clock=Clock(source=ClockSource.NTP, uncertainty_ms=2.0),
        )
        desktop.take([make_message("unit.telemetry", source=unit_source(SITE, "u000"), time=to_datetime(NOW_S), data=data)])
    assert desktop.unit("u000").telemetry == data
    assert desktop.desk.counters().stored == 0


# --- time ---------------------------------------------------------------------------------------------------------------------


def test_event_time_goes_on_with_the_wall_and_never_back() -> None:
    clock = EventClock()
    assert clock.at(5) is None
    clock.see(1_000, 50_000)
    assert clock.at(50_000) == 1_000
    assert clock.at(50_700) == 1_700
    assert clock.at(40_000) == 1_700, "the wall was set back"
    clock.see(1_500, 51_000)
    assert clock.at(51_000) == 2_000
    clock.see(9_000, 51_001)
    assert clock.at(51_001) == 9_000
    clock.see(90_000, 51_100)
    assert clock.at(51_100) == 51_100, "a unit's clock is fast"


def test_a_wall_clock_that_is_set_back_goes_on_and_one_that_is_set_right_is_believed() -> None:
    times = iter([(1_000_000, 0), (1_005_000, 5_000), (200_000, 7_000), (204_000, 11_000), (9_000_000, 12_000), (9_001_000, 13_000)])
    now = [(0, 0)]
    clock = SteadyClock(lambda: now[0][0], lambda: now[0][1])
    said = []
    for now[0] in times:
        said.append(clock.now_us())
    assert said == [1_000, 1_005, 1_007, 1_011, 9_000, 9_001]


def test_of_a_tag_that_nobody_is_enrolled_with_nothing_is_kept(site: Site, tmp_path: Path) -> None:
    plan = site.path.read_text()
    site.path.write_text(plan + "tags: {size_m: 0.4, allow: [17]}\n")
    desktop = Desktop(load_site(site.path), default_url(tmp_path))
    clock, place = Clock(source=ClockSource.NTP, uncertainty_ms=2.0), Position(lon=5.37, lat=43.296, uncertainty_m=2.0)
    for tag in (17, 18):
        data = TagSighting(sequence=tag, tag=tag, position=place, clock=clock)
        desktop.take([make_message("tag.sighting", source=unit_source(SITE, "u000"), time=to_datetime(NOW_S), data=data)])
    counters = desktop.desk.counters()
    assert (counters.stored, counters.not_enrolled) == (1, 1)
    with desktop.store.database.read() as connection:
        (kept,) = connection.execute(text("SELECT message FROM sightings")).all()
    assert parse_message(kept.message).data.tag == 17


def test_an_incident_closes_though_every_unit_has_fallen_silent(desktop: Desktop) -> None:
    street = Street()
    street.shot(NOW_S, (40.0, 40.0))
    desktop.take(street.messages)
    (row,) = desktop.desk.incidents()
    assert (row.message.data.state, row.revision) == ("open", 1)
    desktop.now_s += 60
    desktop.take([])
    (row,) = desktop.desk.incidents()
    assert (row.message.data.state, row.revision) == ("closed", 2)
