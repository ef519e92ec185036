"""What is in mind and what is fetched: a unit that was cut off for long, in a city that goes on; and more than there is room for."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import Envelope, Operator, Site, Verdict, dump_message, topic_of
from parvis_hub.correlate.spans import common, merged, without
from parvis_hub.intake import Delivery, Intake
from parvis_hub.intake.in_mind import InMind, around
from parvis_hub.intake.replay import replay
from parvis_hub.store import Database, Desk, Notices, Store, default_url

from tests.hub.running import gist
from tests.hub.street import START_S, Street, busy_street, lines, write_site

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda span: (span[0], span[0] + span[1])), max_size=6)


def times(of: list[tuple[int, int]]) -> set[int]:
    return {time for since, until in of for time in range(since, until)}


@given(spans, spans)
def test_spans_are_sets_of_times(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    assert times(merged(some)) == times(some)
    assert all(before[1] < after[0] for before, after in zip(merged(some), merged(some)[1:], strict=False))
    assert times(without(some, others)) == times(some) - times(others)
    assert times(common(some, others)) == times(some) & times(others)


@given(
    st.lists(st.tuples(st.sampled_from(("sound.impulse", "object.unattended", "traffic.wrong_way")), st.integers(0, 40_000)), max_size=9)
)
def test_what_has_been_fetched_is_not_lacking_until_it_is_let_go_of(wanted: list[tuple[str, int]]) -> None:
    mind = InMind(30_000_000_000)
    old = {name: [time_s * 1_000_000 for of, time_s in wanted if of == name] for name, _ in wanted}
    lacking = mind.lacking(old)
    for name, several in lacking.items():
        mind.fetched(name, several)
    assert mind.lacking(old) == {}
    mind.let_go(mind.since_us, {})
    assert mind.lacking(old) == lacking
    for name, several in lacking.items():
        assert all(since < until <= mind.since_us for since, until in several)
        for time_us in old[name]:
            since_us, until_us = around(name, time_us, time_us)
            missed = without([(since_us, min(until_us, around(name, mind.since_us, mind.since_us)[0]))], several)
            assert time_us >= mind.since_us or missed == []


class Town:
    """A hub without its broker that many things happen to, one after the other."""

    def __init__(self, site: Site, folder: Path, most_events: int = 1_000_000) -> None:
        self.site, self.now_s = site, START_S
        self.store = Store(Database(default_url(folder), site.site), site, self.now_us)
        self.intake = Intake(site, self.store, most_events)
        self.desk = Desk(self.store, site, Notices())
        self.held = 0

    def now_us(self) -> int:
        return int(self.now_s * 1e6)

    def take(self, messages: list[Envelope[Any]], most: int = 1) -> None:
        """They come, so many together at most, a second after what the last of them tells of; and what is over is let go of."""
        for at in range(0, len(messages), most):
            some = messages[at : at + most]
            self.now_s = max(self.now_s, some[-1].time.timestamp() + 1.0)
            deliveries = [Delivery(topic_of(message), dump_message(message), self.now_us()) for message in some]
            self.store.commit(self.intake.prepare(deliveries, self.now_us()).batch)
            self.held = max(self.held, len(self.intake._correlator))
            self.intake.forget(self.now_us())

    def incidents(self) -> list[str]:
        undecided = Operator(verdict=Verdict.UNCONFIRMED)
        found = (row.message.data.model_copy(update={"operator": undecided}) for row in self.desk.incidents(limit=10_000))
        return sorted(str(gist(each)) for each in found)


def wanted(site: Site, messages: list[Envelope[Any]]) -> list[str]:
    log = ((str(number), line) for number, line in enumerate(lines(messages).splitlines()))
    return sorted(str(gist(each.data)) for each in replay(site, log, lambda *_: None).incidents)


def test_a_unit_that_was_cut_off_for_long_joins_what_a_city_has_made_meanwhile_and_little_of_it_is_held(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site.yaml")
    street = busy_street(8, happenings=60, over_s=24 * 3_600.0)
    cut_off = [message for message in street.sorted() if message.unit == "u005"]
    others = [message for message in street.sorted() if message.unit != "u005"]
    assert len(cut_off) > 10
    town = Town(site, tmp_path)
    town.take(others, 20)
    assert town.incidents() == wanted(site, others)
    town.held = 0
    town.take(cut_off, 5)
    assert town.incidents() == wanted(site, street.sorted())
    assert town.desk.counters().too_late == 0
    assert town.held < len(street.truth) / 2


def test_where_more_happens_than_there_is_room_for_only_what_is_late_is_left_out_and_all_is_kept(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site.yaml")
    rng, street = random.Random(3), Street()
    for second in range(0, 900, 3):
        street.tampered(START_S + second, rng.randrange(16))
    messages = street.sorted()
    room = 100
    town = Town(site, tmp_path, room)
    late: list[Envelope[Any]] = []
    for message in messages:
        # One unit is two minutes behind.
        if message.unit == "u003":
            late.append(message)
            continue
        while late and late[0].time.timestamp() < message.time.timestamp() - 120.0:
            town.take([late.pop(0)])
        town.take([message])
    town.take(late)
    assert town.intake.crowded
    assert town.held <= room + 1
    counters = town.desk.counters()
    assert counters.stored == len(messages)
    assert 0 < counters.too_late < len([message for message in messages if message.unit == "u003"])
    in_time = [message for message in messages if message.unit != "u003"]
    assert set(wanted(site, in_time)) <= set(town.incidents())
    town.now_s += 601.0
    town.intake.forget(town.now_us())
    assert not town.intake.crowded
