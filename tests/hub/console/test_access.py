"""No user sees what their role may not: every address of the console, for every role, for machines, and for nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from parvis_contract import ObjectUnattended
from parvis_hub.console.access import CSRF_HEADER, _Permission
from parvis_hub.console.cookies import SESSION
from parvis_hub.governance import MACHINES, May, Role, entries

from tests.docs.pages import ROOT, rows, text_of
from tests.hub.console.hub import Hub, before_camera

PASSWORD = "correct horse battery"
OURS = {"x-parvis-console": "1", "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
OP, SV = Role.OPERATOR, Role.SUPERVISOR

#: What the control room's page says of each role, and what each address asks for: the one place where that is written for people.
PAGE = text_of(ROOT / "docs" / "control-room.md")
_ROLES = [Role(cell.strip()) for cell in next(line for line in PAGE.splitlines() if line.startswith("| may |")).strip("|").split("|")[1:]]
MAY = {May(what): {role for role, said in zip(_ROLES, cells, strict=True) if said == "yes"} for what, *cells in rows(PAGE, "may")}
ASKS = {tuple(address.strip("`").split(" ")): asked for address, asked in rows(PAGE, "address")}
#: Who may ask for what; `None`: anybody, without signing in.
WHO_MAY: dict[tuple[str, str], set[Role] | None] = {
    (method, path): None if asked == "nothing" else set(Role) if asked == "being signed in" else MAY[May(asked)]
    for (method, path), asked in ASKS.items()
}
#: What machines may ask for with which permission; nothing else.
MACHINE_MAY = {may: {path for (method, path), asked in ASKS.items() if asked == may} for may in MACHINES}
VERDICT = {"verdict": "confirmed", "reason": "seen_on_site"}


class Room:
    """A hub with one user of each role, and one incident."""

    def __init__(self, folder: Path) -> None:
        self.hub = Hub(folder)
        for role in Role:
            self.hub.users.add(f"a-{role}", role, PASSWORD, "hub")
        self.app = self.hub.app()
        self.incident = self.left()
        self._held = {role: self.hub.sessions.sign_in(f"a-{role}", PASSWORD, "192.0.2.1") for role in Role}

    def left(self) -> str:
        measure = ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5)
        return self.hub.report("u011", "object.unattended", measure, place_m=before_camera(18, 1))

    def client(self, role: Role | None = None) -> TestClient:
        """A browser in which somebody of this role has signed in; of None, nobody."""
        made = TestClient(self.app, base_url="http://127.0.0.1", headers=OURS)
        if role is not None:
            made.cookies.set(SESSION.plain, self._held[role])
            made.headers[CSRF_HEADER] = made.get("/api/session").json()["csrf"]
        return made

    def ask(self, client: TestClient, method: str, path: str) -> httpx.Response:
        ids = {"id": self.incident, "plate": self.incident, "name": f"{self.incident}.1"}
        asked = path.format(**ids, participant="nobody", format="gpx", act="back")
        body = {"json": VERDICT} if method == "POST" else {"headers": {"content-type": "application/json"}}
        return client.request(method, asked, **body)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = Room(tmp_path_factory.mktemp("room"))
    yield made
    made.hub.close()


def routes(room: Room) -> dict[tuple[str, str], APIRoute]:
    parts = [getattr(route, "original_router", None) for route in room.app.routes]
    found = [route for part in (room.app, *parts) if part for route in part.routes if isinstance(route, APIRoute)]
    return {(method, route.path): route for route in found for method in route.methods}


def asked_of(route: APIRoute) -> list[str]:
    permissions = [each.call.what for each in route.dependant.dependencies if isinstance(each.call, _Permission)]
    return [what.value if what else "being signed in" for what in permissions] or ["nothing"]


def test_the_page_has_every_address_and_what_it_asks_for(room: Room) -> None:
    told = {(method, path): [asked] for (method, path), asked in ASKS.items()}
    # What is under /public is for everybody.
    assert {each: asked_of(route) for each, route in routes(room).items() if not each[1].startswith("/public/")} == told
    assert {asked for (_, path), route in routes(room).items() if path.startswith("/public/") for asked in asked_of(route)} == {"nothing"}
    documented = {(method.upper(), path) for path, methods in room.app.openapi()["paths"].items() for method in methods}
    assert documented == routes(room).keys()


#: Each has a test of its own for those who may: a session that is ended is no more, and a stream that is let in does not end.
ENDLESS = {("DELETE", "/api/session"), ("GET", "/api/events")}


def cases() -> Iterator[tuple[str, str, Role | None, bool]]:
    for (method, path), who in WHO_MAY.items():
        for role in (None, *Role):
            allowed = who is None or role in who
            if not (allowed and (method, path) in ENDLESS):
                yield method, path, role, allowed


@pytest.mark.parametrize(("method", "path", "role", "allowed"), list(cases()))
def test_each_role_is_given_what_it_may_and_nothing_else(room: Room, method: str, path: str, role: Role | None, allowed: bool) -> None:
    answer = room.ask(room.client(role), method, path)
    if allowed:
        assert answer.status_code in {200, 404, 422}, answer.text
    else:
        assert answer.status_code == (401 if role is None else 403)
        assert answer.json().keys() == {"error"}
        assert room.incident not in answer.text


@pytest.mark.parametrize("may", sorted(MACHINES))
def test_a_machine_reads_what_its_token_is_for_and_nothing_else(room: Room, may: May) -> None:
    held = room.hub.tokens.add(f"for-{may}", [may], "hub")
    client = room.client()
    client.headers["authorization"] = f"Bearer {held}"
    given = set()
    for (method, path), who in WHO_MAY.items():
        if who is None or (method, path) in ENDLESS:
            continue
        if room.ask(client, method, path).status_code not in {401, 403}:
            given.add(path)
    assert given == MACHINE_MAY[may] - {"/api/events"}
    room.hub.tokens.remove(f"for-{may}", "hub")
    assert {room.ask(client, "GET", path).status_code for path in given} == {401}


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearer\u00e9", ""])
def test_a_token_that_is_none_opens_nothing(room: Room, authorization: str) -> None:
    client = room.client()
    assert client.get("/api/site", headers={"authorization": authorization.encode("latin-1")}).status_code == 401


def test_a_decision_bears_the_name_of_who_is_signed_in(room: Room) -> None:
    incident = room.left()
    client = room.client(OP)
    answer = client.post(f"/api/incidents/{incident}/verdict", json=VERDICT | {"by": "b-duval"})
    assert answer.json()["incident"]["operator"]["by"] == "a-operator"
    assert [decision.by for decision in room.hub.incident(incident).decisions] == ["a-operator"]


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "é"])
def test_a_change_needs_what_only_the_sessions_own_page_knows(room: Room, csrf: str | None) -> None:
    client = room.client(OP)
    headers = {} if csrf is None else {CSRF_HEADER: csrf.encode()}
    del client.headers[CSRF_HEADER]
    answer = client.post(f"/api/incidents/{room.incident}/verdict", json=VERDICT, headers=headers)
    assert answer.status_code == 403
    assert CSRF_HEADER in answer.json()["error"]
    # Another's is none.
    client.headers[CSRF_HEADER] = room.client(SV).headers[CSRF_HEADER]
    assert client.post(f"/api/incidents/{room.incident}/verdict", json=VERDICT).status_code == 403


# --- signing in and out -------------------------------------------------------------------------------------------------------


def sign_in(client: TestClient, name: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    return client.post("/api/session", json={"name": name, "password": password}, headers=headers)


def test_signing_in_gives_a_cookie_that_no_script_and_no_other_site_has(room: Room) -> None:
    client = room.client()
    answer = sign_in(client, "a-operator")
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(rf"{SESSION.plain}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=strict", cookie)
    session = client.get("/api/session").json()
    assert (session["required"], session["name"], session["role"]) == (True, "a-operator", "operator")
    assert session["may"] == ["decide", "read-feeds", "see-incidents", "see-plates", "see-units"]
    client.headers[CSRF_HEADER] = session["csrf"]
    out = client.delete("/api/session", headers={"content-type": "application/json"})
    assert (out.status_code, client.cookies.get(SESSION.plain)) == (200, None)
    client.cookies.set(SESSION.plain, cookie.partition("=")[2].partition(";")[0])
    assert client.get("/api/incidents").status_code == 401, "what the browser held opens nothing any more"


def test_behind_a_proxy_with_tls_the_cookie_goes_nowhere_in_clear_and_is_this_hosts_alone(room: Room) -> None:
    """RFC 6265bis: with this prefix a browser takes a cookie only if it is Secure, of the whole host, and of no other."""
    ours = OURS | {"origin": "https://127.0.0.1"}
    client = TestClient(room.hub.app(secure=True), base_url="https://127.0.0.1", headers=ours)
    cookie = sign_in(client, "a-operator").headers["set-cookie"]
    assert re.fullmatch(r"__Host-parvis-session=[\w-]{43}; HttpOnly; Path=/; SameSite=strict; Secure", cookie)
    assert client.get("/api/incidents").status_code == 200
    # What a neighbour could have put there, under the same name without it, is nobody's.
    planted = TestClient(client.app, base_url="https://127.0.0.1", headers=ours)
    planted.cookies.set(SESSION.plain, cookie.partition("=")[2].partition(";")[0])
    assert planted.get("/api/incidents").status_code == 401
    client.headers[CSRF_HEADER] = client.get("/api/session").json()["csrf"]
    out = client.delete("/api/session", headers={"content-type": "application/json"})
    assert out.headers["set-cookie"].startswith('__Host-parvis-session=""; ')
    assert "; Secure" in out.headers["set-cookie"]
    assert client.get("/api/incidents").status_code == 401


@pytest.mark.parametrize(("name", "password"), [("a-operator", "a wrong password"), ("nobody", PASSWORD), ("", ""), ("é", "\u0000" * 12)])
def test_who_is_wrong_is_told_the_same_whatever_is_wrong(room: Room, name: str, password: str) -> None:
    answer = sign_in(room.client(), name, password)
    assert (answer.status_code, answer.json()) == (401, {"error": "the name or the password is wrong"})
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b'{"name": "a"}', 422),
        (json.dumps({"name": "a", "password": "secret" * 100}).encode(), 422),
        (b"x" * 5_000, 413),
    ],
)
def test_what_is_no_name_and_password_is_refused_and_not_repeated(room: Room, body: bytes, status: int) -> None:
    answer = room.client().post("/api/session", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert "secret" not in answer.text


@pytest.mark.parametrize("headers", [{"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"x-parvis-console": ""}])
def test_another_page_can_sign_nobody_in(room: Room, headers: dict[str, str]) -> None:
    assert sign_in(room.client(), "a-operator", **headers).status_code == 403


def test_who_guesses_is_told_how_long_to_wait(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    client = TestClient(hub.app(), base_url="http://127.0.0.1", headers=OURS)
    hub.sessions._now_us = lambda: 1_800_000_000_000_000
    statuses = [sign_in(client, "a-martin", "a wrong password") for _ in range(7)]
    assert [answer.status_code for answer in statuses] == [401] * 5 + [429] * 2
    assert statuses[-1].headers["retry-after"] == "1"
    elsewhere = TestClient(hub.app(), base_url="http://127.0.0.1", headers=OURS, client=("192.0.2.7", 1))
    assert sign_in(elsewhere, "a-martin").status_code == 200
    with hub.database.read() as connection:
        assert [entry.what for entry in entries(connection)] == ["user_changed", "sign_ins_refused", "signed_in"]
    hub.close()


# --- without users ------------------------------------------------------------------------------------------------------------


def test_a_hub_without_users_is_open_until_there_is_one(hub: Hub) -> None:
    client = TestClient(hub.app(), base_url="http://127.0.0.1", headers=OURS)
    session = client.get("/api/session").json()
    assert (session["required"], session["name"], session["csrf"], set(session["may"])) == (False, None, None, set(May))
    assert client.get("/api/site").status_code == 200
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    assert client.get("/api/site").status_code == 401
    assert client.get("/api/session").json()["required"] is True


def test_a_hub_that_others_can_reach_is_never_open(hub: Hub) -> None:
    client = TestClient(hub.app(always=True), base_url="http://127.0.0.1", headers=OURS)
    assert client.get("/api/site").status_code == 401
    assert client.get("/api/session").json()["required"] is True


# --- the stream ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["signed out", "removed", "expired", "token taken back"])
def test_the_stream_ends_when_whoever_follows_it_may_no_more(hub: Hub, end: str) -> None:
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    held, token = hub.sessions.sign_in("a-martin", PASSWORD, "192.0.2.1"), hub.tokens.add("a-machine", [May.SEE_INCIDENTS], "hub")
    hub.serve()
    shown: dict[str, Any] = (
        {"headers": {"authorization": f"Bearer {token}"}} if end.startswith("token") else {"cookies": {SESSION.plain: held}}
    )
    told = []
    with httpx.Client(base_url=hub.url, timeout=20, **shown) as client, client.stream("GET", "/api/events") as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            if not line.startswith("event:"):
                continue
            told.append(line.removeprefix("event:").strip())
            if told[-1] == "heartbeat" and told.count("heartbeat") == 1:
                if end == "signed out":
                    hub.sessions.sign_out(held)
                elif end == "removed":
                    hub.users.remove("a-martin", "hub")
                    hub.users.add("b-duval", Role.OPERATOR, PASSWORD, "hub")
                elif end == "expired":
                    hub.later_us = 13 * 3_600_000_000
                else:
                    hub.tokens.remove("a-machine", "hub")
    assert told[-1] == "signed_out"
