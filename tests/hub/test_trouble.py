"""What a hub lives through: a full disk, a database that is away, a clock that was set back. Nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from parvis_contract import Site, dump_message, to_posix_s, topic_of
from parvis_hub.intake import Delivery, Intake, SteadyClock
from parvis_hub.store import Database, Desk, Notices, Store, default_url

from tests import postgres
from tests.broker import Broker
from tests.hub.running import BROKER_SETTINGS, Publishing, RunningHub, gist, wait_for
from tests.hub.street import busy_street, write_site
from tests.hub.test_hub import expected


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


@dataclass
class Trouble:
    """Which store, and what befalls it.

    Attributes:
        url: Of the store.
        begin, end: Of the trouble.
    """

    url: str
    begin: Callable[[RunningHub], None]
    end: Callable[[RunningHub], None]


@contextmanager
def _desk(site: Site, url: str) -> Iterator[Desk]:
    database = Database(url, site.site)
    yield Desk(Store(database, site), site, Notices())
    database.close()


def _stored(site: Site, url: str) -> int:
    with _desk(site, url) as desk:
        return desk.counters().stored


def _lives_through(mosquitto: Path, site: Site, folder: Path, trouble: Trouble) -> None:
    """Half of a street's messages before the trouble, the other half while it lasts."""
    street = busy_street(4, start_s=time.time() - 600)
    messages = street.sorted()
    half = len(messages) // 2
    with (
        Broker(mosquitto, BROKER_SETTINGS) as broker,
        RunningHub(site, broker.port, folder, "--store", trouble.url) as hub,
        Publishing(broker.port) as units,
    ):
        wait_for(lambda: "connected" in hub.log)
        units.messages(messages[:half])
        wait_for(lambda: _stored(site, trouble.url) == half)
        trouble.begin(hub)
        units.messages(messages[half:])
        wait_for(lambda: "the store cannot be used" in hub.log)
        assert hub.alive()
        trouble.end(hub)
        wait_for(lambda: "the store can be used again" in hub.log)
        wait_for(lambda: _stored(site, trouble.url) == len(messages))
        with _desk(site, trouble.url) as desk:
            assert sorted(str(gist(row.message.data)) for row in desk.incidents(limit=10_000)) == expected(site, street)
            assert desk.counters().received == len(messages)
            assert all(unit.missing == 0 for unit in desk.units())
        assert hub.end(signal.SIGTERM) == 0


def test_a_full_disk(site: Site, mosquitto: Path, tmp_path: Path) -> None:
    def limit(hub: RunningHub, most_bytes: int) -> None:
        resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))

    # No file may be written beyond this: the log fits, and of the store nothing more does.
    full = Trouble(default_url(tmp_path), lambda hub: limit(hub, 60_000), lambda hub: limit(hub, resource.RLIM_INFINITY))
    _lives_through(mosquitto, site, tmp_path / "hub", full)


def test_a_database_that_is_away(site: Site, mosquitto: Path, tmp_path: Path, postgresql: postgres.Postgres) -> None:
    with postgres.cluster(postgresql.programs) as own:
        _lives_through(mosquitto, site, tmp_path / "hub", Trouble(own.database(), lambda _: own.stop(), lambda _: own.start()))


def test_a_hub_that_hangs_is_behind_and_catches_up_and_one_without_room_says_so(site: Site, mosquitto: Path, tmp_path: Path) -> None:
    # It is behind at once, with a hundred messages, and no machine has room for the first event.
    at_once = "from parvis_hub import load, service; load.BEHIND_US = 0; load.EVENT_BYTES = 10**15; service.BATCH = 50"
    messages = busy_street(4, happenings=40, over_s=1_200.0, start_s=time.time() - 1_500).sorted()
    with (
        Broker(mosquitto, BROKER_SETTINGS) as broker,
        RunningHub(site, broker.port, tmp_path / "hub", before=at_once) as hub,
        Publishing(broker.port) as units,
    ):
        wait_for(lambda: "connected" in hub.log)
        os.kill(hub.pid, signal.SIGSTOP)
        units.messages(messages)
        os.kill(hub.pid, signal.SIGCONT)
        wait_for(lambda: _stored(site, default_url(tmp_path / "hub")) == len(messages))
        wait_for(lambda: '"event": "messages come faster than the hub deals with them' in hub.log)
        wait_for(lambda: '"event": "more happens than there is room for in memory' in hub.log)
        wait_for(lambda: '"what": "messages come faster than the hub deals with them' in hub.log)
        with _desk(site, default_url(tmp_path / "hub")) as desk:
            assert desk.counters().received == len(messages)
            assert all(unit.missing == 0 for unit in desk.units())
        assert hub.end(signal.SIGTERM) == 0


def test_a_clock_that_is_set_back_while_the_hub_is_down_does_not_make_it_refuse_what_is_true(site: Site, tmp_path: Path) -> None:
    messages = busy_street(4, start_s=time.time() - 600).sorted()
    now_ns = time.time_ns()
    database = Database(default_url(tmp_path), site.site)
    stored = 0
    for back_s, part in ((0, messages[: len(messages) // 2]), (3_600, messages[len(messages) // 2 :])):
        wall_ns = now_ns - back_s * 1_000_000_000
        clock = SteadyClock(lambda wall_ns=wall_ns: wall_ns, lambda: 0)  # type: ignore[misc]
        store = Store(database, site, clock.now_us)
        clock.go_on_from(max((seen.last_seen_us or 0 for seen in store.restart().units.values()), default=0))
        assert clock.off_us() == -back_s * 1_000_000
        intake = Intake(site, store)
        deliveries = [Delivery(topic_of(message), dump_message(message), clock.now_us()) for message in part]
        store.commit(intake.prepare(deliveries, clock.now_us()).batch)
        stored += len(part)
        counters = Desk(store, site, Notices()).counters()
        assert (counters.stored, sum(counters.refused.values()), counters.too_late) == (stored, 0, 0)
    database.close()


def test_a_clock_that_was_far_ahead_is_believed_when_it_is_right() -> None:
    clock = SteadyClock(lambda: 1_000_000_000, lambda: 0)
    clock.go_on_from(10 * 86_400_000_000)
    assert (clock.now_us(), clock.off_us()) == (1_000_000, 0)


def test_a_clock_that_leaps_years_ahead_deletes_nothing_until_units_say_the_same(site: Site, tmp_path: Path) -> None:
    messages = busy_street(4, start_s=time.time() - 600).sorted()
    wall_ns = [time.time_ns()]
    clock = SteadyClock(lambda: wall_ns[0], lambda: 0, units=len(site.units))
    database = Database(default_url(tmp_path), site.site)
    store = Store(database, site, clock.now_us)
    intake = Intake(site, store)
    for part in (messages[: len(messages) // 2], messages[len(messages) // 2 :]):
        deliveries = [Delivery(topic_of(message), dump_message(message), clock.now_us()) for message in part]
        prepared = intake.prepare(deliveries, clock.now_us(), clock.latest_us())
        clock.hear(prepared.said_us)
        store.commit(prepared.batch)
        wall_ns[0] += 3_000 * 86_400_000_000_000
    assert not any(store.purge().values())
    counters = Desk(store, site, Notices()).counters()
    assert (counters.stored, sum(counters.refused.values()), counters.too_late) == (len(messages), 0, 0)
    assert clock.off_us() > 0
    # Units whose messages were of the hub's time say another one now.
    clock.hear(dict.fromkeys(site.units, clock.latest_us()))
    assert clock.off_us() == 0
    assert any(store.purge().values())
    database.close()


def test_an_event_of_the_time_to_which_a_clock_has_leapt_is_not_refused(site: Site, tmp_path: Path) -> None:
    now_s = time.time()
    database = Database(default_url(tmp_path), site.site)
    store = Store(database, site)
    intake = Intake(site, store)
    message = busy_street(4, start_s=now_s + 86_400.0).sorted()[0]
    delivery = Delivery(topic_of(message), dump_message(message), int(now_s * 1e6))
    assert intake.prepare([delivery], delivery.received_us).rejections
    assert not intake.prepare([delivery], delivery.received_us, int(to_posix_s(message.time) * 1e6)).rejections
    database.close()
