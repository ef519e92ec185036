"""What ends soon is said before it does: certificates, and what was signed of the models' repository."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from parvis_hub.accounts import Sessions, Tokens, Users
from parvis_hub.console import Access, create_app
from parvis_hub.fleet import Kind
from parvis_hub.fleet.authority import SERVER_LASTS, UNIT_LASTS
from parvis_hub.fleet.endings import OTHERS_SOON, REPOSITORY_SOON, UNIT_SOON, certificate_endings, repository_endings
from parvis_hub.store import Desk, Notices, Store
from parvis_models.publish.repository import VALID, WARN

from tests.edge.update.simulator import Simulator
from tests.hub.fleet.town import Town, new_public_key


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town.build(tmp_path)
    yield town
    town.database.close()


@pytest.mark.parametrize(
    ("name", "kind", "lasts", "soon"),
    [("u017", Kind.UNIT, UNIT_LASTS, UNIT_SOON), ("hub", Kind.HUB, SERVER_LASTS, OTHERS_SOON)],
)
def test_a_certificate_is_told_of_while_there_is_time(town: Town, name: str, kind: Kind, lasts: timedelta, soon: timedelta) -> None:
    town.member("u017")
    now = datetime.now(UTC)
    for after, expected in ((timedelta(), False), (lasts - soon - timedelta(hours=1), False), (lasts - soon + timedelta(hours=1), True)):
        with town.database.read() as connection:
            assert certificate_endings(connection, now + after)[name, kind].soon is expected


def test_the_certificate_that_lasts_longest_counts_and_none_that_is_revoked(town: Town) -> None:
    first = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    town.clock.ahead = timedelta(days=60)
    second = town.fleet.renew(first, new_public_key())

    def now() -> object:
        with town.database.read() as connection:
            return certificate_endings(connection, datetime.now(UTC))["u017", Kind.UNIT]

    assert (now().until, now().revoked) == (second.not_valid_after_utc, False)
    town.fleet.revoke("u017", "a-martin")
    assert (now().revoked, now().soon) == (True, False)
    third = town.fleet.claim("u017", town.claim("u017", timedelta(days=61)).code, new_public_key())
    assert (now().until, now().revoked) == (third.not_valid_after_utc, False)


def test_the_hub_warns_when_the_publisher_does() -> None:
    assert REPOSITORY_SOON == WARN


def test_signatures_are_told_of_while_there_is_time(tmp_path: Path) -> None:
    folder, now = tmp_path / "repository", datetime.now(UTC)
    Simulator(folder, now)
    for role, lasts in VALID.items():
        for after, expected in ((timedelta(), False), (lasts - WARN[role] + timedelta(hours=1), True), (lasts + timedelta(days=1), True)):
            assert repository_endings(folder, now + after)[role].soon is expected
    # The highest number counts, not the last in the alphabet.
    newest = folder / "metadata" / "10.root.json"
    newest.write_bytes(b"{}")
    assert repository_endings(folder, now)["root"].until is None
    assert repository_endings(tmp_path / "nowhere", now)["timestamp"].soon


def test_console_and_metrics_say_what_ends(town: Town, tmp_path: Path) -> None:
    town.member("u017")
    town.clock.ahead = timedelta(days=1)
    now = datetime.now(UTC)
    Simulator(tmp_path / "repository", now - timedelta(days=3))
    desk = Desk(Store(town.database, town.site), town.site, Notices())
    access = Access(*(each(town.database, town.clock.now_us) for each in (Users, Sessions, Tokens)), always=False)
    app = create_app(desk, town.site, access=access, repository=tmp_path / "repository")
    with TestClient(app, base_url="http://localhost") as client:
        shown = client.get("/api/fleet").json()
        assert [(each["what"], each["name"], each["soon"]) for each in shown["ends_soon"]] == [("repository", "timestamp", True)]
        units = {unit["name"]: unit["certificate"] for unit in shown["units"]}
        assert (units["u017"]["soon"], units["u017"]["revoked"], units["u018"]) == (False, False, None)
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    left_s = float(lines['parvis_hub_repository_end_time_seconds{role="timestamp"}']) - now.timestamp()
    assert left_s == pytest.approx(86_400, abs=60)
    left_s = float(lines['parvis_hub_certificate_end_time_seconds{kind="unit",name="u017"}']) - now.timestamp()
    assert left_s == pytest.approx(UNIT_LASTS.total_seconds(), abs=60)
