"""Users, sessions and tokens in the store of either database: what is kept of them, when they end, and what the log says."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from parvis_hub.accounts import BadAccount, Sessions, Tokens, TooManyAttempts, User, Users, WrongCredentials
from parvis_hub.governance import MACHINES, ROLES, May, Role, entries
from parvis_hub.store import Database
from parvis_hub.store.backup import backup
from sqlalchemy import text

PASSWORD = "correct horse battery"
HOUR_US = 3_600_000_000
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class Desk:
    """The three, at one time that a test moves."""

    def __init__(self, url: str) -> None:
        self.now_us = 1_800_000_000_000_000
        self.database = Database(url, "somewhere")
        self.users = Users(self.database, self._now, QUICK)
        self.sessions = Sessions(self.database, self._now, QUICK)
        self.tokens = Tokens(self.database, self._now)

    def _now(self) -> int:
        return self.now_us

    def log(self) -> list[tuple[str, str, dict[str, Any]]]:
        with self.database.read() as connection:
            return [(entry.by, entry.what.value, entry.about.model_dump(mode="json")) for entry in entries(connection)]


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    made = Desk(store_url)
    yield made
    made.database.close()


def test_a_user_signs_in_and_out_and_the_log_says_so(desk: Desk) -> None:
    desk.users.add("a-martin", Role.OPERATOR, PASSWORD, "c-petit")
    held = desk.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    session = desk.sessions.session(held)
    assert session is not None
    assert (session.name, session.role) == ("a-martin", Role.OPERATOR)
    assert desk.sessions.session(held[:-1]) is None
    desk.sessions.sign_out(held)
    assert desk.sessions.session(held) is None
    assert desk.log() == [
        ("c-petit", "user_changed", {"user": "a-martin", "change": "added", "role": "operator"}),
        ("a-martin", "signed_in", {}),
    ]


def test_the_store_holds_nothing_that_lets_anybody_in(desk: Desk, tmp_path: Path) -> None:
    desk.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    held = desk.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    token = desk.tokens.add("prometheus", [May.READ_METRICS], "hub")
    with desk.database.read() as connection:
        kept = "".join(str(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in ("users", "sessions", "tokens", "audit"))
    assert "$argon2id$" in kept
    session = desk.sessions.session(held)
    assert session is not None
    assert [secret for secret in (PASSWORD, held, token, session.csrf, "192.0.2.1") if secret in kept] == []
    # 256 bits, in letters of six.
    assert min(len(held), len(token)) == 43
    copied = tmp_path / "backup.jsonl.gz"
    backup(desk.database, "somewhere", desk.now_us, "hub", copied)
    lines = gzip.decompress(copied.read_bytes()).decode()
    assert '"table":"users"' in lines
    assert '"table":"sessions"' not in lines


@pytest.mark.parametrize(
    ("steps_h", "lives"),
    [([0.9], True), ([1.1], False), ([0.9] * 13, True), ([0.9] * 14, False), ([12.1], False)],
    ids=["a page an hour ago", "idle", "a shift", "longer than a shift", "a night"],
)
def test_a_session_ends_when_its_page_is_gone_and_after_the_longest_shift(desk: Desk, steps_h: list[float], lives: bool) -> None:
    desk.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    held = desk.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    found = None
    for step_h in steps_h:
        desk.now_us += round(step_h * HOUR_US)
        found = desk.sessions.session(held)
    assert (found is not None) is lives
    desk.sessions.forget()
    with desk.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == int(lives)


def test_a_new_role_holds_at_once_and_a_new_password_or_none_ends_every_session(desk: Desk) -> None:
    desk.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    held = desk.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    desk.users.set_role("a-martin", Role.MAINTAINER, "hub")
    session = desk.sessions.session(held)
    assert session is not None
    assert session.role is Role.MAINTAINER
    desk.users.set_password("a-martin", "another long password", "hub")
    assert desk.sessions.session(held) is None
    with pytest.raises(WrongCredentials):
        desk.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    held = desk.sessions.sign_in("a-martin", "another long password", "192.0.2.1")
    desk.users.remove("a-martin", "hub")
    assert desk.sessions.session(held) is None
    assert not desk.users.any()
    changes = [about for _, what, about in desk.log() if what == "user_changed"]
    assert [about["change"] for about in changes] == ["added", "role", "password", "removed"]


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("a-martin", "elevenchars", "from 12 to 256"),
        ("a-martin", "x" * 257, "from 12 to 256"),
        ("A. Martin", PASSWORD, "is no name"),
        ("hub", PASSWORD, "stands for a program"),
        ("console", PASSWORD, "stands for a program"),
        ("b-duval", PASSWORD, "already"),
    ],
)
def test_a_user_who_cannot_be_is_refused_and_nothing_is_kept(desk: Desk, name: str, password: str, says: str) -> None:
    desk.users.add("b-duval", Role.OPERATOR, PASSWORD, "hub")
    with pytest.raises(BadAccount, match=says):
        desk.users.add(name, Role.OPERATOR, password, "hub")
    assert desk.users.all() == [User("b-duval", Role.OPERATOR)]
    assert len(desk.log()) == 1


def test_any_twelve_characters_are_a_password(desk: Desk) -> None:
    for number, password in enumerate(("aaaaaaaaaaaa", "            ", "élève à l’été", "x" * 256)):
        desk.users.add(f"user-{number}", Role.OPERATOR, password, "hub")
        assert desk.sessions.sign_in(f"user-{number}", password, "192.0.2.1")


def test_an_unknown_name_costs_what_a_wrong_password_costs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:
            verified.append(str(hash).rsplit("$", 2)[0])
            return super().verify(hash, password)

    monkeypatch.setattr(desk.sessions, "_hasher", Watched(time_cost=1, memory_cost=64, parallelism=1))
    desk.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    for name in ("a-martin", "nobody", "é", ""):
        with pytest.raises(WrongCredentials):
            desk.sessions.sign_in(name, "a wrong password", "192.0.2.1")
    # The same work each time: once, with the same parameters.
    assert len(verified) == 4
    assert len({each.partition("$m=")[2] for each in verified}) == 1


def test_a_burst_of_failures_is_slowed_down_and_recorded_without_name_or_address(desk: Desk) -> None:
    desk.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    wrong = 0
    waits_s = []
    for _ in range(200):
        try:
            desk.sessions.sign_in("a-martin", "a wrong password", "203.0.113.9")
        except WrongCredentials:
            wrong += 1
        except TooManyAttempts as error:
            waits_s.append(error.wait_s)
        desk.now_us += 1_000_000
    assert wrong + len(waits_s) == 200
    assert wrong < 15, "in 200 seconds"
    assert max(waits_s) <= 300.0
    # Whoever the account is of comes in meanwhile, from elsewhere.
    assert desk.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1")
    refused = [about for by, what, about in desk.log() if (by, what) == ("hub", "sign_ins_refused")]
    assert refused
    assert all(about.keys() == {"count"} for about in refused)


def test_who_guesses_everywhere_cannot_flood_the_log(desk: Desk) -> None:
    for number in range(200):
        with pytest.raises(WrongCredentials):
            desk.sessions.sign_in(f"user-{number}", "a wrong password", f"203.0.113.{number}")
    assert len(desk.log()) == 1


def test_a_token_reads_what_it_is_for_until_it_is_taken_back(desk: Desk) -> None:
    held = desk.tokens.add("prometheus", [May.READ_METRICS], "c-petit")
    token = desk.tokens.token(held)
    assert token is not None
    assert token.may == {May.READ_METRICS}
    assert desk.tokens.token("x" * 43) is None
    with pytest.raises(BadAccount, match="already"):
        desk.tokens.add("prometheus", [May.READ_FEEDS], "hub")
    desk.tokens.remove("prometheus", "c-petit")
    assert desk.tokens.token(held) is None
    assert desk.log() == [
        ("c-petit", "token_changed", {"token": "prometheus", "may": ["read-metrics"]}),
        ("c-petit", "token_changed", {"token": "prometheus", "may": []}),
    ]


@pytest.mark.parametrize("may", [[], *([each] for each in May if each not in MACHINES), [May.READ_FEEDS, May.DECIDE]])
def test_no_machine_decides_or_sees_plates_or_routes(desk: Desk, may: list[May]) -> None:
    with pytest.raises(BadAccount, match="a machine may"):
        desk.tokens.add("a-machine", may, "hub")


def test_what_is_not_there_cannot_be_changed(desk: Desk) -> None:
    for change in (
        lambda: desk.users.remove("nobody", "hub"),
        lambda: desk.users.set_role("nobody", Role.OPERATOR, "hub"),
        lambda: desk.users.set_password("nobody", PASSWORD, "hub"),
        lambda: desk.tokens.remove("nothing", "hub"),
    ):
        with pytest.raises(BadAccount, match="there is no"):
            change()
    assert desk.log() == []


def test_every_role_has_its_row() -> None:
    assert set(ROLES) == set(Role)
