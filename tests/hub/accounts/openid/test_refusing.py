"""Every way that we know of in which somebody who comes back from a provider can be wrong."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from parvis_hub.console.cookies import PENDING
from parvis_hub.governance import Role

from tests.hub.accounts.openid.room import CONSOLE, OURS, Room, back, why
from tests.hub.accounts.provider import CLIENT, Claims, Provider
from tests.hub.console.hub import Hub

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


def test_a_code_counts_once_and_for_the_browser_that_began_alone(shared: Room) -> None:
    browser = shared.browser()
    where = back(shared, browser)
    held = browser.cookies[PENDING.plain]
    # In a browser that did not begin, or began another time.
    assert why(shared.browser().get(where)) == "stale"
    another = shared.browser()
    shared.leave(another)
    assert why(another.get(where)) == "stale"
    assert browser.get(where).headers["location"] == CONSOLE
    # Again, with all that the browser once held.
    browser.cookies.set(PENDING.plain, held)
    assert why(browser.get(where)) == "stale"
    # And where the hub has forgotten: the provider has not.
    shared.openid._used.clear()
    browser.cookies.set(PENDING.plain, held)
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
    answer = shared.browser().get(
        "/api/session/openid/return?code=x&state=y", headers={"cookie": f"{PENDING.plain}={held}".encode("latin-1")}
    )
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
