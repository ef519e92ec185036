"""``make compose-test``: the page of ``deploy/compose`` followed as written, with a unit that enrols, hears and speaks all the while.

python -m tests.compose
python -m tests.compose --keep /tmp/trial

Wants an engine of Docker on this machine that may publish ports 8080, 8883 and 8884 (a rootless one will do).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from parvis import sounds
from parvis.children import Child, ChildDied
from tests.compose.stack import Stack, StackError, engine_missing, say, wait
from tests.docs.pages import ROOT

PLAN = """\
site: vieux-port
profile: lab
timezone: Europe/Paris
origin: {lon: 5.37, lat: 43.296}
units:
  u017: {position: {lon: 5.36985, lat: 43.29641}, senses: [microphone]}
"""
#: A shot every so often.
EVERY_S = 3.0
PASSWORD = "a long enough password\n"
STORE = "--site /etc/parvis/site.yaml --store postgresql://hub@/parvis"
#: Bits of /proc/PID/status for no capabilities at all.
NONE = "0000000000000000"


def main() -> None:
    """Runs all steps; ends with 1 if something is not as the page says, with 2 if there is no engine."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.compose", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder to work in, and to leave")
    asked = parser.parse_args()
    if (missing := engine_missing()) is not None:
        raise SystemExit(f"error: {missing}")
    folder = (asked.keep or Path(tempfile.mkdtemp(prefix="parvis-compose-"))).resolve()
    stack, trial = Stack(folder, PLAN), Trial(folder)
    begun_s = time.monotonic()
    try:
        stack.remove()
        for step in (set_up, look_in, sense, show, go_down_and_up, come_back):
            say(f"{step.__name__.replace('_', ' ')}: {step.__doc__}")
            step(stack, trial)
    except (StackError, ChildDied) as error:
        raise SystemExit(f"{stack.logs()}\n{error}") from None
    finally:
        trial.end()
        stack.remove()
        if asked.keep is None:
            shutil.rmtree(folder)
    say(f"all of it: {time.monotonic() - begun_s:.0f} s")


class Trial:
    """The unit, and what is known of it.

    Args:
        folder: For its key, its outbox and what it hears.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = ""
        self.unit: Child | None = None

    def edge(self, *words: object) -> list[str]:
        """A command of the unit's program."""
        return [sys.executable, "-c", "from parvis_edge.cli import app; app()", *map(str, words)]

    def enrol(self, claim: Path) -> None:
        """As the installer does.

        Raises:
            StackError: It is not let in.
        """
        for left in ("identity", "outbox"):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        child = Child("enrol", self.edge("enrol", "--claim", claim, "--identity", self.folder / "identity"), self.folder / "enrol.log")
        if child.wait(60.0) != 0:
            raise StackError(child.last_lines(20))

    def listen(self, lasts_s: float) -> None:
        """The unit hears a shot every few seconds for so long, in real time, and then ends by itself."""
        shots = [
            sounds.Source(sounds.gunshot(np.random.default_rng(number)), 2.0 + EVERY_S * number, 150.0, sounds.still(4.0, 6.0))
            for number in range(int((lasts_s - 4.0) / EVERY_S))
        ]
        sounds.write_wav(self.folder / "shots.wav", sounds.heard(shots, (0.0, 0.0), lasts_s, 15.0, 1))
        heard = ["--audio", self.folder / "shots.wav", "--pace", "real", "--data-dir", self.folder / "outbox"]
        self.unit = Child("unit", self.edge("watch", "--identity", self.folder / "identity", *heard), self.folder / "unit.log")

    def end(self) -> None:
        """Ends the unit."""
        if self.unit is not None:
            self.unit.end()

    def ended(self) -> None:
        """Waits until the unit has heard all, and its outbox is empty.

        Raises:
            ChildDied: It has not.
        """
        if self.unit is not None and self.unit.wait(300.0) != 0:
            raise self.unit.died()

    def incidents(self) -> list[str]:
        """The names of the incidents that the console shows."""
        answer = httpx.get("http://127.0.0.1:8080/api/incidents", headers={"authorization": f"Bearer {self.token}"}, trust_env=False)
        answer.raise_for_status()
        return sorted(each["incident"]["incident"] for each in answer.json()["incidents"])


def set_up(stack: Stack, trial: Trial) -> None:
    """The page's first block, and a claim."""
    stack.follow("cd deploy/compose", PASSWORD)
    stack.follow("docker compose run --rm --no-deps -T hub fleet claim")
    trial.enrol(stack.folder / "u017-claim.json")
    read = stack.compose("run", "--rm", "--no-deps", "-T", "hub", "tokens", "add", STORE, "--may", "see-incidents", "trial")
    trial.token = read.strip()


def look_in(stack: Stack, trial: Trial) -> None:
    """Each container is shut in as the page says."""
    del trial
    for service in ("hub", "broker", "postgresql", "prometheus"):
        status = dict(line.split(":\t", 1) for line in stack.inside(service, "cat", "/proc/1/status").splitlines() if ":\t" in line)
        for name in ("CapEff", "CapPrm", "CapBnd"):
            expect(status[name], NONE, f"{service}: {name}")
        expect(status["NoNewPrivs"], "1", f"{service}: no new privileges")
        expect("0" in status["Uid"].split(), False, f"{service}: root")
        refused = stack.inside(service, "sh", "-c", "'touch /etc/x /usr/x /x 2>&1 || true'")
        expect(refused.count("Read-only file system"), 3, f"{service}: read-only")
    expect(stack.inside("postgresql", "ls", "/sys/class/net").split(), ["lo"], "networks of the database")
    expect(stack.inside("broker", "ls", "/var/lib/parvis-hub/.parvis/fleet").split(), ["broker"], "what the broker sees of the fleet")
    refused = stack.inside("broker", "sh", "-c", "'touch /var/lib/parvis-hub/.parvis/fleet/broker/x 2>&1 || true'")
    expect("Read-only file system" in refused, True, "the broker writes what is the hub's")
    # No route leads out of its network, so an address elsewhere is unreachable at once, and not tried for long.
    reached = stack.inside("prometheus", "promtool", "query", "instant", "http://192.0.2.1:9090", "up", "2>&1", "||", "true")
    expect("network is unreachable" in reached, True, f"Prometheus reaches out: {reached}")
    expect(stack.sql("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'hub'"), "f", "the hub's role may more")
    refused = stack.compose(
        "exec", "-T", "hub", "/opt/parvis/bin/python", "-c",
        "'import psycopg; psycopg.connect(\"postgresql://postgres@/parvis\")'", "2>&1", "||", "true",
    )  # fmt: skip
    expect('Peer authentication failed for user "postgres"' in refused, True, f"the hub is the database's administrator: {refused}")


def sense(stack: Stack, trial: Trial) -> None:
    """The unit hears a shot, and the console shows an incident."""
    del stack
    trial.listen(240.0)
    wait("an incident on the console", trial.incidents)


def show(stack: Stack, trial: Trial) -> None:
    """Prometheus reads the hub, understands every question of the dashboard, and has an answer to those that always have one."""
    del trial
    wait("Prometheus has read the hub", lambda: stack.query("sum(parvis_hub_received_total) > 0"))
    for panel in json.loads((ROOT / "deploy/grafana/parvis.json").read_text())["panels"]:
        for target in panel["targets"]:
            found = stack.query(target["expr"])
            say(f"  {len(found)} of {target['expr']}")
            # Units tell Prometheus themselves, where they are asked to; nothing is refused here; and all of these come and go.
            always = not re.search(r"parvis_edge|refused| > 0$", target["expr"])
            expect(bool(found) or not always, True, f"{panel['title']}: {target['expr']} has no answer")


def go_down_and_up(stack: Stack, trial: Trial) -> None:
    """All ends and comes back while the unit goes on; nothing of what it said is missing."""
    before = trial.incidents()
    stack.compose("down")
    time.sleep(3 * EVERY_S)
    stack.compose("up", "--detach", "--wait")
    expect(set(before) <= set(trial.incidents()), True, "incidents from before are gone")
    trial.ended()
    said = max(json.loads(line)["data"]["sequence"] for line in stack.sql("SELECT message FROM events").splitlines())
    wait("no message is missing", lambda: stack.sql("SELECT count(*) FROM gaps") == "0")
    say(f"  numbers up to {said}, {stack.sql('SELECT count(*) FROM events')} events, {len(trial.incidents())} incidents")


def come_back(stack: Stack, trial: Trial) -> None:
    """A backup; all is thrown away; restored, it has what it had, and lets the unit in that had enrolled."""
    stack.follow("umask 077")
    before, events = trial.incidents(), stack.sql("SELECT count(*) FROM events")
    stack.remove()
    stack.follow("docker compose up --detach --wait postgresql\ndocker compose run --rm --no-deps -T --entrypoint tar")
    expect(trial.incidents(), before, "incidents after the restore")
    trial.listen(30.0)
    wait("an event of the unit", lambda: int(stack.sql("SELECT count(*) FROM events")) > int(events))


def expect(found: object, wanted: object, what: str) -> None:
    """Raises StackError if something is not as it should be."""
    if found != wanted:
        raise StackError(f"{what}: found {found!r}, wanted {wanted!r}")


if __name__ == "__main__":
    main()
