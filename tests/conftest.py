"""What tests share: where the development material is, and the system programs that some need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests import postgres

# Tests that load the model runtime themselves: it must not report to its maker either.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ROOT = Path(__file__).resolve().parents[1]


def _missing(name: str, advice: str) -> None:
    """Skips, or fails where the run was told that this must be there (PARVIS_REQUIRE)."""
    message = f"{name} is missing: {advice}"
    if name in os.environ.get("PARVIS_REQUIRE", "").split(","):
        pytest.fail(message)
    pytest.skip(message)


def _program(name: str, *elsewhere: str) -> Path:
    for candidate in (shutil.which(name), *elsewhere):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    _missing(name, f"apt install {name}")
    raise AssertionError


@pytest.fixture(scope="session")
def material() -> Path:
    """The development material, beside the checkout; it is measured on and never committed."""
    folder = ROOT.parent / "shared" / "data" / "dev"
    if not folder.is_dir():
        _missing("material", f"no development material at {folder}")
    return folder


@pytest.fixture(scope="session")
def mosquitto() -> Path:
    """The real broker's program."""
    return _program("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A real browser's program."""
    return _program("chromium", "/usr/bin/chromium-browser")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Postgres]:
    """A real PostgreSQL with PostGIS, running."""
    programs = postgres.programs()
    if programs is None:
        _missing("postgresql", "apt install postgresql-postgis")
        raise AssertionError
    with postgres.cluster(programs) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new store, of each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.sqlite'}"
    running: postgres.Postgres = request.getfixturevalue("postgresql")
    return running.database()


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """A command that a test calls sets the log up for itself; the next test must not write to a stream that is gone."""
    yield
    structlog.reset_defaults()
