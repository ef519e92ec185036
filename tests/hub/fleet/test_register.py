from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from parvis_hub import governance
from parvis_hub.fleet import Authority, ClaimRefused, Kind, Member
from parvis_hub.fleet.authority import BACKDATED, UNIT_LASTS
from parvis_hub.fleet.book import Book, Revoked
from parvis_hub.fleet.folder import revoked_serials
from parvis_hub.fleet.register import ANSWERED_AGAIN, MOST_A_DAY, MOST_COUNTED, Refusal
from parvis_hub.store import Database
from parvis_hub.store.backup import backup, restore
from sqlalchemy import text

from tests.hub.fleet.town import Town, new_public_key


@pytest.fixture
def town(tmp_path: Path, store_url: str) -> Iterator[Town]:
    town = Town.build(tmp_path, store_url)
    yield town
    town.database.close()


def _refused(town: Town, unit: str, code: str, key: object = None) -> Refusal:
    with pytest.raises(ClaimRefused) as caught:
        town.fleet.claim(unit, code, key or new_public_key())  # type: ignore[arg-type]
    return caught.value.reason


def test_a_code_counts_once(town: Town) -> None:
    code, key = town.claim("u017").code, new_public_key()
    issued = town.fleet.claim("u017", code, key)
    assert issued.public_key() == key
    assert issued.subject.rfc4514_string() == "CN=u017"
    assert _refused(town, "u017", code) is Refusal.USED
    # The answer was lost, and the unit asks again.
    assert town.fleet.claim("u017", code, key) == issued
    town.clock.ahead += ANSWERED_AGAIN
    assert _refused(town, "u017", code, key) is Refusal.USED


def test_one_of_many_who_ask_at_the_same_moment_is_given_a_certificate(town: Town) -> None:
    code, given = town.claim("u017").code, []

    def ask() -> None:
        try:
            given.append(town.fleet.claim("u017", code, new_public_key()))
        except ClaimRefused as refused:
            assert refused.reason is Refusal.USED  # noqa: PT017 - the others' answer

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(given) == 1
    assert [member.name for member in town.fleet.members() if member.kind is Kind.UNIT] == ["u017"]


def test_a_code_may_be_typed_as_people_type(town: Town) -> None:
    code = town.claim("u017").code
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert town.fleet.claim("u017", typed, new_public_key())


def test_a_code_is_the_units_alone_and_its_end_is_one(town: Town) -> None:
    code = town.claim("u017", timedelta(hours=1)).code
    assert _refused(town, "u018", code) is Refusal.NO_SUCH_CLAIM
    town.clock.ahead = timedelta(hours=1)
    assert _refused(town, "u017", code) is Refusal.EXPIRED


def test_whoever_guesses_codes_is_counted_and_keeps_no_unit_from_enrolling(town: Town) -> None:
    code = town.claim("u017").code
    for _ in range(MOST_COUNTED + 10):
        assert _refused(town, "u017", "00000-00000-00000-00000") is Refusal.NO_SUCH_CLAIM
    assert [claim.attempts for claim in town.fleet.claims()] == [MOST_COUNTED]
    assert town.fleet.claim("u017", code, new_public_key())


def test_a_new_claim_takes_the_place_of_the_one_before(town: Town) -> None:
    code, newer = town.claim("u017").code, town.claim("u017").code
    assert _refused(town, "u017", code) is Refusal.NO_SUCH_CLAIM
    assert town.fleet.claim("u017", newer, new_public_key())


def test_the_store_holds_no_code(town: Town) -> None:
    code = town.claim("u017").code
    with town.database.read() as connection:
        held = str(connection.execute(text("SELECT * FROM claims")).all())
    assert code not in held
    assert code.replace("-", "") not in held


def test_a_certificate_is_renewed_until_it_ends_or_is_revoked(town: Town) -> None:
    first = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    assert first.not_valid_after_utc - first.not_valid_before_utc == UNIT_LASTS + BACKDATED
    key = new_public_key()
    second = town.fleet.renew(first, key)
    assert (second.public_key(), second.subject) == (key, first.subject)
    assert town.fleet.renew(first, key) == second, "the answer was lost, and the unit asks again"
    town.clock.ahead = UNIT_LASTS
    with pytest.raises(ClaimRefused) as ended:
        town.fleet.renew(first, new_public_key())
    assert ended.value.reason is Refusal.EXPIRED
    town.clock.ahead = timedelta()
    assert town.fleet.revoke("u017", "a-martin") == 2
    with pytest.raises(ClaimRefused) as revoked:
        town.fleet.renew(second, new_public_key())
    assert revoked.value.reason is Refusal.REVOKED


def test_a_stolen_key_fills_no_disk_with_certificates(town: Town) -> None:
    newest = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    for _ in range(MOST_A_DAY - 1):
        newest = town.fleet.renew(newest, new_public_key())
    with pytest.raises(ClaimRefused) as caught:
        town.fleet.renew(newest, new_public_key())
    assert caught.value.reason is Refusal.TOO_SOON
    # Another's renewal and the unit's own claim are not in its hands, and tomorrow is another day.
    other = town.fleet.claim("u018", town.claim("u018").code, new_public_key())
    assert town.fleet.renew(other, new_public_key())
    assert town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    town.clock.ahead = timedelta(days=1, seconds=1)
    assert town.fleet.renew(newest, new_public_key())


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.UNIT])
def test_nobody_but_a_unit_renews_over_the_network(kind: Kind, town: Town) -> None:
    given = town.fleet.issue(new_public_key(), "desk-1", kind, "a-martin")
    with pytest.raises(ClaimRefused) as caught:
        town.fleet.renew(given, new_public_key())
    assert caught.value.reason is Refusal.NOT_OURS


def test_a_certificate_of_another_authority_is_not_renewed(town: Town) -> None:
    other = Authority.make("vieux-port", datetime.now(UTC))
    ours = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    forged = other.issue(new_public_key(), "u017", Kind.UNIT, datetime.now(UTC))
    same_number = _with_number(other, ours)
    for certificate in (forged, same_number):
        with pytest.raises(ClaimRefused) as caught:
            town.fleet.renew(certificate, new_public_key())
        assert caught.value.reason is Refusal.NOT_OURS


def _with_number(authority: Authority, like: x509.Certificate) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    builder = x509.CertificateBuilder().subject_name(like.subject).issuer_name(like.issuer).public_key(new_public_key())
    builder = (
        builder.serial_number(like.serial_number).not_valid_before(like.not_valid_before_utc).not_valid_after(like.not_valid_after_utc)
    )
    return builder.sign(authority.key, hashes.SHA256())


def test_revoking_voids_a_claim_that_is_open(town: Town) -> None:
    code = town.claim("u017").code
    assert town.fleet.revoke("u017", "a-martin") == 0
    assert _refused(town, "u017", code) is Refusal.NO_SUCH_CLAIM


def test_all_of_it_is_in_the_accountability_log(town: Town) -> None:
    town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    town.fleet.revoke("u017", "c-petit")
    with town.database.read() as connection:
        said = [(entry.by, str(entry.what)) for entry in governance.entries(connection)]
    assert said[-3:] == [("a-martin", "claim_made"), ("hub", "certificate_issued"), ("c-petit", "certificates_revoked")]


def test_no_certificate_outlives_the_authority(town: Town) -> None:
    late = town.authority.certificate.not_valid_after_utc - timedelta(days=10)
    issued = town.authority.issue(new_public_key(), "u017", Kind.UNIT, late)
    assert issued.not_valid_after_utc == town.authority.certificate.not_valid_after_utc


def test_a_hub_that_has_read_the_register_before_a_revocation_does_not_undo_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town.build(tmp_path)
    town.member("u017")
    town.tell_broker()
    members, has_read, go_on = town.fleet.members, threading.Event(), threading.Event()

    def slowly() -> list[Member]:
        read = members()
        has_read.set()
        assert go_on.wait(10)
        return read

    with monkeypatch.context() as patch:
        patch.setattr(town.fleet, "members", slowly)
        hub = threading.Thread(target=town.tell_broker)
        hub.start()
        assert has_read.wait(10)
    town.fleet.revoke("u017", "a-martin")
    beside = threading.Thread(target=town.tell_broker)
    beside.start()
    beside.join(0.2)
    go_on.set()
    hub.join(10)
    beside.join(10)
    assert len(revoked_serials(town.folder.broker / "crl.pem")) == 1
    assert "user u017" not in (town.folder.broker / "acl").read_text()
    town.database.close()


def test_a_restored_backup_lets_nobody_back_in(town: Town, tmp_path: Path) -> None:
    code, before = town.claim("u017").code, town.claim("u018").code
    stolen = town.fleet.claim("u017", code, new_public_key())
    backup(town.database, town.site.site, town.clock.now_us(), "a-martin", tmp_path / "backup.jsonl.gz")
    # All of this is not in the backup.
    town.fleet.revoke("u017", "a-martin")
    second = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    town.fleet.claim("u018", before, new_public_key())
    town.claim("u017")
    town.tell_broker()

    url = f"sqlite:///{tmp_path / 'restored.sqlite'}"
    restore(url, town.site.site, town.clock.now_us(), tmp_path / "backup.jsonl.gz")
    restored = Database(url, town.site.site)
    fleet = town.folder.fleet(restored, town.authority, town.clock.now_us)
    town.folder.tell_broker(fleet, town.authority, town.site)
    assert revoked_serials(town.folder.broker / "crl.pem") == [stolen.serial_number]
    with pytest.raises(ClaimRefused, match="revoked"):
        fleet.renew(stolen, new_public_key())
    with pytest.raises(ClaimRefused, match="no claim with this code"):
        fleet.claim("u018", before, new_public_key())
    # Who was let in since stays in, and can be shut out.
    assert fleet.renew(second, new_public_key())
    assert fleet.revoke("u017", "a-martin") == 2
    town.folder.tell_broker(fleet, town.authority, town.site)
    assert second.serial_number in revoked_serials(town.folder.broker / "crl.pem")
    restored.close()


def test_a_fleet_from_before_there_was_a_book_is_in_it_from_the_next_start_on(town: Town) -> None:
    stolen = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    town.fleet.revoke("u017", "a-martin")
    path = town.folder.path / "book.jsonl"
    path.unlink()
    town.folder.fleet(town.database, town.authority, town.clock.now_us)
    first = path.read_bytes()
    assert f'"revoked","serial":"{stolen.serial_number}"'.encode() in first
    town.folder.fleet(town.database, town.authority, town.clock.now_us)
    assert path.read_bytes() == first, "and is told once"


def test_a_line_that_the_power_cut_off_costs_no_other(town: Town) -> None:
    first = town.fleet.claim("u017", town.claim("u017").code, new_public_key())
    path = town.folder.path / "book.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    town.fleet.revoke("u017", "a-martin")
    revoked = [entry for entry in Book(path).entries() if isinstance(entry, Revoked)]
    assert [entry.serial for entry in revoked] == [str(first.serial_number)]
    assert path.stat().st_mode & 0o077 == 0
