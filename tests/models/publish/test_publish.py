"""A maintainer's commands: keys that are never overwritten, thresholds that hold, a repository that is whole at any instruction."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from parvis_models import zoo
from parvis_models.cli import app
from parvis_models.publish import offer
from parvis_models.publish.keys import PublishError, new_key, read_signer
from typer.testing import CliRunner

from tests.edge.update.simulator import Simulator, small_bundle
from tests.models.publish.interrupted import listed

NAME = "models/yamnet/1.0.0.tar"


class Desk:
    """A maintainer at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.repository, self.keys = folder / "repository", folder / "keys"
        self.online = ["--online", str(self.keys / "online")]

    def do(self, command: str, *words: object, code: int = 0) -> str:
        """One command; the repository comes first among its arguments."""
        result = CliRunner().invoke(app, ["publish", command, str(self.repository), *map(str, words)])
        assert result.exit_code == code, result.output
        return result.output

    def by(self, *names: str) -> list[str]:
        """Keys that sign."""
        return [word for name in names for word in ("--key", str(self.keys / f"{name}.pem"))]

    def status(self, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.do("status", "--json", code=code))
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.do("init", "--keys", desk.keys, "--no-password")
    return desk


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("bundle") / "1.0.0", "1.0.0")


def test_keys_are_their_owners_alone_and_nothing_is_overwritten(desk: Desk, tmp_path: Path) -> None:
    keys = sorted(desk.keys.rglob("*.pem"))
    assert len(keys) == 8
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert "is there already" in desk.do("init", "--keys", tmp_path / "others", "--no-password", code=2)
    elsewhere = Desk(tmp_path)
    elsewhere.repository = tmp_path / "elsewhere"
    assert "not overwritten" in elsewhere.do("init", "--keys", desk.keys, "--no-password", code=2)
    assert not (elsewhere.repository / "metadata").exists()


def test_a_key_with_a_password_needs_it(tmp_path: Path) -> None:
    new_key(tmp_path / "k.pem", b"correct horse")
    assert b"ENCRYPTED" in (tmp_path / "k.pem").read_bytes()
    assert read_signer(tmp_path / "k.pem", lambda _: b"correct horse").public_key.keytype == "ed25519"
    with pytest.raises(PublishError, match="password"):
        read_signer(tmp_path / "k.pem", lambda _: b"wrong")
    (tmp_path / "k.pem").chmod(0o640)
    with pytest.raises(PublishError, match="others than its owner"):
        read_signer(tmp_path / "k.pem", lambda _: b"correct horse")


def test_a_release_needs_two_holders(desk: Desk, bundle: Path) -> None:
    root = (desk.repository / "metadata" / "1.root.json").read_bytes()
    assert "lacks 1 more" in desk.do("add", bundle, *desk.by("targets-1"))
    assert desk.status(code=1)["pending"] == [{"role": "targets", "version": 2, "missing": 1}]
    assert listed(desk.repository, root) == []
    assert "waits for signatures already" in desk.do("add", bundle, *desk.by("targets-1"), code=2)
    # The same holder twice is one; root's holders are none.
    assert "lacks 1 more" in desk.do("sign", *desk.by("targets-1"))
    assert "may sign targets" in desk.do("sign", *desk.by("root-1", "root-2"), code=2)
    assert listed(desk.repository, root) == []
    assert "published" in desk.do("sign", *desk.by("targets-3"), *desk.online)
    assert listed(desk.repository, root) == [NAME]
    told = desk.status()
    assert list(told["targets"]) == [NAME]
    assert (told["roles"]["targets"]["version"], len(told["roles"]["targets"]["signed"])) == (2, 2)


def test_what_is_listed_stays_what_it_is(desk: Desk, bundle: Path, tmp_path: Path) -> None:
    desk.do("add", bundle, *desk.by("targets-1", "targets-2"), *desk.online)
    other = small_bundle(tmp_path / "other", "1.0.0", 3.0)
    assert "give what has changed a new version" in desk.do("add", other, *desk.by("targets-1", "targets-2"), code=2)
    desk.do("withdraw", NAME, *desk.by("targets-1", "targets-2"), *desk.online)
    assert desk.status()["targets"] == {}
    assert "is not listed" in desk.do("withdraw", NAME, *desk.by("targets-1", "targets-2"), code=2)


@pytest.mark.parametrize(("change", "said"), [({"accuracy": None}, "not measured"), ({"golden": None}, "no golden samples")])
def test_what_would_fail_on_a_unit_is_not_published(change: dict[str, Any], said: str, desk: Desk, tmp_path: Path) -> None:
    folder = small_bundle(tmp_path / "x", "1.0.0")
    zoo.write_card(folder, zoo.read_card(folder).model_copy(update=change))
    assert said in desk.do("add", folder, *desk.by("targets-1", "targets-2"), code=2)
    assert desk.status()["targets"] == {}


def test_keys_are_exchanged_and_the_old_ones_count_no_more(desk: Desk, bundle: Path) -> None:
    root = (desk.repository / "metadata" / "1.root.json").read_bytes()
    runner = CliRunner()
    for name in ("root-4", "targets-4", "online-new/snapshot"):
        assert runner.invoke(app, ["publish", "key", str(desk.keys / f"{name}.pem"), "--no-password"]).exit_code == 0

    def change(role: str, old: str, new: str, *signers: str) -> str:
        pair = ["--out", str(desk.keys / f"{old}.pub"), "--in", str(desk.keys / f"{new}.pub")]
        return desk.do("rotate", role, *pair, *desk.by(*signers))

    assert "lacks 1 more" in change("root", "root-1", "root-4", "root-2", "root-4")
    assert "published" in desk.do("sign", *desk.by("root-3"), *desk.online)
    change("targets", "targets-1", "targets-4", "root-2", "root-4", "targets-2", "targets-4")
    desk.do("refresh", *desk.online)
    assert "lacks 1 more" in desk.do("add", bundle, *desk.by("targets-1", "targets-2"))
    desk.do("sign", *desk.by("targets-4"), *desk.online)
    change("snapshot", "online/snapshot", "online-new/snapshot", "root-2", "root-3")
    # With the old key alone nothing changes; with both, the new root is published.
    desk.do("refresh", *desk.online)
    assert desk.status(code=1)["roles"]["root"]["version"] == 3
    (desk.keys / "online-new" / "timestamp.pem").symlink_to(desk.keys / "online" / "timestamp.pem")
    new = ["--online", str(desk.keys / "online-new")]
    desk.do("refresh", *desk.online, *new)
    desk.do("refresh", *new)
    assert listed(desk.repository, root) == [NAME]
    assert desk.status()["roles"]["root"]["version"] == 4


def test_too_few_keys_are_not_left(desk: Desk) -> None:
    out = [word for name in ("root-1", "root-2") for word in ("--out", str(desk.keys / f"{name}.pub"))]
    assert "bring as many in" in desk.do("rotate", "root", *out, *desk.by("root-1", "root-2"), code=2)


def test_status_says_when_somebody_has_to_act(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "repository")
    now = datetime.now(UTC)
    days = {"timestamp": 2, "snapshot": 10, "targets": 150, "root": 320}
    for role, after in days.items():
        before = {each.role: each.soon for each in offer.status(simulator.folder, now + timedelta(days=after - 1))}
        later = {each.role: each.soon for each in offer.status(simulator.folder, now + timedelta(days=after + 1))}
        assert (before[role], later[role]) == (False, True), role  # type: ignore[index]


def test_a_repository_is_whole_at_any_instruction(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.models.publish.interrupted", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["release"]["wrong"] == []
    assert told["release"]["seen"] == [1, 2]
    assert told["release"]["writes"] > 10
    for name in ("rotate", "exchange"):
        assert told[name]["wrong"] == []
        assert told[name]["writes"] > 10
