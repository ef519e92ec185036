"""The register of consents, on both databases: one tag is one participant's, and when a consent ends nothing of it is left."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_contract import dump_message, load_site, topic_of
from parvis_hub import governance
from parvis_hub.consent.consents import Status
from parvis_hub.consent.keyring import Keyring
from parvis_hub.governance import ConsentEnded, Ending
from parvis_hub.intake import Delivery
from parvis_hub.store import Database, NotEnrolled, Store, UnknownParticipant
from parvis_hub.store.backup import backup, restore
from sqlalchemy import text

from tests.hub.consent.participants import HOUR_US, PLANE, Square, sighting, walk


@pytest.fixture
def square(tmp_path: Path, store_url: str) -> Iterator[Square]:
    made = Square(tmp_path, store_url)
    yield made
    made.database.close()


def rows(square: Square) -> list[tuple[object, ...]]:
    with square.database.read() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT id, consent, message FROM sightings"))]


def entries(square: Square) -> list[governance.Entry]:
    with square.database.read() as connection:
        return list(governance.entries(connection))


# --- the register -------------------------------------------------------------------------------------------------------------


def test_a_tag_is_one_participants_at_a_time(square: Square) -> None:
    square.enrol("steward-07", 17)
    with pytest.raises(NotEnrolled, match="tag 17 is steward-07's until 2026-06-2"):
        square.enrol("steward-08", 17)
    with pytest.raises(NotEnrolled, match="steward-07 is enrolled already, with tag 17"):
        square.enrol("steward-07", 18)
    # After that one's time, it may be promised.
    assert square.enrol("steward-08", 17, since_h=73).status is Status.WAITING
    with pytest.raises(NotEnrolled, match="promised to steward-08"):
        square.store.consents.renew("steward-07", square.now.replace(day=28), "2026-115", "a-martin")
    square.store.consents.withdraw("steward-07", "a-martin")
    assert square.enrol("steward-09", 17, days=1.0).status is Status.ACTIVE


@pytest.mark.parametrize(("days", "since_h"), [(0.0, None), (-1.0, None), (31.1, None), (1.0, 32 * 24), (2.0, -24)])
def test_a_consent_has_an_end_that_is_not_far(square: Square, days: float, since_h: float | None) -> None:
    with pytest.raises(NotEnrolled, match="a consent"):
        square.enrol(days=days, since_h=since_h)
    assert square.store.consents.all() == []
    assert not square.keys.exists() or list(square.keys.iterdir()) == []


def test_a_consent_can_be_renewed_with_another_paper(square: Square) -> None:
    square.enrol(days=1)
    until = square.now.replace(day=30)
    renewed = square.store.consents.renew("steward-07", until, "2026-200", "a-martin")
    assert (renewed.until, renewed.proof) == (until, "2026-200")
    with pytest.raises(UnknownParticipant, match="steward-08"):
        square.store.consents.renew("steward-08", until, "2026-200", "a-martin")


def test_who_cannot_be_read_is_not_enrolled(tmp_path: Path, store_url: str) -> None:
    square = Square(tmp_path, store_url)
    plan = square.site.path.read_text()
    for change, why in [(("tags: {size_m: 0.16, allow: [99]}\n", ""), "no `tags`"), (("[tag.sighting]", "[flow.count]"), "does not let")]:
        square.site.path.write_text(plan.replace(*change))
        profile = tmp_path / "profile.yaml"
        profile.write_text(profile.read_text().replace(*change))
        square.store = Store(square.database, load_site(square.site.path), lambda: square.now_us, Keyring(square.keys))
        with pytest.raises(NotEnrolled, match=why):
            square.enrol()
    square.database.close()


# --- sightings ----------------------------------------------------------------------------------------------------------------


def test_a_sighting_is_kept_of_the_enrolled_alone_while_they_are_and_under_their_key(square: Square) -> None:
    square.enrol("steward-07", 17, days=1)
    square.allow(17, 18, 99)
    others = [sighting(18, 1, 5, 0), sighting(99, 2, 5, 0)]
    early, late = sighting(17, -5, 0, 0), sighting(17, 86_401, 0, 0)
    assert square.receive([*walk(17), *others, early], later_s=90) == {"received": 83, "stored": 80, "not_enrolled": 3}
    square.now_us += 24 * HOUR_US
    assert square.receive([late], later_s=2)["not_enrolled"] == 1
    # The same again, in another order and in one batch with itself, is no more than once.
    square.now_us -= 24 * HOUR_US
    again = [*reversed(walk(17)), *walk(17)[:3]]
    assert square.receive(again, later_s=90) == {"received": 83, "duplicates": 83}
    kept = rows(square)
    assert len(kept) == 80
    assert not {id_ for id_, *_ in kept} & {str(message.id) for message in walk(17)}
    assert [message.id for message in square.store.consents.sightings(square.store.consents.of("steward-07").id).messages] == [
        message.id for message in walk(17)
    ]


def test_of_a_tag_that_its_unit_may_not_read_nothing_is_kept(square: Square) -> None:
    square.enrol("steward-07", 17)
    square.allow(18)
    assert square.receive(walk(17)[:3])["not_enrolled"] == 3


def test_two_wearers_sightings_do_not_open_with_each_others_keys(square: Square) -> None:
    one, other = square.enrol("steward-07", 17), square.enrol("steward-08", 18)
    square.allow(17, 18)
    square.receive([sighting(17, 1, 5, 0), sighting(18, 2, 6, 0)])
    with square.database.write() as connection:
        connection.execute(text("UPDATE sightings SET consent = :other"), {"other": other.id})
    opened = square.store.consents.sightings(other.id)
    assert [message.data.tag for message in opened.messages] == [18]
    assert len(opened.damaged) == 1
    assert square.store.consents.sightings(one.id).messages == []


def test_a_look_at_a_route_is_recorded_once_and_again_when_it_goes_on_for_long(square: Square) -> None:
    consent = square.enrol()

    def looks() -> int:
        return sum(isinstance(entry.about, governance.RouteViewed) for entry in entries(square))

    for by, later_s, recorded in (
        ("a-martin", 0, 1),
        ("a-martin", 10, 1),
        ("b-diallo", 0, 2),
        ("a-martin", 14 * 60, 2),
        ("a-martin", 60, 3),
    ):
        square.now_us += later_s * 1_000_000
        square.store.consents.viewed(consent.id, by)
        assert looks() == recorded


# --- the end ------------------------------------------------------------------------------------------------------------------


def test_a_withdrawal_destroys_the_key_deletes_the_sightings_and_gives_a_receipt_that_the_log_confirms(square: Square) -> None:
    consent = square.enrol()
    square.enrol("steward-08", 18)
    square.allow(17, 18)
    square.receive([*walk(17), sighting(18, 200, 3, 0)], later_s=300)
    receipt = square.store.consents.withdraw("steward-07", "a-martin")
    assert (receipt.consent, receipt.sightings, receipt.tag) == (consent.id, 80, 17)
    assert [id_ for _, id_, _ in rows(square)] == [square.store.consents.of("steward-08").id]
    assert [path.stem for path in square.keys.iterdir()] == [square.store.consents.of("steward-08").id]
    entry = entries(square)[-1]
    assert entry.head == receipt.entry
    assert (entry.by, entry.about) == ("a-martin", ConsentEnded(consent=uuid.UUID(consent.id), ending=Ending.WITHDRAWN, sightings=80))
    with square.database.read() as connection:
        assert isinstance(governance.verify(connection, receipt.entry), governance.Sound)
    assert "steward" not in "".join(entry.line() for entry in entries(square))
    # What a unit that could not be reached says afterwards.
    assert square.receive([sighting(17, 100, 5, 0)], later_s=300)["not_enrolled"] == 1
    with pytest.raises(UnknownParticipant):
        square.store.consents.withdraw("steward-07", "a-martin")


def test_who_withdraws_while_a_batch_is_under_way_has_nothing_kept_of_it(square: Square) -> None:
    square.enrol()
    square.allow(17)
    deliveries = [Delivery(topic_of(message), dump_message(message), square.now_us + 90_000_000) for message in walk(17)]
    prepared = square.intake.prepare(deliveries, square.now_us)
    square.store.consents.withdraw("steward-07", "a-martin")
    square.store.commit(prepared.batch)
    assert rows(square) == []


def test_a_consent_ends_by_itself_as_a_withdrawal_does(square: Square) -> None:
    square.enrol(days=1)
    square.allow(17)
    square.receive(walk(17), later_s=90)
    assert square.store.consents.expire() == []
    square.now_us += 24 * HOUR_US
    (receipt,) = square.store.consents.expire()
    assert receipt.sightings == 80
    assert rows(square) == []
    assert list(square.keys.iterdir()) == []
    assert entries(square)[-1].by == "hub"
    assert [consent.status for consent in square.store.consents.all()] == [Status.EXPIRED]
    # The register remembers, as long as the accountability log, that there was a consent.
    square.now_us += 8761 * HOUR_US
    assert square.store.purge()["consents"] == 1
    assert square.store.consents.all() == []


def test_sightings_are_gone_after_72_hours_at_the_latest(square: Square) -> None:
    square.enrol(days=20)
    square.allow(17)
    square.receive(walk(17), later_s=90)
    square.now_us += 70 * HOUR_US
    assert square.store.purge()["sightings"] == 0
    square.now_us += 2 * HOUR_US + 90_000_000
    assert square.store.purge()["sightings"] == 80
    assert square.store.consents.of("steward-07").sightings == 0


def test_a_backup_from_before_brings_nobody_back(square: Square, tmp_path: Path) -> None:
    square.enrol()
    square.enrol("steward-08", 18)
    square.allow(17, 18)
    square.receive(walk(17), later_s=90)
    file = tmp_path / "before.jsonl.gz"
    backup(square.database, "square", square.now_us, "hub", file)
    square.store.consents.withdraw("steward-07", "a-martin")
    url = f"sqlite:///{tmp_path / 'restored.sqlite'}"
    restore(url, "square", square.now_us, file)
    again = Store(Database(url, "square"), square.site, lambda: square.now_us, Keyring(square.keys))
    assert {consent.participant: consent.status for consent in again.consents.all()} == {
        "steward-07": Status.WITHOUT_KEY,
        "steward-08": Status.ACTIVE,
    }
    assert again.consents.state() == {}
    assert [row.participant for row in again.consents.wearers().rows] == ["steward-08"]
    again.database.close()


# --- on disk ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_byte_of_who_withdrew_is_in_any_file_of_the_hub(square: Square, tmp_path: Path) -> None:
    consent = square.enrol()
    square.allow(17)
    canary = sighting(17, 1, 31.4159, 2.7182)
    lon, lat = PLANE.to_deg(31.4159, 2.7182)
    square.receive([canary, *walk(17)], later_s=90)
    secret = (square.keys / f"{consent.id}.key").read_bytes()
    (sealed,) = {message for _, _, message in rows(square)[:1]}

    def found(what: bytes) -> list[str]:
        return [path.name for path in tmp_path.rglob("*") if path.is_file() and what in path.read_bytes()]

    wanted = [str(value).encode() for value in (lon, lat, canary.id, canary.id.hex, canary.time.strftime("%H:%M:%S.%f"))]
    # Not even before: what is on disk is sealed. That it would be found is shown by what is sealed, and by the key.
    assert [found(each) for each in wanted] == [[]] * len(wanted)
    assert found(str(sealed).encode())
    assert found(secret) == [f"{consent.id}.key"]
    square.store.consents.withdraw("steward-07", "a-martin")
    for each in (*wanted, secret, *(secret[at : at + 8] for at in range(0, 64, 8))):
        assert found(each) == []
