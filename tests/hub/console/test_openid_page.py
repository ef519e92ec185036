"""Signing in at a provider, in a real browser: there, back, decided, out; and what is told who has no role, or was signed out there."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import yaml
from parvis_hub.accounts.openid import Provider as Client
from parvis_hub.accounts.openid import SigningIn, load_openid
from playwright.sync_api import expect

from tests.hub.accounts.provider import SECRET, Provider
from tests.hub.console.browsing import Browsers, choose, left
from tests.hub.console.hub import Hub


def test_somebody_signs_in_at_the_provider_decides_and_signs_out_there_too(hub: Hub, browsers: Browsers, tmp_path: Path) -> None:
    def person(subject: str, name: str, role: str) -> dict[str, object]:
        return {"sub": subject, "preferred_username": name, "resource_access": {"parvis": {"roles": [role]}}}

    people = {"anne": person("1", "a-leroy", "parvis-operator"), "guest": person("2", "guest", "visitor")}
    id_ = left(hub)
    with Provider(people) as provider:
        hub.listen().close()
        (tmp_path / "secret").write_text(SECRET)
        file = tmp_path / "openid.yaml"
        file.write_text(yaml.safe_dump(provider.settings(hub.url, client_secret_file="secret"), sort_keys=False))
        hub.serve(openid=SigningIn(Client(*load_openid(file)), hub.sessions, time.time))
        page = browsers.open(hub.url, name=None, wait=False)
        dialog = page.get_by_role("dialog", name="Sign in")
        button = dialog.get_by_role("link", name="Sign in with City account")
        expect(button).to_be_focused()
        expect(dialog.get_by_label("Password")).to_be_visible()

        page.keyboard.press("Enter")
        page.get_by_role("button", name="guest").click()
        expect(page.locator("#sign-in-error")).to_contain_text("You were recognised, and have no role here.")
        assert page.url == hub.url, "why is taken out of the address"
        dialog.get_by_role("button", name="Français").click()
        expect(page.locator("#sign-in-error")).to_contain_text("n’avez aucun rôle ici")
        page.get_by_role("dialog").get_by_role("button", name="English").click()

        button.click()
        page.get_by_role("button", name="anne").click()
        expect(page.locator("#operator")).to_have_text("a-leroy")
        choose(page, id_)
        page.keyboard.press("c")
        page.keyboard.press("2")
        expect(page.locator("#card .history")).to_contain_text("Confirmed by a-leroy")
        # What is held is for no script, and there is nothing of the way left.
        assert page.evaluate("document.cookie") == ""
        assert [cookie["name"] for cookie in page.context.cookies()] == ["parvis-session"]

        page.locator("#operator").click()
        page.get_by_role("button", name="Sign out").last.click()
        expect(page).to_have_title("Signed out")
        page.get_by_role("link", name="Back").click()
        expect(dialog).to_be_visible()
        expect(page.locator("#incidents button")).to_have_count(0)

        # In again, and out because the provider says so.
        button.click()
        page.get_by_role("button", name="anne").click()
        expect(page.locator("#operator")).to_have_text("a-leroy")
        told = httpx.post(f"{hub.url}api/session/openid/logout", data={"logout_token": provider.logout_token(sub="1")})
        assert told.status_code == 200
        expect(page.locator("#sign-in-error")).to_have_text("The session has ended. Sign in again.")
        expect(page.locator("#incidents button")).to_have_count(0)
        browsers.check(hub.url, provider.issuer.partition("/realms")[0])
