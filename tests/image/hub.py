"""A hub with its listener, its broker and its repository of updates, as docs/installer.md and docs/maintainer.md start them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from parvis_contract.signing import SigningKey

from tests.broker import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
#: As an emulated machine sees the one that emulates it (QEMU's user networking).
HOST = "10.0.2.2"
UNIT = "u017"
_SITE = """\
site: vieux-port
profile: lab
origin: {{lon: 5.37, lat: 43.296}}
hub_keys: [{key}]
units:
  u017: {{position: {{lon: 5.36985, lat: 43.29641}}, senses: [microphone]}}
zones:
  terrace: {{kind: noise, unit: u017, limit_db: 60, period_s: 10}}
"""


class Hub:
    """Hub, listener and mosquitto, on the loopback alone. A folder that has one already is gone on with, at the same addresses.

    Args:
        folder: Where all that is theirs is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site, self.key, self.ports = folder / "site.yaml", folder / "signing.key", folder / "ports.json"
        self.fleet, self.data, self.repository, self.keys = (folder / name for name in ("fleet", "hub", "repository", "keys"))
        self._store = ["--site", self.site, "--data-dir", self.data]
        self._hub: subprocess.Popen[bytes] | None = None
        self._broker: subprocess.Popen[bytes] | None = None
        if not self.ports.exists():
            self._begin()
        self.listener, self.broker, self.console = json.loads(self.ports.read_text())

    def _begin(self) -> None:
        self.folder.mkdir(parents=True)
        self.tool("keys", "new", self.key)
        self.site.write_text(_SITE.format(key=SigningKey.load(self.key).public_key))
        listener, broker, console = free_port(), free_port(), free_port()
        broker_data = self.folder / "mosquitto"
        broker_data.mkdir()
        # Which takes on this name where root starts it, and has to keep there what it still has to say.
        shutil.chown(broker_data, "mosquitto", "mosquitto")
        addresses = ["--hub", f"https://{HOST}:{listener}", "--broker", f"{HOST}:{broker}", "--also", "127.0.0.1"]
        self.tool("fleet", "init", *self._store, "--fleet-dir", self.fleet, *addresses, "--broker-data", broker_data)
        one = [word for role in ("root", "targets") for word in (f"--{role}-keys", "1", f"--{role}-threshold", "1")]
        self._tool("parvis-models", "publish", "init", self.repository, "--keys", self.keys, *one, "--no-password")
        self.ports.write_text(json.dumps([listener, broker, console]))

    def tool(self, *words: object) -> str:
        """Runs one of the hub's commands."""
        return self._tool("parvis-hub", *words)

    def _tool(self, program: str, *words: object) -> str:
        done = subprocess.run([BIN / program, *map(str, words)], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{program} {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def claim(self) -> Path:
        """A claim for the unit."""
        path = self.folder / f"{UNIT}-claim.json"
        self.tool("fleet", "claim", *self._store, "--fleet-dir", self.fleet, "--unit", UNIT, "--write", path)
        return path

    @property
    def trusted(self) -> Path:
        """Whom the card's updates have to be signed by."""
        return self.repository / "metadata" / "1.root.json"

    def publish(self, *words: object) -> None:
        """Lists a bundle, or with ``--file NAME=FILE`` a root; signed, and told to units."""
        signed = ["--key", self.keys / "targets-1.pem", "--online", self.keys / "online"]
        self._tool("parvis-models", "publish", "add", self.repository, *words, *signed)

    def release(self, model: str, version: str, soak: str = "0h") -> None:
        """Begins a rollout to the one unit."""
        words = ["--repository", self.repository, "--model", model, "--version", version, "--soak", soak, "--by", "a-martin"]
        self.tool("rollout", "start", *self._store, *words)

    def rollout(self) -> str:
        """How the last rollout stands, as a maintainer sees it."""
        return self.tool("rollout", "status", *self._store)

    def back(self) -> None:
        """Ends the last rollout."""
        self.tool("rollout", "back", *self._store, "--by", "a-martin")

    def resume(self) -> None:
        """Goes on with the last rollout in spite of its halt."""
        self.tool("rollout", "resume", *self._store, "--by", "a-martin")

    def start(self) -> None:
        """Starts both."""
        self.start_broker()
        tls = ["--tls-ca", self.fleet / "ca.pem", "--tls-cert", self.fleet / "hub.pem", "--tls-key", self.fleet / "hub.pem"]
        listen = ["--fleet-listen", f"127.0.0.1:{self.listener}", "--listen", f"127.0.0.1:{self.console}"]
        fleet = ["--fleet-dir", self.fleet, "--repository", self.repository, "--signing-key", self.key]
        words = [*self._store, "--broker", f"127.0.0.1:{self.broker}", *tls, *listen, *fleet]
        with (self.folder / "hub.log").open("ab") as log:
            self._hub = subprocess.Popen([BIN / "parvis-hub", "run", *map(str, words)], stdout=log, stderr=log)

    def start_broker(self) -> None:
        """Starts mosquitto in its keeper."""
        with (self.folder / "broker.log").open("ab") as log:
            keeper: list[str | Path] = ["sh", REPOSITORY / "deploy/mosquitto/keep.sh", self.fleet / "broker"]
            self._broker = subprocess.Popen(keeper, stdout=log, stderr=log)

    def stop_broker(self) -> None:
        """Ends mosquitto: the unit keeps what it has to say."""
        if self._broker is not None:
            self._broker.terminate()
            self._broker.wait(30)
            self._broker = None

    def stop(self) -> None:
        """Ends both."""
        if self._hub is not None:
            self._hub.terminate()
            self._hub.wait(30)
            self._hub = None
        self.stop_broker()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Asks its store; nothing while there is none."""
        with (
            suppress(sqlite3.Error, StopIteration),
            closing(sqlite3.connect(f"file:{next(self.data.rglob('*.sqlite'))}?mode=ro", uri=True)) as store,
        ):
            return store.execute(query).fetchall()
        return []

    def events(self) -> int:
        """How many messages of events have come."""
        return int(next(iter(self.rows("SELECT count(*) FROM events")), (0,))[0])

    def numbers(self) -> tuple[int, list[tuple[int, int]]]:
        """One more than the unit's highest sequence number, and the ranges that have not come."""
        highest = next(iter(self.rows(f"SELECT next_sequence FROM units WHERE name = '{UNIT}'")), (0,))[0]
        return int(highest or 0), [(int(a), int(b)) for a, b in self.rows(f"SELECT first, last FROM gaps WHERE unit = '{UNIT}'")]

    def heard_us(self) -> int:
        """When anything of the unit came last, microseconds; 0 before."""
        return int(next(iter(self.rows(f"SELECT last_seen_us FROM units WHERE name = '{UNIT}'")), (0,))[0] or 0)

    def status(self) -> dict[str, Any]:
        """What the unit said of itself last: the data of ``unit.status``."""
        text = next(iter(self.rows(f"SELECT status FROM units WHERE name = '{UNIT}'")), (None,))[0]
        found: dict[str, Any] = json.loads(text)["data"] if text else {}
        return found

    def version(self, model: str) -> str | None:
        """Which version of a model, or of the root, the unit says that it runs."""
        return version_in(self.status(), model)


def version_in(status: dict[str, Any], model: str) -> str | None:
    """Which version of a model, or of the root, a status names."""
    return next((each["version"] for each in status.get("models", ()) if each["name"] == model), None)
