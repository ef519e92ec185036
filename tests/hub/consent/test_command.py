"""`parvis-hub consent`, and a hub that keeps to the register: its lists, its routes at the broker, and their end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from parvis_contract import Route, Site, parse_message
from parvis_contract.signing import SigningKey
from parvis_hub.cli import app
from parvis_hub.store import CommandStore, Database, default_url
from typer.testing import CliRunner, Result

from tests.broker import Broker, Subscriber
from tests.hub.consent.participants import walk, write_site
from tests.hub.running import Publishing, RunningHub, wait_for


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    made = SigningKey.make()
    made.save(tmp_path / "hub.key")
    return made


@pytest.fixture(autouse=True)
def site(tmp_path: Path, key: SigningKey) -> Site:
    return write_site(tmp_path, key)


def command(folder: Path, *arguments: str) -> Result:
    name, *rest = arguments
    options = ["--site", str(folder / "site.yaml"), "--data-dir", str(folder / "hub")]
    return CliRunner().invoke(app, ["consent", name, *rest, *options])


def enrol(folder: Path, *more: str, participant: str = "steward-07", tag: str = "17", until: str = "1d") -> Result:
    asked = ["--tag", tag, "--purpose", "stewarding", "--proof", "2026-114", "--until", until, "--by", "a-martin"]
    return command(folder, "enrol", participant, *asked, *more)


def test_from_enrolment_to_receipt(tmp_path: Path) -> None:
    key = ["--key", str(tmp_path / "hub.key")]
    assert "u1: a list of 1 tags until" in enrol(tmp_path, *key).stdout
    assert command(tmp_path, "list").stdout.startswith("steward-07: tag 17, stewarding, paper 2026-114, 20")
    assert "until" in command(tmp_path, "renew", "steward-07", "--until", "20d", "--proof", "2026-200").stdout
    assert "tag 17, 160 mm" in command(tmp_path, "sheet", "steward-07", str(tmp_path / "tag.pdf")).stdout
    assert (tmp_path / "tag.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads(command(tmp_path, "export", "steward-07").stdout)["features"] == []
    gone = command(tmp_path, "withdraw", "steward-07", "--by", "a-martin", *key)
    assert "key destroyed, 0 sightings deleted" in gone.stdout
    assert "u1: a list of 0 tags" in gone.stdout
    head = gone.stdout.split("accountability log: ")[1].split()[0]
    checked = CliRunner().invoke(app, ["audit", "verify", "--data-dir", str(tmp_path / "hub"), "--head", head])
    assert (checked.exit_code, checked.stdout.startswith("whole")) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"participant": "Jean Martin"}, "small letters"),
        ({"tag": "600"}, "--tag"),
        ({"until": "60d"}, "31 days"),
        ({"until": "tomorrow"}, "--until tomorrow"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: dict[str, str], why: str) -> None:
    result = enrol(tmp_path, **arguments)
    assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
    assert command(tmp_path, "withdraw", "nobody").stderr == "nobody is enrolled as nobody; see `parvis-hub consent list`\n"


@pytest.mark.timeout(120)
def test_a_route_is_at_the_broker_while_somebody_is_enrolled_and_no_longer(tmp_path: Path, site: Site, mosquitto: Path) -> None:
    topic = "parvis/v1/square/route/steward-07"
    data = tmp_path / "hub"
    with Broker(mosquitto) as broker, RunningHub(site, broker.port, data, "--signing-key", str(tmp_path / "hub.key")) as hub:
        assert enrol(tmp_path).exit_code == 0, hub.log
        commands = CommandStore(Database(default_url(data), "square"))
        wait_for(lambda: [command.tags for command in commands.all()] == [{17}], 30)
        with Publishing(broker.port) as units:
            # A minute and no more: what is later than now is refused.
            units.messages(walk(17, start_s=time.time())[:60])
        with Subscriber(broker.port) as heard:
            routes: list[Any] = []

            def told(wanted: int) -> bool:
                routes.extend(body for at, body, _ in heard.messages(quiet_s=0.1, within_s=0.3) if at == topic)
                return bool(routes) and (len(parse_message(routes[-1]).data.segments) if routes[-1] else 0) == wanted

            wait_for(lambda: told(2), 30)
            route: Route = parse_message(routes[-1]).data
            assert [(segment.walkway, segment.observed) for segment in route.segments] == [("w001", True), ("w002", True)]
            assert "60 sightings deleted" in command(tmp_path, "withdraw", "steward-07").stdout
            wait_for(lambda: told(0), 30)
            assert routes[-1] == b""
        wait_for(lambda: [command.tags for command in commands.all()] == [frozenset()], 30)
        # Whoever comes later finds nothing retained.
        with Subscriber(broker.port) as later:
            assert [at for at, _, _ in later.messages(quiet_s=0.5, within_s=2) if at == topic] == []
        assert "5.37" not in hub.log
