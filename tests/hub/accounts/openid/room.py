"""A console that lets people in from a provider, and the people whom that one knows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import yaml
from fastapi.testclient import TestClient
from parvis_hub.accounts.openid import Provider as Client
from parvis_hub.accounts.openid import SigningIn, load_openid
from parvis_hub.console.access import Access
from parvis_hub.console.cookies import PENDING, SESSION
from parvis_hub.governance import entries

from tests.hub.accounts.provider import SECRET, Claims, Provider
from tests.hub.console.hub import Hub

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
        assert PENDING.plain not in browser.cookies
        signed_in = browser.get("/api/session").json()["name"] is not None
        where = answer.headers["location"]
        assert where.startswith(CONSOLE)
        why = parse_qs(urlsplit(where).query).get("refused", [""])[0]
        assert signed_in == (why == "")
        return why


def log_of(room: Room) -> list[tuple[str, str]]:
    with room.hub.database.read() as connection:
        return [(entry.by, entry.what.value) for entry in entries(connection)]


def back(room: Room, browser: TestClient) -> str:
    return room.provider.visit(room.leave(browser), "anne")


def why(answer: httpx.Response) -> str:
    assert SESSION.plain not in answer.headers.get("set-cookie", "")
    return parse_qs(urlsplit(answer.headers["location"]).query)["refused"][0]
