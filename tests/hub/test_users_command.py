"""The commands that let people and machines in: passwords from standard input, tokens to standard output, and a hub that is never open."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from parvis_hub.accounts import Sessions, Tokens
from parvis_hub.cli import app
from parvis_hub.governance import entries
from parvis_hub.intake import BrokerAddress
from parvis_hub.service import Hub, NobodyMaySignIn, Options
from parvis_hub.store import Database, default_url
from typer.testing import CliRunner

from tests.hub.street import write_site

PASSWORD = "correct horse battery"


def call(folder: Path, *words: str, given: str = "") -> Result:
    return CliRunner().invoke(app, [*words, "--site", str(folder / "site.yaml"), "--data-dir", str(folder / "data")], input=given)


def test_a_user_is_added_and_given_a_token_beside_and_both_come_in(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site.yaml")
    short = call(tmp_path, "users", "add", "a-martin", "--role", "operator", given="too short\n")
    assert (short.exit_code, short.stdout) == (2, "")
    assert "from 12 to 256 characters" in short.stderr
    added = call(tmp_path, "users", "add", "a-martin", "--role", "operator", "--by", "c-petit", given=f"{PASSWORD}\n")
    assert (added.exit_code, added.stdout, added.stderr) == (0, "", "")
    assert call(tmp_path, "users", "list").stdout == "a-martin operator\n"
    token = call(tmp_path, "tokens", "add", "prometheus", "--may", "read-metrics").stdout
    database = Database(default_url(tmp_path / "data"), site.site)
    assert Sessions(database, lambda: 1).sign_in("a-martin", PASSWORD, "192.0.2.1")
    found = Tokens(database, lambda: 1).token(token.strip())
    assert found is not None
    assert found.name == "prometheus"
    with database.read() as connection:
        assert [(entry.by, entry.what) for entry in entries(connection)] == [
            ("c-petit", "user_changed"),
            ("hub", "token_changed"),
            ("a-martin", "signed_in"),
        ]
    database.close()


@pytest.mark.parametrize("reachable", [{"listen": ("0.0.0.0", 0)}, {"names": ("hub.example",)}, {"proxies": ("127.0.0.1",)}])
def test_a_hub_that_others_can_reach_does_not_start_without_users(tmp_path: Path, reachable: dict[str, object]) -> None:
    site = write_site(tmp_path / "site.yaml")
    options = Options(**{"broker": BrokerAddress("127.0.0.1", 1), "store": default_url(tmp_path), "listen": ("127.0.0.1", 0)} | reachable)  # type: ignore[arg-type]
    with pytest.raises(NobodyMaySignIn, match="parvis-hub users add"):
        Hub(site, options)


@pytest.mark.parametrize(("proxies", "last"), [(("127.0.0.1",), 401), ((), 429)])
def test_where_a_request_is_from_is_believed_of_a_named_proxy_alone(tmp_path: Path, proxies: tuple[str, ...], last: int) -> None:
    site = write_site(tmp_path / "site.yaml")
    call(tmp_path, "users", "add", "a-martin", "--role", "operator", given=f"{PASSWORD}\n")
    options = Options(BrokerAddress("127.0.0.1", 1), default_url(tmp_path / "data"), ("127.0.0.1", 0), proxies=proxies)
    hub = Hub(site, options)
    hub._sessions._now_us = lambda: 1_800_000_000_000_000
    server, listening = hub._servers["console"]
    serving = threading.Thread(target=server.run, args=([listening],), daemon=True)
    serving.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", headers={"x-parvis-console": "1"}, timeout=60) as client:
        wrong = {"name": "a-martin", "password": "a wrong password"}
        statuses = [
            client.post("/api/session", json=wrong, headers={"x-forwarded-for": address}).status_code
            for address in (*["198.51.100.1"] * 6, "198.51.100.2")
        ]
    assert statuses == [401] * 5 + [429, last]
    server.should_exit = True
    serving.join(timeout=20)
    hub._database.close()
