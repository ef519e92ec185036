from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.update.simulator import Simulator, small_bundle


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of three versions of a small model."""
    folder = tmp_path_factory.mktemp("bundles")
    return {version: small_bundle(folder / version, version, 1.0 + place) for place, version in enumerate(("1.0.0", "1.1.0", "2.0.0"))}


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """An empty repository, served."""
    with Simulator(tmp_path / "repository").serving() as serving:
        yield serving
