"""The services of a flashed card: as far shut in as they are now, and the unit's the same as any unit's."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_deploy.root import overlay

from tests.deploy.test_systemd import analyze, options
from tests.edge.program import ROOT

#: Ten times what `systemd-analyze security` (252) says of each: 0 is nothing to be feared, a usual service has 90. None may come to more.
EXPOSURE = {"enrol": 15, "firewall": 22, "good": 11, "network": 11, "root": 29, "unit": 21, "wifi": 26}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that has nothing but what is ours."""
    root = tmp_path_factory.mktemp("card")
    overlay(ROOT, root)
    return root


def test_there_are_these(card: Path) -> None:
    found = {each.stem.removeprefix("parvis-") for each in (card / "etc/systemd/system").glob("parvis-*.service")}
    assert found == set(EXPOSURE)


@pytest.mark.parametrize("name", EXPOSURE)
def test_it_is_shut_in(name: str, card: Path) -> None:
    done = analyze("security", "--offline=true", f"--root={card}", f"--threshold={EXPOSURE[name]}", f"parvis-{name}.service")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", EXPOSURE)
def test_nothing_of_its_memory_reaches_a_disk(name: str, card: Path) -> None:
    found = options(card / f"etc/systemd/system/parvis-{name}.service")
    assert (found["LimitCORE"], found["NoNewPrivileges"], found["ProtectSystem"]) == (["0"], ["yes"], ["strict"])


def test_the_unit_is_every_units_with_its_identity(card: Path) -> None:
    services = card / "etc/systemd/system"
    assert (services / "parvis-unit.service").read_bytes() == (ROOT / "deploy/systemd/parvis-edge@.service").read_bytes()
    own = options(services / "parvis-unit.service.d/card.conf")
    # Nothing of the sandbox is set anew; what is set anew is emptied first.
    assert set(own) == {
        *("Description", "ConditionPathExists", "RequiresMountsFor", "After"),
        *("EnvironmentFile", "ExecStart", "TimeoutStartSec"),
    }
    assert own["EnvironmentFile"][0] == own["ExecStart"][0] == ""
