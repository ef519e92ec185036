"""A hub, and browsers that look at its console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.hub.console.browsing import Browsers
from tests.hub.console.hub import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub that has heard nothing, its console not served yet."""
    made = Hub(tmp_path)
    yield made
    made.close()


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Makes a hub with other arguments."""
    made: list[Hub] = []

    def make(**arguments: object) -> Hub:
        made.append(Hub(tmp_path, **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def browsers(chromium: Path) -> Iterator[Browsers]:
    with Browsers(chromium) as made:
        yield made


@pytest.fixture
def open_page(browsers: Browsers, hub: Hub) -> Iterator[Callable[..., Page]]:
    """Opens the console of the hub, which is then served; at the end the pages are found to have kept to it."""
    hub.serve()
    yield lambda **more: browsers.open(hub.url, **more)
    browsers.check(hub.url)
