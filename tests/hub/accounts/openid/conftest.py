"""A provider that runs, and consoles that let people in from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.accounts.openid.room import PEOPLE, Room
from tests.hub.accounts.provider import Provider


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture
def provider(running: Provider) -> Provider:
    """As it is when all is well."""
    running.people, running.public, running.twist, running.sign = dict(PEOPLE), False, lambda claims: claims, None
    running.says, running.names_itself, running.asked, running.keys = {}, "", {}, running.keys[:1]
    return running


@pytest.fixture
def make_room(tmp_path: Path, provider: Provider) -> Iterator[Callable[..., Room]]:
    made: list[Room] = []

    def make(**more: Any) -> Room:
        made.append(Room(tmp_path, provider, **more))
        return made[-1]

    yield make
    for each in made:
        each.hub.close()


@pytest.fixture
def room(make_room: Callable[..., Room]) -> Room:
    return make_room()


@pytest.fixture(scope="module")
def kept(running: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = Room(tmp_path_factory.mktemp("room"), running)
    yield made
    made.hub.close()


@pytest.fixture
def shared(kept: Room, provider: Provider) -> Room:
    """One for many tests, in whose store it does not matter who was there before."""
    assert kept.provider is provider
    kept.start()
    return kept
