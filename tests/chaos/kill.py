"""The kill test: accidents befall units, hub and broker in turn at random instants, and at the end nothing is missing or there twice.

Each unit plays recordings one after the other. A killed one begins its recording again, as a supervisor would have it. What the
hub then has in its store is compared with what the same recordings say when nobody is killed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import Incident, Phase, format_time, load_site, parse_message
from parvis_hub.command_line import CHANGE
from parvis_hub.intake.replay import replay
from parvis_hub.store import default_url
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from parvis.broker import HOST
from parvis.children import Child, Family, wait_for_port
from parvis.sounds import RATE_HZ, write_wav
from tests import postgres
from tests.chaos.accidents import LASTS_S, SHIFTED, Accident, fill, hang, jump, small_disk
from tests.chaos.line import Line
from tests.e2e.brokers import BrokerUnderTest

UNITS = ("u001", "u002")
#: Of one recording: short, so that many end, are begun again and follow one another.
SCENE_S = 8.0
#: A kill comes so long after the one before; a restarted program needs some seconds to be at work, and is killed before it, too.
BETWEEN_S = (0.1, 4.0)
#: How long the killed process stays away.
AWAY_S = (0.0, 1.0)
#: The units' pause between two tries is half a minute at most, and a dead line is noticed within a minute.
SETTLE_S = 150.0
#: Units say again what a broker without a memory may have lost, up to 40 s after they reached it.
CALM_S = 45.0
#: A unit waits some seconds for the hub at its end; a machine on which a hub takes longer than all of these to start is out of order.
_TRIES = 10

_PLAN = """\
site: chaos
profile: lab
origin: {lon: 5.3700, lat: 43.2960}
units:
  u001: {position: {lon: 5.3700, lat: 43.2960}, senses: [microphone], range_m: 40}
  u002: {position: {lon: 5.3790, lat: 43.2960}, senses: [microphone], range_m: 40}
"""


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        expected: Messages that the recordings say.
        missing: Of these, the ids that the hub has not.
        twice: Ids that the hub has more than once.
        unexplained: Messages that the hub has and the recordings do not say, other than the end of an event that was cut short.
        gaps: Sequence numbers that the hub believes missing.
        differing: Incidents that are not those of an undisturbed hub.
        retained: Ids of open incidents that the broker does not retain, or retains though they are not open.
        accidents: How often each happened.
    """

    expected: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    gaps: list[tuple[str, int, int]] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    retained: list[str] = field(default_factory=list)
    accidents: dict[str, int] = field(default_factory=dict)

    @property
    def flawless(self) -> bool:
        """Nothing lost, nothing twice, nothing different."""
        return not (self.missing or self.twice or self.unexplained or self.gaps or self.differing or self.retained)


class KillTest:
    """One run.

    Args:
        folder: For everything that it writes.
        broker: Which broker.
        seed: Of the instants.
        say: Told what happens.
        kinds: Of accidents, of those in :data:`tests.chaos.accidents.KINDS`.
    """

    def __init__(
        self, folder: Path, broker: BrokerUnderTest, seed: int, say: Callable[[str], None], kinds: Sequence[str] = ("kill",)
    ) -> None:
        self._folder, self._broker, self._say, self._kinds = folder, broker, say, kinds
        self._rng = random.Random(seed)
        self._begun = datetime.now(UTC).replace(microsecond=0)
        self._round = dict.fromkeys(UNITS, 0)
        self._happened: dict[str, int] = {}
        self._store = default_url(folder / "hub")
        self._offsets = {name: folder / f"{name}.offset" for name in ("hub", *UNITS)}
        for offset in self._offsets.values():
            offset.write_text("0")
        self._site = folder / "site.yaml"
        self._site.write_text(_PLAN)
        for unit in UNITS:
            noise = np.random.default_rng(len(unit)).integers(-300, 300, int(SCENE_S * RATE_HZ))
            write_wav(folder / f"{unit}.wav", noise.astype(np.int16))

    # --- running --------------------------------------------------------------------------------------------------------------

    def run(self, accidents: int) -> Verdict:
        """Has so many accidents happen, lets everything come to rest, and looks.

        Raises:
            PermissionError: A kind of accident needs root.
            FileNotFoundError: One needs a program that is missing.
        """
        with ExitStack() as stack:
            self._disks = {name: self._folder / name for name in ("hub", "units")}
            if self._broker.data is not None:
                self._disks["broker"] = self._broker.data
            if "full" in self._kinds:
                for folder in self._disks.values():
                    stack.enter_context(small_disk(folder))
            self._cluster = stack.enter_context(_database()) if "database" in self._kinds else None
            if self._cluster is not None:
                self._store = self._cluster.database()
            if "line" in self._kinds:
                self._lines = {name: Line(self._broker.port) for name in self._offsets}
                for line in self._lines.values():
                    stack.callback(line.close)
            return self._run(accidents, stack.enter_context(Family(self._folder)))

    def _run(self, accidents: int, family: Family) -> Verdict:
        self._family = family
        self._start("broker")
        self._start("hub")
        for unit in UNITS:
            self._start(unit)
        kinds = {kind: self._of_kind(kind) for kind in self._kinds}
        for number in range(accidents):
            self._live(self._rng.uniform(*BETWEEN_S))
            # Of one kind after the other, and of each all that it can befall.
            of_kind = kinds[self._kinds[number % len(kinds)]]
            accident = of_kind[number // len(kinds) % len(of_kind)]()
            self._say(f"{number + 1:3d}: {accident.what}")
            accident.befall()
            self._happened[accident.what] = self._happened.get(accident.what, 0) + 1
        if not self._broker.durable or "forget" in self._kinds:
            self._say(f"no more accidents; the street goes on for {CALM_S:.0f} s, in which what a forgetful broker lost is said again")
            self._live(CALM_S)
        self._say("no more accidents; the units play to their end")
        self._play_out()
        expected = self._expected()
        self._settle(set(expected))
        verdict = self._look(expected)
        verdict.accidents = self._happened
        return verdict

    def _of_kind(self, kind: str) -> list[Callable[[], Accident]]:
        """The accidents of a kind, each on one program; of the units, on any."""
        befall = {
            "kill": self._kill,
            "hang": lambda name: hang(self._family.children[name], self._live, self._rng.uniform),
            "full": lambda name: fill(self._disks["units" if name in UNITS else name], self._live, self._rng.uniform),
            "clock": lambda name: jump(self._offsets[name], self._live, self._rng.uniform),
            "line": self._cut,
            "forget": self._forget,
            "database": lambda _: self._kill_database(),
        }[kind]
        words = {"kill": "kill -9", "hang": "SIGSTOP", "full": "full disk", "clock": "clock off by an hour", "line": "dead line"}
        words |= {"forget": "kill -9, and nothing on its disk", "database": "kill -9"}
        on = {"clock": ("unit", "hub"), "line": ("unit", "hub"), "forget": ("broker",), "database": ("database",)}
        names = on.get(kind, ("unit", "hub", "broker"))

        def one(name: str) -> Accident:
            which = self._rng.choice(UNITS) if name == "unit" else name
            return Accident(f"{words[kind]}: {name}", lambda: befall(which))

        return [partial(one, name) for name in names]

    def _start(self, name: str) -> None:
        if name == "broker":
            wait_for_port(self._family.start("broker", self._broker.command(), used=True), HOST, self._broker.port, 30.0)
            return
        address = ["--broker", f"{HOST}:{self._lines[name].port if 'line' in self._kinds else self._broker.port}"]
        if name == "hub":
            before = SHIFTED.format(file=str(self._offsets["hub"]))
            program = [sys.executable, "-c", f"{before}\nfrom parvis_hub.cli import app; app()", "run", "--no-console", *address]
            data = ["--site", str(self._site), "--data-dir", str(self._folder / "hub"), "--store", self._store]
            self._family.start("hub", [*program, *data], used=True)
            return
        options = [*address, "--data-dir", str(self._folder / "units"), "--offset", str(self._offsets[name])]
        self._family.start(name, [*self._unit_program(name, self._round[name]), *options])

    def _unit_program(self, unit: str, *rounds: int) -> list[str]:
        starts = (format_time(self._begun + timedelta(seconds=number * SCENE_S)) for number in rounds)
        program = [sys.executable, "-m", "tests.chaos.unit", "--site", str(self._site), "--unit", unit]
        return [*program, "--audio", str(self._folder / f"{unit}.wav"), "--start", *starts]

    def _live(self, for_s: float) -> None:
        """Lets time pass; a unit that has come to the end of its recording begins the next."""
        until_s = time.monotonic() + for_s
        while time.monotonic() < until_s:
            for unit in UNITS:
                status = self._family.children[unit].returncode
                if status is not None:
                    if status:
                        raise self._family.children[unit].died()
                    self._round[unit] += 1
                    self._start(unit)
            self._supervise()
            time.sleep(0.02)

    def _supervise(self) -> None:
        """Whatever ends is begun again, as systemd does; but for what a person would have to change."""
        for name in ("hub", "broker"):
            status = self._family.children[name].returncode
            if status == CHANGE or (status is not None and "kill" in self._kinds):
                raise self._family.children[name].died()
            if status is not None:
                self._say(f"     {name} ended by itself with status {status}, and is begun again")
                self._start(name)

    def _kill(self, name: str, lose: Callable[[], None] = lambda: None) -> None:
        self._family.children[name].kill()
        lose()
        time.sleep(self._rng.uniform(*AWAY_S))
        self._start(name)

    def _forget(self, name: str) -> None:
        """The broker's disk is new."""

        def lose() -> None:
            for file in self._disks[name].iterdir():
                file.unlink()

        self._kill(name, lose)

    def _cut(self, name: str) -> None:
        self._lines[name].cut()
        self._live(self._rng.uniform(*LASTS_S))
        self._lines[name].mend()

    def _kill_database(self) -> None:
        assert self._cluster is not None
        self._cluster.kill()
        self._live(self._rng.uniform(*LASTS_S))
        self._cluster.start()

    def _play_out(self) -> None:
        """To the end; a unit that found no hub, and kept what it had to say, is started again, as a supervisor would."""
        for unit in UNITS:
            for _ in range(_TRIES):
                child: Child = self._family.children[unit]
                if child.wait(SETTLE_S) != 0:
                    raise child.died()
                if "not everything is delivered" not in child.last_lines(3):
                    break
                self._start(unit)

    def _settle(self, expected: set[str]) -> None:
        """Until the hub has everything, and for two seconds more, in which something might come twice; or until nothing more comes."""
        until_s, stored = time.monotonic() + SETTLE_S, set[str]()
        while time.monotonic() < until_s and not expected <= stored:
            self._supervise()
            time.sleep(0.2)
            before, stored = stored, {row[0] for row in self._rows("SELECT id FROM events")}
            if stored != before:
                until_s = time.monotonic() + SETTLE_S
        time.sleep(2.0)

    # --- looking --------------------------------------------------------------------------------------------------------------

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        engine = create_engine(self._store)
        try:
            if engine.dialect.name == "sqlite" and not (self._folder / "hub" / "hub.sqlite").exists():
                return []
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(query))]
        except SQLAlchemyError:
            return []
        finally:
            engine.dispose()

    def _expected(self) -> dict[str, bytes]:
        """What the recordings say when nobody is killed, in order of time, by id."""
        lines: list[bytes] = []
        for unit in UNITS:
            program = [*self._unit_program(unit, *range(self._round[unit] + 1)), "--stdout"]
            lines += subprocess.run(program, check=True, capture_output=True).stdout.splitlines()
        return {json.loads(line)["id"]: line for line in sorted(lines, key=lambda line: json.loads(line)["time"])}

    def _look(self, expected: dict[str, bytes]) -> Verdict:
        stored = [(row[0], parse_message(row[1])) for row in self._rows('SELECT id, message FROM events ORDER BY "row"')]
        ids = [each for each, _ in stored]
        verdict = Verdict(expected=len(expected))
        verdict.missing = sorted(set(expected) - set(ids))
        verdict.twice = sorted({each for each in ids if ids.count(each) > 1})
        events = {str(parse_message(line).event_id) for line in expected.values()}
        verdict.unexplained = [
            each
            for each, message in stored
            if each not in expected and not (message.data.phase is Phase.END and str(message.event_id) in events)
        ]
        verdict.gaps = [(unit, first, last) for unit, first, last in self._rows('SELECT unit, "first", "last" FROM gaps')]
        verdict.differing = self._differing(expected)
        verdict.retained = self._retained()
        return verdict

    def _differing(self, expected: dict[str, bytes]) -> list[str]:
        log = [(f"expected:{number}", line) for number, line in enumerate(expected.values(), 1)]
        wanted = {str(each.data.incident): _lasting(each.data) for each in replay(load_site(self._site), log, lambda *_: None).incidents}
        query = "SELECT id, message FROM incidents WHERE superseded_by IS NULL"
        found = {each: _lasting(parse_message(message).data) for each, message in self._rows(query)}
        return sorted(each for each in wanted.keys() | found.keys() if wanted.get(each) != found.get(each))

    def _retained(self) -> list[str]:
        """Open incidents and what a newcomer would be told of: the same, or this is what differs."""
        wanted = {row[0] for row in self._rows("SELECT id FROM incidents WHERE state = 'open' AND superseded_by IS NULL")}
        told: set[str] = set()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.on_message = lambda _, __, message: told.add(message.topic.rsplit("/", 1)[1]) if message.retain else None
        client.connect(HOST, self._broker.port)
        client.subscribe("parvis/v1/chaos/incident/+", 1)
        until_s = time.monotonic() + 3.0
        while time.monotonic() < until_s:
            client.loop(0.1)
        client.disconnect()
        return sorted(wanted ^ told)


def _database() -> AbstractContextManager[postgres.Postgres]:
    programs = postgres.programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL with PostGIS is missing: apt install postgresql-postgis, or leave out `database`")
    return postgres.cluster(programs)


def _lasting(incident: Incident) -> dict[str, Any]:
    """An incident without what depends on when one looks."""
    return incident.model_dump(exclude={"state", "operator"})
