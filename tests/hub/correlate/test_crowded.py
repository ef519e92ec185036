"""A quarter in which so much happens at once that all of it is one episode: what is remembered of it makes no difference."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from parvis_contract import Envelope, Incident, Site
from parvis_hub.correlate import Correlator, linking

from tests.bench.hub_city import something
from tests.hub.street import START_S, Street, write_site

_SIDE, _MESSAGES, _OVER_S = 3, 700, 150.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return write_site(tmp_path_factory.mktemp("crowded") / "site.yaml", _SIDE)


def messages(rng: random.Random) -> list[Envelope[Any]]:
    street = Street(rng, _SIDE)
    while len(street.messages) < _MESSAGES:
        something(street, START_S + rng.uniform(0.0, _OVER_S))
    return street.sorted()


def incidents(site: Site, messages: list[Envelope[Any]], every: int) -> dict[uuid.UUID, Incident]:
    """What is said in the end, asked after so many messages each time."""
    correlator = Correlator(site)
    said: dict[uuid.UUID, Incident | None] = {}
    for at in range(0, len(messages), every):
        for message in messages[at : at + every]:
            correlator.add(message)
        said |= {change.id: change.incident for change in correlator.changes()}
    correlator.advance(round(max(message.time for message in messages).timestamp() * 1e6))
    said |= {change.id: change.incident for change in correlator.changes()}
    return {name: incident for name, incident in said.items() if incident is not None}


def test_neither_batches_nor_order_nor_what_is_remembered_makes_a_difference(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    said = messages(rng)
    expected = incidents(site, said, len(said))
    assert max(len(incident.events) for incident in expected.values()) > 2
    assert incidents(site, said, 40) == expected
    late = sorted(said, key=lambda message: message.time.timestamp() + rng.expovariate(1 / 30.0))
    assert incidents(site, late, 90) == expected
    monkeypatch.setattr(linking, "_REMEMBERED", 0)
    assert incidents(site, said, 40) == expected
