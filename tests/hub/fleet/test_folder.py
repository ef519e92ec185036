"""The fleet's folder: its keys are for the hub's user alone, and count for nothing once others could have read them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from parvis_contract import load_site
from parvis_hub.fleet import Addresses, AuthorityError, FleetFolder

from tests.hub.fleet.town import SITE, Town


def test_what_is_secret_is_for_one_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    town = Town.build(tmp_path)
    os.umask(before)
    town.database.close()
    modes = {path.name: path.stat().st_mode & 0o777 for path in town.folder.path.rglob("*") if path.is_file()}
    assert {name: modes[name] for name in ("ca.key", "hub.pem", "addresses.json", "book.jsonl")} == dict.fromkeys(
        ("ca.key", "hub.pem", "addresses.json", "book.jsonl"), 0o600
    )
    assert modes["broker.key"] == 0o640


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    folder = FleetFolder(tmp_path / "fleet")
    folder.make(load_site(tmp_path / "site.yaml"), Addresses(hub="https://localhost:8884", broker="localhost:8883"), datetime.now(UTC))
    folder.authority()
    (folder.path / "ca.key").chmod(mode)
    with pytest.raises(AuthorityError, match="chmod 600"):
        folder.authority()
