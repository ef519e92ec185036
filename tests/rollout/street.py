"""A street of real parts for rollouts: hub, broker with certificates of both sides, repository, and units with the shipped models.

Each program runs in a process of its own; a unit is started again when it ends, and killed when it says no more that it lives, as systemd
does. What units hear is computed; nothing that anybody recorded is played.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from parvis_contract import format_time, load_site
from parvis_contract.signing import SigningKey
from parvis_hub.cli import app as hub_app
from parvis_models.cli import app as models_app
from typer import Typer
from typer.testing import CliRunner

from parvis import sounds
from parvis.children import Family, wait_for_port
from tests.broker import free_port
from tests.hub.fleet.town import Town

T = TypeVar("T")

#: The model that is brought to the units, and the version that they are shipped with.
MODEL, SHIPPED = "yamnet", "1.1.0"
#: A shot so often.
EVERY_S = 2.0
#: A unit that says for so long no more that it lives is killed; the shipped service waits for 30 s.
PATIENCE_S = 15.0
_LOOK_S = 0.1
_SITE = """\
site: vieux-port
profile: lab
origin: {{lon: 5.37, lat: 43.296}}
units:
{units}
hub_keys: [{key}]
"""


class NeverCame(AssertionError):
    """What was waited for did not come."""


def wait_for(what: Callable[[], T], within_s: float, why: Callable[[], object] | str) -> T:
    """Asks until the answer is true, and gives it.

    Raises:
        NeverCame: It never was.
    """
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if answer := what():
            return answer
        time.sleep(_LOOK_S)
    raise NeverCame(f"not within {within_s:.0f} s: {why if isinstance(why, str) else why()}")


def edge(*arguments: object) -> list[str]:
    """A command of the unit's program."""
    return [sys.executable, "-c", "from parvis_edge.cli import app; app()", *map(str, arguments)]


def command(app: Typer, *arguments: object) -> str:
    """A command of hub or publisher, in this process; fails if it does."""
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == 0, f"{arguments}: {done.output}"
    return done.output


def long_ago(days: int, program: Sequence[str]) -> list[str]:
    """A command whose clock is behind by so many days (faketime(1))."""
    return ["faketime", "-f", f"-{days}d", *program]


class Unit:
    """One unit's program, and whoever starts it again.

    Args:
        name: Of the unit.
        folder: Of its log, its data and its identity.
        sources: `--audio FILE` and the like.
        environment: What differs from this process's.

    Attributes:
        ends: How each of its processes ended that nobody asked to: the exit code, or a signal's number below zero.
        sources: As given.
        begun: When its recordings began, the last time that it was started.
        silences: How often it was killed because it said no more that it lives.
    """

    def __init__(self, name: str, folder: Path, sources: Sequence[object], environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.data = folder / f"{name}-data"
        self.identity = folder / name
        self.log = folder / f"{name}.log"
        self.ends: list[int] = []
        self.silences = 0
        self.begun = ""
        self.sources = sources
        self._environment = environment or {}
        self._root = folder / "root.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = threading.Event()
        self._line: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Starts it, and has it started again whenever it ends by itself."""
        self._environment = self._environment if environment is None else environment
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # In the abstract name space, whose names need no file; its length is limited.
        self._line.bind(f"\0parvis-{os.getpid()}-{self.name}-{time.monotonic_ns()}")
        self._line.settimeout(_LOOK_S)
        self._wanted.set()
        self._begin()
        self._thread = threading.Thread(target=self._look_after, daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        assert self._line is not None
        address = self._line.getsockname()
        environment = {"NOTIFY_SOCKET": f"@{address[1:].decode()}", "WATCHDOG_USEC": f"{PATIENCE_S * 1e6:.0f}", "OMP_NUM_THREADS": "1"}
        arguments = [
            "--identity",
            self.identity,
            "--update-root",
            self._root,
            "--data-dir",
            self.data,
            "--pace",
            "real",
            "--telemetry-s",
            2,
        ]
        self.begun = format_time(datetime.now(UTC))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                edge("watch", *arguments, "--start", self.begun, *self.sources),
                stderr=log,
                env=os.environ | environment | dict(self._environment),
            )

    def _look_after(self) -> None:
        alive_s: float | None = None
        while self._wanted.is_set():
            assert self._line is not None
            assert self._process is not None
            try:
                said = self._line.recv(4_096)
                alive_s = None if said == b"STOPPING=1" else time.monotonic()
            except TimeoutError:
                pass
            if alive_s is not None and time.monotonic() - alive_s > PATIENCE_S:
                self.silences += 1
                self.kill()
            code = self._process.poll()
            if code is not None and self._wanted.is_set():
                self.ends.append(code)
                alive_s = None
                time.sleep(0.2)
                self._begin()

    def kill(self) -> None:
        """Kills the process; it is started again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ends it in order, and it stays ended."""
        self._wanted.clear()
        if self._thread is not None:
            self._thread.join()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30.0)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._line is not None:
            self._line.close()

    def said(self) -> list[dict[str, Any]]:
        """Its log, line by line."""
        lines = []
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else ():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def state(self) -> dict[str, Any]:
        """What it knows of the model's updates."""
        try:
            return dict(json.loads((self.data / "update" / "models" / MODEL / "state.json").read_bytes()))
        except (OSError, ValueError):
            return {}


class Street:
    """All of it, for as long as the block.

    Args:
        folder: For everything that it writes.
        mosquitto: The broker's program.
        senses: Of each unit, by its name: `microphone`, `camera`, or both.
        sources: What each sense of that name plays.
        members: The units that rollouts are for; the others are for a trial of their own.
        days_ago: When the repository was begun.
    """

    def __init__(
        self,
        folder: Path,
        mosquitto: Path,
        senses: Mapping[str, Sequence[str]],
        sources: Mapping[str, Path],
        *,
        members: Sequence[str],
        days_ago: int = 0,
    ) -> None:
        self.folder = folder
        self._mosquitto = mosquitto
        self._senses = senses
        self.members = members
        self._stack = ExitStack()
        self._family = Family(folder)
        self.key = SigningKey.make()
        self.key.save(folder / "signing.key")
        self.town = Town.build(folder)
        self.plan = folder / "site.yaml"
        self.plan.write_text(self.plan_text())
        self.town.site = load_site(self.plan)
        self.town.tell_broker()
        self.console = f"http://127.0.0.1:{free_port()}"
        options = {"camera": "--video", "microphone": "--audio"}
        self.units = {
            name: Unit(name, folder, [part for sense in held for part in (options[sense], sources[sense])]) for name, held in senses.items()
        }
        self.repository, self.keys = folder / "repository", folder / "keys"
        begun = ["publish", "init", self.repository, "--keys", self.keys, "--no-password"]
        if days_ago:
            program = [sys.executable, "-c", "from parvis_models.cli import app; app()"]
            subprocess.run(long_ago(days_ago, [*program, *map(str, begun)]), check=True, capture_output=True)
        else:
            command(models_app, *begun)
        (folder / "root.json").write_bytes((self.repository / "metadata" / "1.root.json").read_bytes())

    def plan_text(self, profile: str = "lab", more: Mapping[str, str] | None = None) -> str:
        """The site plan, with another profile or more of a unit."""
        units = "\n".join(
            f"  {name}: {{position: {{lon: 5.36985, lat: 43.29641}}, senses: [{', '.join(held)}]{(more or {}).get(name, '')}}}"
            for name, held in self._senses.items()
        )
        return _SITE.format(units=units, key=self.key.public_key).replace("profile: lab", f"profile: {profile}")

    def __enter__(self) -> Self:
        self._stack.callback(self.town.database.close)
        self._stack.enter_context(self.town.broker(self._mosquitto))
        self._stack.enter_context(self._family)
        own = self.town.folder.path / "hub.pem"
        secure = ["--tls-ca", self.town.folder.path / "ca.pem", "--tls-cert", own, "--tls-key", own]
        fleet = ["--fleet-dir", self.town.folder.path, "--fleet-listen", f"127.0.0.1:{self.town.hub_port}", "--repository", self.repository]
        run = ["run", "--site", self.plan, "--broker", f"127.0.0.1:{self.town.broker_port}", "--data-dir", self.folder]
        more = ["--signing-key", self.folder / "signing.key", "--listen", self.console.removeprefix("http://")]
        program = [sys.executable, "-c", "from parvis_hub.cli import app; app()"]
        hub = self._family.start("hub", [*program, *map(str, [*run, *secure, *fleet, *more])])
        wait_for_port(hub, "127.0.0.1", self.town.hub_port, 60.0)
        enrolling = {}
        for name, unit in self.units.items():
            claim = self.folder / f"{name}-claim.json"
            claim.write_text(self.town.claim(name).model_dump_json())
            enrolling[name] = self._family.start(f"enrol-{name}", edge("enrol", "--claim", claim, "--identity", unit.identity))
        for child in enrolling.values():
            assert child.wait(120.0) == 0, child.last_lines(20)
        for unit in self.units.values():
            self._stack.callback(unit.stop)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    # --- what people do -------------------------------------------------------------------------------------------------------

    def hub(self, *arguments: object) -> str:
        """`parvis-hub …` on this hub's store."""
        group, name, *rest = arguments
        return command(hub_app, group, name, "--site", self.plan, "--data-dir", self.folder, *rest)

    def publish(self, bundle: Path) -> None:
        """Two holders list a bundle, and the online keys tell units."""
        keys = [part for number in (1, 2) for part in ("--key", self.keys / f"targets-{number}.pem")]
        command(models_app, "publish", "add", self.repository, bundle, *keys, "--online", self.keys / "online")

    def begin(self, version: str, canary: str, *, soak: str = "0h", units: Sequence[str] = ()) -> None:
        """`parvis-hub rollout start`, for the members if not for these units."""
        those = [part for unit in units or self.members for part in ("--unit", unit)]
        asked = ["--repository", self.repository, "--model", MODEL, "--version", version, "--canary", canary, "--shares", "50,100"]
        self.hub("rollout", "start", *asked, "--soak", soak, *those, "--by", "m-roux")

    def steer(self, act: str) -> dict[str, Any]:
        """At the console."""
        headers = {"content-type": "application/json", "x-parvis-console": "1"}
        url = f"{self.console}/api/rollouts/{self.rollout()['id']}/{act}"
        request = urllib.request.Request(url, b'{"by": "m-roux"}', headers, method="POST")
        with urllib.request.urlopen(request, timeout=30.0) as answer:
            return dict(json.load(answer))

    # --- what the console shows -----------------------------------------------------------------------------------------------

    def asked(self, path: str) -> Any:
        """What the console's API answers."""
        with urllib.request.urlopen(f"{self.console}/api/{path}", timeout=30.0) as answer:
            return json.load(answer)

    def rollout(self) -> dict[str, Any]:
        """The last rollout."""
        return dict(self.asked("fleet")["rollouts"][0])

    def steps(self) -> dict[str, str]:
        """How far each unit is in it."""
        return {unit["name"]: unit["step"] for ring in self.rollout()["rings"] for unit in ring["units"]}

    def until(self, *phases: str, within_s: float) -> dict[str, Any]:
        """Waits until the last rollout is in one of these phases, and gives it."""
        return (
            wait_for(lambda: (now := self.rollout())["phase"] in phases and now, within_s, lambda: (self.rollout(), self.versions())) or {}
        )

    def versions(self) -> dict[str, str | None]:
        """Which version of the model each unit says that it runs."""
        return {unit["name"]: unit["models"].get(MODEL) for unit in self.asked("fleet")["units"]}

    def healthy(self, *names: str) -> bool:
        """Whether these units say that they are well."""
        shown = {unit["name"]: unit for unit in self.asked("units")["units"]}
        return all(shown[name]["state"] == "healthy" and not shown[name]["silent"] for name in names)

    def missing(self) -> dict[str, int]:
        """Sequence numbers that the hub has not received, by unit."""
        return {unit["name"]: unit["missing"] for unit in self.asked("units")["units"]}

    def events(self, unit: str) -> list[str]:
        """Ids of a unit's events at the hub, in the order of arrival."""
        with self.town.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT id FROM events WHERE unit = ? ORDER BY row", (unit,))
            return [row[0] for row in rows]

    def undisturbed(self, unit: Unit, count: int) -> list[str]:
        """Ids of the first events that the recording holds, as a unit says them that takes no update."""
        plan = unit.identity / "site.yaml"
        command = edge("watch", "--site", plan, "--unit", unit.name, *unit.sources, "--start", unit.begun, "--stdout")
        said: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
            assert program.stdout is not None
            for line in program.stdout:
                message = json.loads(line)
                said += [message["id"]] if message["data"].get("phase") else []
                if len(said) == count:
                    program.kill()
                    break
        return said


def street_sound(path: Path, lasts_s: float) -> Path:
    """Shots over distant traffic: half a minute, again and again."""
    again_s = min(30.0, lasts_s)
    shots = [
        sounds.Source(sounds.gunshot(np.random.default_rng(number)), 1.0 + EVERY_S * number, 150.0, sounds.still(4.0, 6.0))
        for number in range(int((again_s - 2.0) / EVERY_S))
    ]
    heard = sounds.heard(shots, (0.0, 0.0), again_s, 15.0, 1)
    sounds.write_wav(path, np.tile(heard, round(lasts_s / again_s)))
    return path
