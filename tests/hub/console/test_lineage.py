"""What became of an incident is in its timeline: others that turned out to be part of it, and reports that came and went."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from fastapi.testclient import TestClient
from parvis_contract import new_id
from parvis_hub.correlate import Change
from parvis_hub.store import Batch, Notice, Store
from playwright.sync_api import Page, expect

from tests.hub.console.browsing import LEFT, choose, row
from tests.hub.console.hub import Hub, before_camera

Told = list[tuple[str, str, int]]


class Things:
    """Incidents that the correlator is made to group otherwise."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        starts = [hub.event("u011", "object.unattended", LEFT, place_m=before_camera(14 + 4 * k, 1)) for k in range(4)]
        hub.receive(*starts)
        rows = {row.message.data.events[0]: row.message.data for row in hub.desk.incidents()}
        self.incidents = [rows[start.id] for start in starts]
        self.ids = [str(incident.incident) for incident in self.incidents]

    def group(self, *groups: Sequence[int], gone: dict[int, int] | None = None) -> None:
        """Says that the first of each group has the events of all of it, and which are no more because they are part of another."""
        changes = [
            Change(
                self.incidents[first].incident,
                self.incidents[first].model_copy(update={"events": tuple(self.incidents[each].events[0] for each in (first, *rest))}),
            )
            for first, *rest in groups
        ]
        changes += [Change(self.incidents[each].incident, None, self.incidents[into].incident) for each, into in (gone or {}).items()]
        self.hub.notices.tell(*(Notice("incident", each) for each in self.hub.store.commit(Batch(incidents=changes))))

    def told(self, number: int) -> Told:
        client = TestClient(self.hub.app(), base_url="http://127.0.0.1")
        moves = client.get(f"/api/incidents/{self.ids[number]}").json()["moves"]
        return [(move["what"], move["other"], move["reports"]) for move in moves]


@pytest.fixture
def things(hub: Hub) -> Things:
    return Things(hub)


def test_each_side_says_what_came_and_what_went(things: Things) -> None:
    a, b, c, d = things.ids
    assert things.told(0) == []
    things.group((0, 1), gone={1: 0})
    assert things.told(0) == [("joined", b, 1)]
    # What is asked for by its old number is the one that it is part of.
    assert things.told(1) == things.told(0)
    # A third joins, and with it what had joined that before.
    things.group((2, 3), gone={3: 2})
    things.group((0, 1, 2, 3), gone={2: 0})
    assert things.told(0) == [("joined", b, 1), ("joined", d, 1), ("joined", c, 2)]
    # Parted again: the second is an incident of its own once more.
    things.group((0, 2, 3), (1,))
    assert things.told(1)[-1] == ("came", a, 1)
    assert things.told(0)[-1] == ("went", b, 1)


def test_reports_that_go_from_one_to_another_are_said_by_both(things: Things) -> None:
    a, b, _, _ = things.ids
    things.group((0, 2), (1,), gone={2: 0})
    things.group((0,), (1, 2))
    assert things.told(0)[-1] == ("went", b, 1)
    assert things.told(1) == [("came", a, 1)]


def test_another_number_is_no_other_incident(hub: Hub, things: Things) -> None:
    """An earlier report of the same thing comes late: what it is called changes, and nothing else."""
    renamed = things.incidents[0].model_copy(update={"incident": new_id()})
    changes = [Change(renamed.incident, renamed), Change(things.incidents[0].incident, None, renamed.incident)]
    hub.store.commit(Batch(incidents=changes))
    assert things.told(0) == []


def test_the_same_again_and_another_batch_say_nothing(things: Things) -> None:
    things.group((0, 1), gone={1: 0})
    told = things.told(0)
    things.group((0, 1), gone={1: 0})
    things.group((2,), (3,))
    assert things.told(0) == told


def test_it_is_forgotten_with_the_incident(hub: Hub, things: Things) -> None:
    things.group((0, 1), gone={1: 0})
    later_us = time.time_ns() // 1000 + 10_000 * 3_600_000_000
    assert Store(hub.database, hub.site, lambda: later_us).purge()["moves"] == 1
    with hub.database.read() as connection:
        counted = connection.exec_driver_sql("select count(*) from moves").scalar_one()
    assert counted == 0


def test_the_card_tells_it_and_leads_to_the_other(things: Things, open_page: Callable[..., Page]) -> None:
    things.group((0, 2), (1,), gone={2: 0})
    things.group((0,), (1, 2))
    page = open_page()
    choose(page, things.ids[0])
    entries = page.locator("#card .timeline [data-moved]")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("an incident with 1 report is part of this one")
    expect(entries.last).to_contain_text("1 report that fits there better goes to")
    entries.last.get_by_role("button").press("Enter")
    expect(row(page, things.ids[1])).to_have_attribute("aria-current", "true")
    expect(page.locator("#card .timeline")).to_contain_text("1 report that fits here better comes from")
