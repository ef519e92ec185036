"""Rollouts in a store: signed commands go out, what units say comes back, acts are in the log, and the command line tells and steers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from parvis_contract import (
    CommandStatus,
    ModelRef,
    Site,
    UnitState,
    UnitStatus,
    dump_message,
    load_site,
    make_message,
    parse_message,
    unit_source,
)
from parvis_contract.signing import SigningKey, is_signed, key_digest
from parvis_hub.cli import app
from parvis_hub.governance import RolloutAct, RolloutChanged, entries
from parvis_hub.rollout import Phase, RolloutKeeper, RolloutShelf
from parvis_hub.store import CommandStore, Database, default_url
from parvis_hub.store.schema import units
from sqlalchemy import delete, insert
from typer.testing import CliRunner

from .fleet import START_US

KEY = SigningKey.make()
NAMES = ("u001", "u002", "u003")
PLAN = f"""\
site: quay
profile: lab
origin: {{lon: 5.37, lat: 43.296}}
units:
{"".join(f"  {name}: {{position: {{lon: 5.3701, lat: 43.2961}}, senses: [camera]}}{chr(10)}" for name in NAMES)}hub_keys: [{KEY.public_key}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(PLAN)
    return load_site(tmp_path / "site.yaml")


class Quay:
    """A hub's store, its keeper, and units that say what they have taken."""

    def __init__(self, site: Site, folder: Path, key: SigningKey | None = KEY) -> None:
        self.site, self.folder = site, folder
        self.now_us = START_US
        self.database = Database(default_url(folder), site.site)
        self.keeper = RolloutKeeper(site, self.database, key, lambda: self.now_us)
        self.commands = CommandStore(self.database)
        self.versions = dict.fromkeys(NAMES, "1.0.0")
        self.taken: dict[str, int] = {}
        self.away: set[str] = set()

    def say(self) -> None:
        """Every unit that is there says how it is."""
        with self.database.write() as connection:
            connection.execute(delete(units))
            for name in set(NAMES) - self.away:
                status = self._status(name)
                message = make_message("unit.status", source=unit_source("quay", name), time=datetime.now(UTC), data=status)
                connection.execute(insert(units).values(name=name, last_seen_us=self.now_us, status=dump_message(message).decode()))
        for name in set(NAMES) - self.away:
            self.commands.heard(name, self._status(name), self.now_us)

    def _status(self, name: str) -> UnitStatus:
        commands = CommandStatus(release=self.taken[name]) if name in self.taken else None
        model = ModelRef(name="eye", version=self.versions[name])
        return UnitStatus(state=UnitState.HEALTHY, software="0.2.0", models=(model,), commands=commands)

    def obey(self) -> None:
        """Every unit that is there takes the release that it was sent."""
        for command in self.commands.all():
            message = parse_message(command.message)
            assert is_signed(command.message, message.data.signature, {key_digest(KEY.public_key): KEY.public_key})
            if command.unit not in self.away:
                self.versions[command.unit], self.taken[command.unit] = message.data.model.version, command.counter

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            self.now_us += 60_000_000
            self.say()
            self.keeper.turn()
            self.obey()

    def acts(self) -> list[tuple[RolloutAct, str]]:
        with self.database.read() as connection:
            return [(entry.about.act, entry.by) for entry in entries(connection) if isinstance(entry.about, RolloutChanged)]


def hub(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """As `parvis-models publish` lists it; what is in it does not matter to the hub."""
    folder = tmp_path / "repository"
    (folder / "metadata").mkdir(parents=True)
    for number, versions in ((9, ("1.0.0",)), (10, ("1.0.0", "1.1.0"))):
        targets = {f"models/eye/{version}.tar": {"hashes": {"sha256": version[2] * 64}} for version in versions}
        (folder / "metadata" / f"{number}.targets.json").write_text(json.dumps({"signed": {"targets": targets}}))
    return folder


def test_a_release_goes_from_the_command_line_to_every_unit_and_back_over_restarts_of_the_hub(
    tmp_path: Path, site: Site, repository: Path
) -> None:
    quay = Quay(site, tmp_path)
    quay.say()
    common = ["--site", site.path, "--data-dir", tmp_path]
    asked = ["rollout", "start", *common, "--repository", repository, "--model", "eye", "--by", "a-martin", "--soak", "1h"]
    assert "lists no eye 2.0.0" in hub(*asked, "--version", "2.0.0", code=2)
    said = hub(*asked, "--version", "1.1.0", "--canary", "u002")
    assert "goes back to: eye 1.0.0" in said
    assert "take care" not in said
    assert "let it end, or roll it back, first" in hub(*asked, "--version", "1.1.0", code=2)
    quay.run(5)
    assert quay.versions == {"u001": "1.0.0", "u002": "1.1.0", "u003": "1.0.0"}
    quay.database.close()
    again = Quay(site, tmp_path)
    again.versions, again.taken, again.now_us = quay.versions, quay.taken, quay.now_us
    again.away = {"u003"}
    again.run(200)
    shelf = RolloutShelf(again.database, lambda: again.now_us)
    # The last ring is one unit, which is away.
    assert (shelf.one().phase, shelf.one().ring) == (Phase.RUNNING, 2)
    again.away = set()
    again.run(70)
    assert shelf.one().phase is Phase.DONE
    assert set(again.versions.values()) == {"1.1.0"}
    assert "took it" in hub("rollout", "status", *common)
    assert "it is done" in hub("rollout", "pause", *common, code=2)
    assert "going_back" in hub("rollout", "back", *common, "--by", "b-roux")
    again.run(5)
    assert set(again.versions.values()) == {"1.0.0"}
    assert "went back" in hub("rollout", "status", *common)
    acts = again.acts()
    assert acts[0] == (RolloutAct.STARTED, "a-martin")
    assert (RolloutAct.GOING_BACK, "b-roux") in acts
    assert (RolloutAct.DONE, "hub") in acts
    assert acts[-1] == (RolloutAct.BACK, "hub")
    assert json.loads(hub("rollout", "status", *common, "--json"))["phase"] == "back"


def test_a_hub_without_the_key_asks_nobody(tmp_path: Path, site: Site, repository: Path) -> None:
    quay = Quay(site, tmp_path, SigningKey.make())
    quay.say()
    where = ["--site", site.path, "--data-dir", tmp_path, "--repository", repository]
    said = hub("rollout", "start", *where, "--model", "eye", "--version", "1.1.0", "--soak", "0h")
    assert "take care: a unit tries a model for 10 minutes" in said
    quay.run(5)
    assert quay.commands.all() == []


def test_a_site_plan_is_offered_by_its_digest_and_named_in_commands(tmp_path: Path, site: Site) -> None:
    quay = Quay(site, tmp_path)
    quay.say()
    new = tmp_path / "new.yaml"
    new.write_text(PLAN + "count_floor: 12\n")
    common = ["--site", site.path, "--data-dir", tmp_path, "--fleet-dir", tmp_path / "fleet"]
    new.with_name("strange.yaml").write_text(PLAN.replace(KEY.public_key, SigningKey.make().public_key))
    assert "has none of those that units obey" in hub("config", "push", new.with_name("strange.yaml"), *common, code=2)
    assert "site plan" in hub("config", "push", new, *common, "--canary", "u003")
    quay.now_us += 60_000_000
    quay.say()
    quay.keeper.turn()
    (command,) = quay.commands.all()
    digest = parse_message(command.message).data.site_plan_sha256
    assert (command.unit, command.kind) == ("u003", "command.config")
    assert (tmp_path / "fleet" / "plans" / f"{digest}.yaml").read_bytes() == new.read_bytes()
    assert len(list((tmp_path / "fleet" / "plans").iterdir())) == 2


def test_hours_and_events_of_the_store_are_what_rates_are_counted_by(tmp_path: Path, site: Site) -> None:
    quay = Quay(site, tmp_path)
    quay.say()
    with quay.keeper.shelf.changing() as connection:
        quay.keeper.shelf.note_hours(connection, ["u001"], 60.0)
        quay.keeper.shelf.note_hours(connection, ["u001", "u002"], 30.0)
        hours = {hour.unit: hour.seen_s for hour in quay.keeper.shelf.hours(connection)}
        quay.now_us -= 20 * 365 * 86_400_000_000
        assert quay.keeper.shelf.hours(connection) == [], "a clock that was ahead for an hour"
    assert hours == {"u001": 90.0, "u002": 30.0}
