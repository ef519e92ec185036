"""A unit enrols at a real listener, and is ended at any instant."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from parvis_contract.enrolling import ClaimFile
from parvis_edge.enrolment.enrol import NotEnrolled, read_claim, walk
from parvis_edge.enrolment.identity import Identity, IdentityError, days_left
from parvis_edge.enrolment.renewal import Renewal
from parvis_hub.fleet import Authority

from tests.broker import free_port
from tests.hub.fleet.town import SITE, Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town.build(tmp_path)
    with town.listening():
        yield town
    town.database.close()


def _walk(claim: ClaimFile, folder: Path, *, again: bool = False, now_s: float | None = None) -> tuple[bool, list[str]]:
    said: list[str] = []
    try:
        walk(claim, Identity(folder), said.append, again=again, now_s=time.time if now_s is None else lambda: now_s)
    except NotEnrolled:
        return False, said
    return True, said


def test_a_unit_enrols_and_says_each_step(town: Town) -> None:
    folder = town.path / "identity"
    enrolled, said = _walk(town.claim(), folder)
    assert enrolled
    assert [line.split()[0] for line in said] == ["claim", "hub", "certificate", "kept", "site"]
    identity = Identity(folder)
    assert identity.key().public_key() == identity.certificate().public_key()
    assert identity.site_plan.read_text() == SITE
    assert identity.hub().broker == f"localhost:{town.broker_port}"
    assert 89 < days_left(identity.certificate()) <= 90
    assert {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()} == dict.fromkeys(
        ["ca.pem", "hub.json", "site.yaml", "unit.pem"], 0
    )
    assert "PRIVATE" not in (town.path / "hub.sqlite").read_bytes().decode("latin-1"), "the key has left the unit"


def test_who_has_enrolled_is_not_enrolled_again_unless_told(town: Town) -> None:
    folder = town.path / "identity"
    assert _walk(town.claim(), folder)[0]
    before = Identity(folder).certificate()
    enrolled, [said] = _walk(town.claim(), folder)
    assert enrolled
    assert "already: u017" in said
    assert Identity(folder).certificate() == before
    assert _walk(town.claim(), folder, again=True)[0]
    assert Identity(folder).certificate() != before
    assert not _walk(town.claim("u018"), folder)[0]


def test_another_hub_is_not_told_the_code(town: Town) -> None:
    claim = town.claim()
    stranger = Authority.make("vieux-port", datetime.now(UTC))
    enrolled, said = _walk(claim.model_copy(update={"ca_sha256": stranger.sha256}), town.path / "identity")
    assert not enrolled
    assert "its authority is" in said[-2]
    assert town.fleet.claims()[0].attempts == 0
    assert not (town.path / "identity").exists(), "not even a key"


@pytest.mark.parametrize(
    ("what", "step", "advice"),
    [
        ("used", "hub", "make a new claim"),
        ("wrong code", "hub", "compare it with the paper"),
        ("ended", "clock", "make a new claim; if not, set the clock"),
        ("clock far behind", "hub", "set this unit's clock"),
        ("nobody there", "hub", "does the hub run"),
        ("no such name", "hub", "is the name right"),
        ("no hub", "hub", "https"),
    ],
)
def test_what_fails_is_said_with_what_to_do(town: Town, monkeypatch: pytest.MonkeyPatch, what: str, step: str, advice: str) -> None:
    claim, now_s = town.claim(), None
    if what == "used":
        assert _walk(claim, town.path / "other")[0]
    elif what == "wrong code":
        claim = claim.model_copy(update={"code": "00000-00000-00000-00000"})
    elif what == "ended":
        now_s = time.time() + 2 * 86_400
    elif what == "clock far behind":
        import ssl

        from parvis_edge.enrolment import asking

        def unborn(*_: object) -> object:
            error = ssl.SSLCertVerificationError(1, "certificate verify failed")
            error.verify_code, error.verify_message = 9, "certificate is not yet valid"
            raise asking._unreachable("localhost", error)

        monkeypatch.setattr(asking, "_ask", unborn)
    elif what == "nobody there":
        claim = claim.model_copy(update={"hub": f"https://localhost:{free_port()}"})
    elif what == "no such name":
        claim = claim.model_copy(update={"hub": "https://nobody.invalid:8884"})
    elif what == "no hub":
        import http.server
        import threading

        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        claim = claim.model_copy(update={"hub": f"https://127.0.0.1:{server.server_port}"})
    enrolled, said = _walk(claim, town.path / "identity", now_s=now_s)
    assert not enrolled
    assert said[-2].split()[:2] == [step, "failed"], said
    assert advice in said[-1], said
    if what == "no hub":
        server.shutdown()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"site": "x"}', "\x00"])
def test_a_file_that_is_no_claim_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claim.json"
    path.write_text(text)
    with pytest.raises(IdentityError, match=r"claim.json: .*parvis-hub fleet claim"):
        read_claim(path)


def test_ended_at_any_instant_a_unit_goes_on_and_gets_one_certificate(town: Town) -> None:
    claim = town.path / "claim.json"
    claim.write_text(town.claim().model_dump_json())
    folder, random_s = town.path / "identity", random.Random(7)
    command = [sys.executable, "-m", "parvis_edge.cli", "enrol", "--claim", str(claim), "--identity", str(folder)]
    command[1:3] = ["-c", "from parvis_edge.cli import app; app()"]
    ended = 0
    begun_s = time.monotonic()
    subprocess.run([*command[:3], "--help"], capture_output=True, check=True)
    whole_s = time.monotonic() - begun_s
    for _ in range(8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(whole_s * random_s.uniform(0.6, 1.8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended += 1
        # Whole, or not there.
        for name, load in (("unit.pem", Identity(folder).certificate), ("hub.json", Identity(folder).hub)):
            if (folder / name).exists():
                load()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert Identity(folder).key().public_key() == Identity(folder).certificate().public_key()
    assert len([member for member in town.fleet.members() if member.name == "u017"]) == 1


def test_an_answer_that_is_lost_is_given_again_to_the_same_key(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, identity = town.claim(), Identity(town.path / "identity")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Identity, "keep", dies)
        with pytest.raises(KeyboardInterrupt):
            walk(claim, identity, lambda _: None)
    assert not identity.pem.exists()
    assert _walk(claim, identity.folder)[0]
    assert len([member for member in town.fleet.members() if member.name == "u017"]) == 1


def test_a_certificate_is_renewed_with_a_new_key_when_it_is_time(town: Town) -> None:
    identity = Identity(town.path / "identity")
    assert _walk(town.claim(), identity.folder)[0]
    first, first_key = identity.certificate(), identity.key()
    assert not Renewal(identity).turn(), "two thirds are not over"
    assert Renewal(identity, is_due=lambda: True).turn()
    assert identity.certificate() != first
    assert identity.key().public_key() != first_key.public_key()
    town.fleet.revoke("u017", "a-martin")
    kept = identity.pem.read_bytes()
    assert not Renewal(identity, is_due=lambda: True).turn()
    assert identity.pem.read_bytes() == kept


def test_an_end_between_the_steps_of_a_renewal_leaves_a_whole_identity(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Identity(town.path / "identity")
    assert _walk(town.claim(), identity.folder)[0]
    unlink = Path.unlink
    with monkeypatch.context() as dying:

        def dies(path: Path, *, missing_ok: bool = False) -> None:
            if path.name == "next.key":
                raise KeyboardInterrupt
            unlink(path, missing_ok=missing_ok)

        dying.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            Renewal(identity, is_due=lambda: True).turn()
    second = identity.certificate()
    assert second.public_key() == identity.key().public_key()
    assert Renewal(identity, is_due=lambda: True).turn()
    assert identity.certificate().public_key() != second.public_key()


def test_a_third_of_its_time_before_the_end_it_is_time(town: Town) -> None:
    identity = Identity(town.path / "identity")
    assert _walk(town.claim(), identity.folder)[0]
    old = town.member("u017", now=datetime.now(UTC) - timedelta(days=61))
    identity.pem.write_bytes(old.read_bytes())
    assert Renewal(identity)._is_due()
    young = town.member("u017", now=datetime.now(UTC) - timedelta(days=58))
    identity.pem.write_bytes(young.read_bytes())
    assert not Renewal(identity)._is_due()
    assert isinstance(identity.certificate(), x509.Certificate)
    assert json.loads((identity.folder / "hub.json").read_text())["unit"] == "u017"
