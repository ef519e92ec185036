"""The kill test: units, hub and broker are killed in turn at random instants, and at the end nothing is missing or there twice.

Each unit plays recordings one after the other. A killed one begins its recording again, as a supervisor would have it. What the
hub then has in its store is compared with what the same recordings say when nobody is killed.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import Incident, Phase, format_time, load_site, parse_message
from parvis_hub.intake.replay import replay

from parvis.broker import HOST
from parvis.children import Child, Family, wait_for_port
from parvis.sounds import RATE_HZ, write_wav
from tests.e2e.brokers import BrokerUnderTest

UNITS = ("u001", "u002")
#: Of one recording: short, so that many end, are begun again and follow one another.
SCENE_S = 8.0
#: A kill comes so long after the one before; a restarted program needs some seconds to be at work, and is killed before it, too.
BETWEEN_S = (0.1, 4.0)
#: How long the killed process stays away.
AWAY_S = (0.0, 1.0)
#: The units' pause between two tries is half a minute at most.
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
        deaths: How often each was killed.
    """

    expected: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    gaps: list[tuple[str, int, int]] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    retained: list[str] = field(default_factory=list)
    deaths: dict[str, int] = field(default_factory=dict)

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
    """

    def __init__(self, folder: Path, broker: BrokerUnderTest, seed: int, say: Callable[[str], None]) -> None:
        self._folder, self._broker, self._say = folder, broker, say
        self._rng = random.Random(seed)
        self._begun = datetime.now(UTC).replace(microsecond=0)
        self._round = dict.fromkeys(UNITS, 0)
        self._deaths: dict[str, int] = {}
        self._site = folder / "site.yaml"
        self._site.write_text(_PLAN)
        for unit in UNITS:
            noise = np.random.default_rng(len(unit)).integers(-300, 300, int(SCENE_S * RATE_HZ))
            write_wav(folder / f"{unit}.wav", noise.astype(np.int16))

    # --- running --------------------------------------------------------------------------------------------------------------

    def run(self, kills: int) -> Verdict:
        """Kills so often, lets everything come to rest, and looks."""
        with Family(self._folder) as family:
            self._start_broker(family)
            self._start_hub(family)
            for unit in UNITS:
                self._start_unit(family, unit)
            for number in range(kills):
                self._live(family, self._rng.uniform(*BETWEEN_S))
                self._kill(family, ("unit", "hub", "broker")[number % 3], number)
            if not self._broker.durable:
                self._say(f"no more kills; the street goes on for {CALM_S:.0f} s, in which what a forgetful broker lost is said again")
                self._live(family, CALM_S)
            self._say("no more kills; the units play to their end")
            self._play_out(family)
            expected = self._expected()
            self._settle(family, set(expected))
            verdict = self._look(expected)
        verdict.deaths = self._deaths
        return verdict

    def _start_broker(self, family: Family) -> None:
        wait_for_port(family.start("broker", self._broker.command(), used=True), HOST, self._broker.port, 30.0)

    def _start_hub(self, family: Family) -> None:
        program = [sys.executable, "-c", "from parvis_hub.cli import app; app()", "run", "--no-console"]
        data = ["--site", str(self._site), "--broker", f"{HOST}:{self._broker.port}", "--data-dir", str(self._folder / "hub")]
        family.start("hub", [*program, *data], used=True)

    def _start_unit(self, family: Family, unit: str) -> None:
        options = ["--broker", f"{HOST}:{self._broker.port}", "--data-dir", str(self._folder)]
        family.start(unit, [*self._unit_program(unit, self._round[unit]), *options])

    def _unit_program(self, unit: str, number: int) -> list[str]:
        start = self._begun + timedelta(seconds=number * SCENE_S)
        program = [sys.executable, "-m", "tests.chaos.unit", "--site", str(self._site), "--unit", unit]
        return [*program, "--audio", str(self._folder / f"{unit}.wav"), "--start", format_time(start)]

    def _live(self, family: Family, for_s: float) -> None:
        """Lets time pass; a unit that has come to the end of its recording begins the next."""
        until_s = time.monotonic() + for_s
        while time.monotonic() < until_s:
            for unit in UNITS:
                status = family.children[unit].returncode
                if status is not None:
                    if status:
                        raise family.children[unit].died()
                    self._round[unit] += 1
                    self._start_unit(family, unit)
            for name in ("hub", "broker"):
                if family.children[name].returncode is not None:
                    raise family.children[name].died()
            time.sleep(0.02)

    def _kill(self, family: Family, kind: str, number: int) -> None:
        name = self._rng.choice(UNITS) if kind == "unit" else kind
        away_s = self._rng.uniform(*AWAY_S)
        self._say(f"{number + 1:3d}: kill -9 {name}, back in {away_s:.1f} s")
        family.children[name].kill()
        self._deaths[name] = self._deaths.get(name, 0) + 1
        time.sleep(away_s)
        if kind == "unit":
            self._start_unit(family, name)
        elif kind == "hub":
            self._start_hub(family)
        else:
            self._start_broker(family)

    def _play_out(self, family: Family) -> None:
        """To the end; a unit that found no hub, and kept what it had to say, is started again, as a supervisor would."""
        for unit in UNITS:
            for _ in range(_TRIES):
                child: Child = family.children[unit]
                if child.wait(SETTLE_S) != 0:
                    raise child.died()
                if "not everything is delivered" not in child.last_lines(3):
                    break
                self._start_unit(family, unit)

    def _settle(self, family: Family, expected: set[str]) -> None:
        """Until the hub has everything, and for two seconds more, in which something might come twice; or until it takes too long."""
        until_s = time.monotonic() + SETTLE_S
        while time.monotonic() < until_s and not expected <= {row[0] for row in self._rows("SELECT id FROM events")}:
            if family.children["hub"].returncode is not None:
                raise family.children["hub"].died()
            time.sleep(0.2)
        time.sleep(2.0)

    # --- looking --------------------------------------------------------------------------------------------------------------

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        path = self._folder / "hub" / "hub.sqlite"
        if not path.exists():
            return []
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            database.close()

    def _expected(self) -> dict[str, bytes]:
        """What the recordings say when nobody is killed, in order of time, by id."""
        lines: list[bytes] = []
        for unit in UNITS:
            for number in range(self._round[unit] + 1):
                printed = subprocess.run([*self._unit_program(unit, number), "--stdout"], check=True, capture_output=True)
                lines += printed.stdout.splitlines()
        return {json.loads(line)["id"]: line for line in sorted(lines, key=lambda line: json.loads(line)["time"])}

    def _look(self, expected: dict[str, bytes]) -> Verdict:
        stored = [(row[0], parse_message(row[1])) for row in self._rows("SELECT id, message FROM events ORDER BY row")]
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


def _lasting(incident: Incident) -> dict[str, Any]:
    """An incident without what depends on when one looks."""
    return incident.model_dump(exclude={"state", "operator"})
