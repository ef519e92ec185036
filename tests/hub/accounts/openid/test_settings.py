"""The file that names a provider, and a hub that is started with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from parvis_contract import ConfigError
from parvis_hub.accounts.openid import load_openid
from parvis_hub.intake import BrokerAddress
from parvis_hub.service import Hub as Service
from parvis_hub.service import NobodyMaySignIn, Options
from parvis_hub.store import default_url

from tests.hub.street import write_site

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
