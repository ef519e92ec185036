"""Signing in at a provider: with a real one, whose signatures are real, and with every way in which one can be wrong that we know of."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from parvis_contract import ConfigError
from parvis_hub.accounts.openid import Provider as Client
from parvis_hub.accounts.openid import SigningIn, load_openid
from parvis_hub.console.access import COOKIE, CSRF_HEADER, Access
from parvis_hub.console.signing import PENDING
from parvis_hub.governance import Role, entries
from parvis_hub.intake import BrokerAddress
from parvis_hub.service import Hub as Service
from parvis_hub.service import NobodyMaySignIn, Options
from parvis_hub.store import default_url

from tests.hub.accounts.provider import CLIENT, SECRET, Claims, Provider
from tests.hub.console.hub import Hub
from tests.hub.street import write_site

CONSOLE = "http://127.0.0.1/"
OURS = {"x-parvis-console": "1", "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin", "content-type": "application/json"}


def person(subject: str, name: str, *roles: str, **more: Any) -> Claims:
    return {"sub": subject, "preferred_username": name, "resource_access": {"parvis": {"roles": list(roles)}}} | more


PEOPLE = {
    "anne": person("1", "A.Martin@city.example", "offline_access", "parvis-operator"),
    "both": person("2", "b-duval", "parvis-operator", "parvis-supervisor"),
    "guest": person("3", "guest", "offline_access"),
    "one": person("4", "c-one") | {"resource_access": {"parvis": {"roles": "parvis-dpo"}}},
    "flat": person("5", "d-flat") | {"resource_access": "parvis"},
    "long": person("6", "a" * 33, "parvis-operator"),
    "program": person("7", "hub", "parvis-operator"),
    "nameless": person("8", "", "parvis-operator"),
    "accents": person("9", "René Noël", "parvis-operator"),
    "namesake": person("10", "a-martin", "parvis-operator"),
}


class Room:
    """A provider, and a console that lets people in from there."""

    def __init__(self, folder: Path, provider: Provider, secret: str | None = SECRET, **more: Any) -> None:
        self.provider = provider
        if secret is not None:
            (folder / "secret").write_text(secret + "\n", encoding="utf-8")
            more["client_secret_file"] = "secret"
        self._file = folder / "openid.yaml"
        self._file.write_text(yaml.safe_dump(provider.settings(CONSOLE, **more), sort_keys=False), encoding="utf-8")
        self.hub = Hub(folder)
        self.app = self.hub.app()
        self.start()

    def start(self) -> None:
        """As a hub that was started just now: it remembers no failure, and knows nothing of the provider yet."""
        self.monotonic_s, self.later_s = 0.0, 0.0
        client = Client(*load_openid(self._file), lambda: self.monotonic_s)
        self.openid = SigningIn(client, self.hub.sessions, lambda: time.time() + self.later_s)
        self.app.state.access = Access(self.hub.users, self.hub.sessions, self.hub.tokens, always=False, openid=self.openid)

    def browser(self) -> TestClient:
        return TestClient(self.app, base_url="http://127.0.0.1", headers=OURS, follow_redirects=False)

    def leave(self, browser: TestClient) -> str:
        gone = browser.get("/api/session/openid")
        assert gone.status_code == 303
        return gone.headers["location"]

    def sign_in(self, who: str, browser: TestClient | None = None) -> TestClient:
        """There and back; the browser then is signed in or not."""
        browser = browser or self.browser()
        browser.last = browser.get(self.provider.visit(self.leave(browser), who))  # type: ignore[attr-defined]
        return browser

    def refused(self, who: str, browser: TestClient | None = None) -> str:
        """Why somebody was not let in; empty if they were."""
        browser = self.sign_in(who, browser)
        answer: httpx.Response = browser.last  # type: ignore[attr-defined]
        assert answer.status_code == 303
        assert PENDING not in browser.cookies
        signed_in = browser.get("/api/session").json()["name"] is not None
        where = answer.headers["location"]
        assert where.startswith(CONSOLE)
        why = parse_qs(urlsplit(where).query).get("refused", [""])[0]
        assert signed_in == (why == "")
        return why


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture
def provider(running: Provider) -> Provider:
    """As it is when all is well."""
    running.people, running.public, running.twist, running.sign = dict(PEOPLE), False, lambda claims: claims, None
    running.says, running.names_itself, running.asked, running.keys = {}, "", {}, running.keys[:1]
    return running


@pytest.fixture
def make_room(tmp_path: Path, provider: Provider) -> Iterator[Callable[..., Room]]:
    made: list[Room] = []

    def make(**more: Any) -> Room:
        made.append(Room(tmp_path, provider, **more))
        return made[-1]

    yield make
    for each in made:
        each.hub.close()


@pytest.fixture
def room(make_room: Callable[..., Room]) -> Room:
    return make_room()


@pytest.fixture(scope="module")
def kept(running: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = Room(tmp_path_factory.mktemp("room"), running)
    yield made
    made.hub.close()


@pytest.fixture
def shared(kept: Room, provider: Provider) -> Room:
    """One for many tests, in whose store it does not matter who was there before."""
    assert kept.provider is provider
    kept.start()
    return kept


def log_of(room: Room) -> list[tuple[str, str]]:
    with room.hub.database.read() as connection:
        return [(entry.by, entry.what.value) for entry in entries(connection)]


# --- let in -------------------------------------------------------------------------------------------------------------------


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


def test_who_signs_out_is_sent_to_the_provider_to_do_it_there_too(room: Room) -> None:
    browser = room.sign_in("anne")
    browser.headers[CSRF_HEADER] = browser.get("/api/session").json()["csrf"]
    held = browser.cookies[COOKIE]
    leave = urlsplit(browser.delete("/api/session").json()["leave"])
    assert f"{leave.scheme}://{leave.netloc}{leave.path}" == f"{room.provider.issuer}/logout"
    assert parse_qs(leave.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [CONSOLE]}
    browser.cookies.set(COOKIE, held)
    assert browser.get("/api/incidents").status_code == 401


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


# --- keys and clocks ----------------------------------------------------------------------------------------------------------


def test_a_new_key_is_fetched_when_a_token_names_it_and_an_old_one_counts_no_more(shared: Room) -> None:
    assert shared.refused("anne") == ""
    old = shared.provider.keys[0]
    shared.provider.new_key()
    shared.monotonic_s = 60.0
    assert shared.refused("anne") == ""
    assert shared.provider.asked["/keys"] == 2
    shared.provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": old.kid}, claims, old)
    assert shared.refused("anne") == "not_trusted"
    # Names of keys that there are not have the hub ask no more often than every ten seconds.
    for _ in range(3):
        assert shared.refused("anne") == "not_trusted"
    assert shared.provider.asked["/keys"] <= 3
    assert shared.provider.asked["/.well-known/openid-configuration"] == 1


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exp": -30}, ""),
        ({"exp": -61}, "not_trusted"),
        ({"iat": 59}, ""),
        ({"iat": 75}, "not_trusted"),
        ({"iat": -3_600}, "not_trusted"),
        ({"nbf": 59}, ""),
        ({"nbf": 75}, "not_trusted"),
    ],
)
def test_clocks_may_differ_by_a_minute(shared: Room, changed: dict[str, int], why: str) -> None:
    shared.provider.twist = lambda claims: claims | {name: int(time.time()) + more_s for name, more_s in changed.items()}
    assert shared.refused("anne") == why


# --- attacks ------------------------------------------------------------------------------------------------------------------


def _part(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def unsigned(claims: Claims) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def with_public_key_as_secret(provider: Provider) -> Callable[[Claims], str]:
    """Signed with what everybody has, as if it were a secret."""

    def sign(claims: Claims) -> str:
        start = ".".join(_part(part) for part in ({"alg": "HS256", "kid": provider.keys[0].kid}, claims))
        mark = hmac.digest(provider.keys[0].as_pem(private=False), start.encode(), "sha256")
        return f"{start}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"

    return sign


def with_secret_in_list(provider: Provider) -> Callable[[Claims], str]:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    provider.keys.append(shared)  # type: ignore[arg-type]
    return lambda claims: jwt.encode({"alg": "HS256", "kid": "shared"}, claims, shared, algorithms=["HS256"])


@cache
def another_key() -> RSAKey:
    """Nobody's; to make one takes a while."""
    return RSAKey.generate_key(2048)


def with_other_key(provider: Provider) -> Callable[[Claims], str]:
    other = another_key()
    return lambda claims: jwt.encode({"alg": "RS256", "kid": provider.keys[0].kid}, claims, other)


def with_key_for_secrets(provider: Provider) -> Callable[[Claims], str]:
    other = another_key()
    provider.keys.append(RSAKey.import_key(other.as_dict(private=False), {"use": "enc", "kid": "enc"}))
    return lambda claims: jwt.encode({"alg": "RS256", "kid": "enc"}, claims, other)


def with_key_of_its_own(_: Provider) -> Callable[[Claims], str]:
    own = another_key()
    return lambda claims: jwt.encode({"alg": "RS256", "jwk": own.as_dict(private=False)}, claims, own)


def cut(provider: Provider) -> Callable[[Claims], str]:
    return lambda claims: provider.signed(claims)[:-4]


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: unsigned,
        with_public_key_as_secret,
        with_secret_in_list,
        with_other_key,
        with_key_for_secrets,
        with_key_of_its_own,
        cut,
        lambda _: lambda _: "no.token.at-all",
        lambda _: lambda _: "",
    ],
    ids=[
        "unsigned",
        "public key as secret",
        "secret in the list",
        "another key",
        "key for encryption",
        "brings its own key",
        "cut off",
        "junk",
        "empty",
    ],
)
def test_a_token_that_is_not_the_providers_lets_nobody_in(shared: Room, forge: Callable[[Provider], Callable[[Claims], str]]) -> None:
    shared.provider.sign = forge(shared.provider)
    assert shared.refused("anne") == "not_trusted"


@pytest.mark.parametrize(
    "twist",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "another"},
        {"aud": None},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
    ],
    ids=str,
)
def test_a_token_that_is_for_another_or_of_another_sign_in_lets_nobody_in(shared: Room, twist: Claims) -> None:
    shared.provider.twist = lambda claims: {name: value for name, value in (claims | twist).items() if value is not None}
    assert shared.refused("anne") == "not_trusted"


def test_a_token_for_several_that_says_for_whom_it_was_made_is_taken(shared: Room) -> None:
    shared.provider.twist = lambda claims: claims | {"aud": [CLIENT, "account"], "azp": CLIENT}
    assert shared.refused("anne") == ""


def back(room: Room, browser: TestClient) -> str:
    return room.provider.visit(room.leave(browser), "anne")


def why(answer: httpx.Response) -> str:
    assert COOKIE not in answer.headers.get("set-cookie", "")
    return parse_qs(urlsplit(answer.headers["location"]).query)["refused"][0]


def test_a_code_counts_once_and_for_the_browser_that_began_alone(shared: Room) -> None:
    browser = shared.browser()
    where = back(shared, browser)
    held = browser.cookies[PENDING]
    # In a browser that did not begin, or began another time.
    assert why(shared.browser().get(where)) == "stale"
    another = shared.browser()
    shared.leave(another)
    assert why(another.get(where)) == "stale"
    assert browser.get(where).headers["location"] == CONSOLE
    # Again, with all that the browser once held.
    browser.cookies.set(PENDING, held)
    assert why(browser.get(where)) == "stale"
    # And where the hub has forgotten: the provider has not.
    shared.openid._used.clear()
    browser.cookies.set(PENDING, held)
    assert why(browser.get(where)) == "not_trusted"


def test_another_browsers_code_is_of_no_use_with_ones_own_state(shared: Room) -> None:
    """A code that was stolen on its way: PKCE has it that whoever did not begin cannot use it."""
    victim, thief = shared.browser(), shared.browser()
    stolen = parse_qs(urlsplit(back(shared, victim)).query)["code"][0]
    own = urlsplit(back(shared, thief))
    query = {name: values[0] for name, values in parse_qs(own.query).items()} | {"code": stolen}
    assert why(thief.get("/api/session/openid/return", params=query)) == "not_trusted"


@pytest.mark.parametrize("change", [{"state": "x"}, {"state": ""}, {"code": ""}, {"state": "é"}], ids=str)
def test_what_was_changed_on_the_way_lets_nobody_in(shared: Room, change: dict[str, str]) -> None:
    browser = shared.browser()
    query = {name: values[0] for name, values in parse_qs(urlsplit(back(shared, browser)).query).items()} | change
    assert why(browser.get("/api/session/openid/return", params=query)) == "stale"


@pytest.mark.parametrize(
    "held", ["", "x", "1.x", f"1.{'a' * 4_000}", f"{2**70}.{'a' * 43}", f"9999999999.{'a' * 43}", f"\u00b2.{'a' * 43}"]
)
def test_what_a_browser_cannot_have_from_here_is_not_taken(shared: Room, held: str) -> None:
    answer = shared.browser().get("/api/session/openid/return?code=x&state=y", headers={"cookie": f"{PENDING}={held}".encode("latin-1")})
    assert why(answer) == "stale"


def test_who_is_away_too_long_begins_again(shared: Room) -> None:
    browser = shared.browser()
    where = back(shared, browser)
    shared.later_s = 601.0
    assert why(browser.get(where)) == "stale"


@pytest.mark.parametrize("named", [None, "https://elsewhere.example"])
def test_an_answer_of_another_provider_is_not_taken_for_this_ones(shared: Room, named: str | None) -> None:
    """Mix-up (RFC 9207): the code is never sent anywhere."""
    shared.provider.names_itself = named
    assert shared.refused("anne") == "not_trusted"
    assert "/token" not in shared.provider.asked


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": "http://elsewhere.example/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=str,
)
def test_a_provider_whose_word_about_itself_cannot_be_used_is_not_gone_to(shared: Room, says: dict[str, Any]) -> None:
    shared.provider.says = says
    for _ in range(3):
        assert why(shared.browser().get("/api/session/openid")) == "unreachable"
    assert shared.provider.asked["/.well-known/openid-configuration"] == 1, "not with every press of the button"
    shared.provider.says, shared.monotonic_s = {}, 11.0
    assert shared.refused("anne") == ""


def test_where_the_provider_is_away_the_hubs_own_users_still_come_in(tmp_path: Path, provider: Provider) -> None:
    room = Room(tmp_path, provider, issuer="http://localhost:9/realms/city")
    room.hub.users.add("d-petit", Role.SUPERVISOR, "correct horse battery", "hub")
    assert why(room.browser().get("/api/session/openid")) == "unreachable"
    answer = room.browser().post("/api/session", json={"name": "d-petit", "password": "correct horse battery"})
    assert answer.status_code == 200
    room.hub.close()


def test_who_guesses_codes_must_wait(shared: Room) -> None:
    statuses = []
    for _ in range(8):
        browser = shared.browser()
        state = parse_qs(urlsplit(shared.leave(browser)).query)["state"][0]
        query = {"code": "guessed", "state": state, "iss": shared.provider.issuer}
        statuses.append(why(browser.get("/api/session/openid/return", params=query)))
    assert statuses == ["not_trusted"] * 5 + ["wait"] * 3


def test_another_page_cannot_send_anybody_to_the_provider(shared: Room) -> None:
    assert shared.browser().get("/api/session/openid", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_a_hub_without_provider_has_no_way_there(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    client = TestClient(hub.app(), base_url="http://127.0.0.1", headers=OURS)
    assert client.get("/api/session").json()["openid"] is None
    assert {client.get(f"/api/session/openid{path}").status_code for path in ("", "/return?code=x&state=y")} == {404}
    hub.close()


# --- the file -----------------------------------------------------------------------------------------------------------------

GOOD = {
    "issuer": "https://id.city.example/realms/city",
    "client_id": "parvis",
    "console": "https://console.city.example",
    "title": "City account",
    "roles_claim": "groups",
    "roles": {"shift": "operator"},
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "http://id.city.example"}, "https://"),
        ({"console": "https://console.city.example/?x=1"}, "without ?"),
        ({"roles": {}}, "roles"),
        ({"roles": {"shift": "chief"}}, "'operator', 'supervisor'"),
        ({"session_h": 13}, "12"),
        ({"secret": "hunter2"}, "secret"),
        ({"client_secret_file": "nowhere"}, "cannot be read"),
        ({"client_secret_file": "empty"}, "first line"),
        ({"roles_claim": None}, "roles_claim"),
    ],
    ids=str,
)
def test_what_is_wrong_in_the_file_is_said_with_its_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (tmp_path / "empty").write_text("\n")
    file = tmp_path / "openid.yaml"
    file.write_text(yaml.safe_dump(GOOD | change, sort_keys=False), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_openid(file)
    assert says in str(error.value)
    assert str(file) in str(error.value)


def test_the_addresses_follow_from_the_consoles(tmp_path: Path) -> None:
    file = tmp_path / "openid.yaml"
    file.write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    settings, secret = load_openid(file)
    assert settings.returning == "https://console.city.example/api/session/openid/return"
    assert (settings.roles_claim, settings.session_h, secret) == (("groups",), 12.0, None)


def test_a_hub_that_others_can_reach_starts_with_a_provider_and_without_users(tmp_path: Path) -> None:
    file = tmp_path / "openid.yaml"
    file.write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    site = write_site(tmp_path / "site.yaml")
    options = Options(BrokerAddress("127.0.0.1", 1), default_url(tmp_path), ("127.0.0.1", 0), names=("console.city.example",))
    with pytest.raises(NobodyMaySignIn, match="--openid"):
        Service(site, options)
    # The provider is not there yet, which is no reason not to start.
    Service(site, replace(options, openid=file))._database.close()
    file.write_text(yaml.safe_dump(GOOD | {"issuer": "id.city.example"}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"issuer is 'id\.city\.example'"):
        Service(site, replace(options, openid=file))
