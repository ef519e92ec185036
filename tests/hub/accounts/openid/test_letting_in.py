"""Signing in at a provider, whose signatures are real: who is let in, under which name, as what, and for how long."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from parvis_hub.governance import Role

from tests.hub.accounts.openid.room import Room, log_of, person


def test_somebody_is_let_in_with_their_name_and_role_and_it_is_on_the_record(room: Room) -> None:
    browser = room.browser()
    assert browser.get("/api/session").json() | {"csrf": None} == {
        "required": True,
        "name": None,
        "role": None,
        "may": [],
        "csrf": None,
        "openid": "City account",
    }
    assert browser.get("/api/incidents").status_code == 401
    room.sign_in("anne", browser)
    session = browser.get("/api/session").json()
    assert (session["name"], session["role"]) == ("a-martin", "operator")
    assert browser.get("/api/incidents").status_code == 200
    assert browser.get("/api/audit/head").status_code == 403
    assert log_of(room) == [("hub", "user_changed"), ("a-martin", "signed_in")]
    # Nothing that the provider gave is kept: no token, no address, no subject.
    kept = b"".join(path.read_bytes() for path in room.hub.site.path.parent.glob("*.sqlite*"))
    assert b"city.example" not in kept
    assert b"eyJ" not in kept


@pytest.mark.parametrize(
    ("who", "name", "role"),
    [
        ("both", "b-duval", "supervisor"),
        ("one", "c-one", "data-protection-officer"),
        ("accents", "rene-noel", "operator"),
    ],
)
def test_the_role_that_stands_first_counts_and_a_name_is_written_as_names_are(room: Room, who: str, name: str, role: str) -> None:
    session = room.sign_in(who).get("/api/session").json()
    assert (session["name"], session["role"]) == (name, role)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("guest", "no_role"),
        ("flat", "no_role"),
        ("long", "no_name"),
        ("program", "no_name"),
        ("nameless", "no_name"),
        ("", "declined"),
    ],
)
def test_who_has_no_role_or_no_name_is_told_so_and_not_let_in(room: Room, who: str, why: str) -> None:
    assert room.refused(who) == why
    assert log_of(room) == []


def test_a_role_follows_the_provider_and_a_name_is_nobody_elses(room: Room) -> None:
    assert room.refused("anne") == ""
    assert room.refused("namesake") == "name_taken"
    room.provider.people["anne"] = person("1", "a-martin", "parvis-supervisor")
    first = room.sign_in("anne")
    assert first.get("/api/session").json()["role"] == "supervisor"
    # Renamed there: the old name is free, and its sessions have ended.
    room.provider.people["anne"] = person("1", "a-leroy", "parvis-supervisor")
    assert room.sign_in("anne").get("/api/session").json()["name"] == "a-leroy"
    assert first.get("/api/session").json()["name"] is None
    assert room.refused("namesake") == ""
    changed, signed_in = "user_changed", "signed_in"
    anne = [changed, signed_in, changed, signed_in, changed, changed, signed_in]
    assert [what for _, what in log_of(room)] == [*anne, changed, signed_in]


def test_a_name_of_this_hubs_own_is_nobody_elses_and_has_its_password_alone(room: Room) -> None:
    room.hub.users.add("a-martin", Role.SUPERVISOR, "correct horse battery", "hub")
    assert room.refused("anne") == "name_taken"
    room.hub.users.remove("a-martin", "hub")
    assert room.refused("anne") == ""
    for password in ("", "correct horse battery"):
        answer = room.browser().post("/api/session", json={"name": "a-martin", "password": password})
        assert answer.status_code == 401
    for change in (
        lambda: room.hub.users.set_password("a-martin", "correct horse battery", "hub"),
        lambda: room.hub.users.set_role("a-martin", Role.SUPERVISOR, "hub"),
    ):
        with pytest.raises(ValueError, match="signs in at the provider"):
            change()


def test_a_session_lasts_as_long_as_the_file_says(make_room: Callable[..., Room]) -> None:
    room = make_room(session_h=0.5)
    browser = room.sign_in("anne")
    room.hub.later_us = 29 * 60_000_000
    assert browser.get("/api/incidents").status_code == 200
    room.hub.later_us = 31 * 60_000_000
    assert browser.get("/api/incidents").status_code == 401


def test_a_client_without_a_secret_shows_its_verifier_alone(make_room: Callable[..., Room]) -> None:
    room = make_room(secret=None)
    assert room.refused("anne") == "not_trusted"
    room.provider.public = True
    assert room.refused("anne") == ""
