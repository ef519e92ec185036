"""Signing out: here and at the provider, and because the provider says so (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from parvis_hub.console.access import CSRF_HEADER
from parvis_hub.console.cookies import SESSION
from parvis_hub.governance import Role
from parvis_hub.store.schema import logouts
from sqlalchemy import select

from tests.hub.accounts.openid.room import CONSOLE, Room, person
from tests.hub.accounts.openid.test_refusing import another_key, unsigned
from tests.hub.accounts.provider import CLIENT

LOGOUT = "/api/session/openid/logout"


def told(room: Room, token: str) -> httpx.Response:
    """As the provider tells it: a form, without a cookie, from no page."""
    provider = TestClient(room.app, base_url="http://127.0.0.1")
    answer = provider.post(LOGOUT, data={"logout_token": token})
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    return answer


def signed_in(browser: TestClient) -> bool:
    return browser.get("/api/incidents").status_code == 200


def browsers(room: Room) -> dict[str, TestClient]:
    """Anne at two computers, in two sessions with the provider; another; and one of a provider that names no sessions."""
    made = {}
    for name, sid in (("desk", "s1"), ("wall", "s2")):
        room.provider.people["anne"] = person("1", "a-martin", "parvis-operator", sid=sid)
        made[name] = room.sign_in("anne")
    room.provider.people["anne"] = person("1", "a-martin", "parvis-operator")
    made["unnamed"] = room.sign_in("anne")
    room.provider.people["both"] = person("2", "b-duval", "parvis-supervisor", sid="s3")
    made["other"] = room.sign_in("both")
    assert all(map(signed_in, made.values()))
    return made


def test_who_signs_out_is_sent_to_the_provider_to_do_it_there_too(room: Room) -> None:
    browser = room.sign_in("anne")
    browser.headers[CSRF_HEADER] = browser.get("/api/session").json()["csrf"]
    held = browser.cookies[SESSION.plain]
    leave = urlsplit(browser.delete("/api/session").json()["leave"])
    assert f"{leave.scheme}://{leave.netloc}{leave.path}" == f"{room.provider.issuer}/logout"
    assert parse_qs(leave.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [CONSOLE]}
    browser.cookies.set(SESSION.plain, held)
    assert browser.get("/api/incidents").status_code == 401


@pytest.mark.parametrize(
    ("claims", "ended"),
    [
        ({"sid": "s1"}, ["desk"]),
        ({"sub": "1"}, ["desk", "unnamed", "wall"]),
        ({"sub": "1", "sid": "s2"}, ["unnamed", "wall"]),
        ({"sub": "2", "sid": "s1"}, []),
        ({"sid": "s9"}, []),
        ({"sub": "a-martin"}, []),
    ],
    ids=str,
)
def test_the_sessions_that_the_provider_names_end_at_once_and_no_others(room: Room, claims: dict[str, str], ended: list[str]) -> None:
    open_ones = browsers(room)
    # What has no such session is no error: it may have ended here before.
    assert told(room, room.provider.logout_token(**claims)).status_code == 200
    assert sorted(name for name, browser in open_ones.items() if not signed_in(browser)) == ended


def test_a_users_own_session_here_is_not_the_providers_to_end(room: Room) -> None:
    room.hub.users.add("d-petit", Role.SUPERVISOR, "correct horse battery", "hub")
    browser = room.browser()
    browser.post("/api/session", json={"name": "d-petit", "password": "correct horse battery"})
    for claims in ({"sub": "d-petit"}, {"sid": "d-petit"}):
        assert told(room, room.provider.logout_token(**claims)).status_code == 200
    assert signed_in(browser)


def now(more_s: int) -> int:
    return int(time.time()) + more_s


def later(more_s: int) -> timedelta:
    """So long after the test begins: a time of its own would give the test another name in each process that collects it."""
    return timedelta(seconds=more_s)


@pytest.mark.parametrize(
    "twist",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"iat": None},
        {"iat": later(-3_600)},
        {"iat": later(300)},
        {"exp": None},
        {"exp": later(-120)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"events": None},
        {"events": ["http://schemas.openid.net/event/backchannel-logout"]},
        {"events": {"http://schemas.openid.net/event/another": {}}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": "yes"}},
        {"nonce": "n"},
        {"nonce": ""},
        {"sub": None, "sid": None},
        {"sub": 1},
        {"sub": ""},
        {"sid": ["s1"]},
    ],
    ids=str,
)
def test_a_logout_token_that_is_not_as_it_must_be_signs_nobody_out(shared: Room, twist: dict[str, Any]) -> None:
    browser = shared.sign_in("anne")
    claims = {name: now(int(value.total_seconds())) if isinstance(value, timedelta) else value for name, value in twist.items()}
    answer = told(shared, shared.provider.logout_token(**{"sub": "1"} | claims))
    assert (answer.status_code, answer.json().keys()) == (400, {"error"})
    assert signed_in(browser)


def test_a_logout_token_that_the_provider_did_not_sign_signs_nobody_out(shared: Room) -> None:
    browser = shared.sign_in("anne")
    head, body, mark = shared.provider.logout_token(sub="1").split(".")
    claims = jwt.decode(f"{head}.{body}.{mark}", shared.provider.keys[0]).claims
    forged = jwt.encode({"alg": "RS256", "kid": shared.provider.keys[0].kid}, claims, another_key())
    id_token = shared.provider.signed(
        {"iss": shared.provider.issuer, "aud": CLIENT, "sub": "1", "iat": now(0), "exp": now(60), "nonce": "n"}
    )
    for token in (unsigned(claims), forged, f"{head}.{body}.{mark[:-4]}", f"{head}.{body}.", id_token, "no.token", "", "\x00", "é"):
        assert told(shared, token).status_code == 400, token
    assert signed_in(browser)


def test_a_logout_token_counts_once_and_for_signing_out_alone(shared: Room) -> None:
    shared.sign_in("anne")
    token = shared.provider.logout_token(sub="1")
    assert told(shared, token).status_code == 200
    again = shared.sign_in("anne")
    assert told(shared, token).status_code == 400
    # Nor by a hub that was started meanwhile, which remembers nothing.
    shared.start()
    assert told(shared, token).status_code == 400
    assert signed_in(again)
    # Once it is too old to be taken, nothing is left of it.
    for later_s, left in ((5 * 60, 1), (7 * 60, 0)):
        shared.hub.later_us = later_s * 1_000_000
        shared.hub.sessions.forget()
        with shared.hub.database.read() as connection:
            assert len(connection.execute(select(logouts)).all()) == left
    shared.hub.later_us = 0
    # And nobody signs in with one.
    shared.provider.sign = lambda _: shared.provider.logout_token(**person("1", "a-martin", "parvis-operator"))
    assert shared.refused("anne") == "not_trusted"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"logout_token=",
        b"logout_token=a&logout_token=b",
        b"token=a",
        b"\xff",
        b"&".join([b"a=1"] * 20),
        b"logout_token=" + b"x" * 20_000,
    ],
)
def test_what_is_no_form_with_one_token_is_refused(shared: Room, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = TestClient(shared.app, base_url="http://127.0.0.1").post(LOGOUT, content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": "expected a form with one logout_token"})


def test_while_the_providers_keys_cannot_be_had_it_is_told_to_come_again_and_not_asked_each_time(shared: Room) -> None:
    browser = shared.sign_in("anne")
    shared.monotonic_s = 3_601.0
    shared.provider.says = {"jwks_uri": f"{shared.provider.issuer}/nowhere"}
    for _ in range(5):
        assert told(shared, shared.provider.logout_token(sub="1")).status_code == 503
    assert shared.provider.asked["/.well-known/openid-configuration"] == 2
    assert signed_in(browser)
    shared.provider.says = {}
    shared.start()
    assert told(shared, shared.provider.logout_token(sub="1")).status_code == 200
    assert not signed_in(browser)
