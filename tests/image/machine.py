"""A card in an emulated arm64 machine, and a hub with its broker beside it on this one."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.broker import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
#: As an emulated machine sees the one that emulates it (QEMU's user networking).
HOST = "10.0.2.2"
SITE = """\
site: vieux-port
profile: lab
origin: {lon: 5.37, lat: 43.296}
units:
  u017: {position: {lon: 5.36985, lat: 43.29641}, senses: [microphone]}
zones:
  terrace: {kind: noise, unit: u017, limit_db: 60, period_s: 10}
"""
_FIRMWARE = Path("/usr/share/AAVMF")


def say(line: str) -> None:
    """Tells whoever runs it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Hub:
    """Hub, listener and mosquitto, as docs/installer.md starts them; on the loopback alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.site = folder / "site.yaml"
        self.site.write_text(SITE)
        self.fleet, self.data, self.repository = folder / "fleet", folder / "hub", folder / "repository"
        self._where = ["--site", self.site, "--fleet-dir", self.fleet, "--data-dir", self.data]
        self._children: list[subprocess.Popen[bytes]] = []
        self.listener, self.broker, self.console = free_port(), free_port(), free_port()
        broker_data = folder / "mosquitto"
        broker_data.mkdir()
        self.repository.mkdir()
        addresses = ["--hub", f"https://{HOST}:{self.listener}", "--broker", f"{HOST}:{self.broker}", "--also", "127.0.0.1"]
        self.tool("fleet", "init", *self._where, *addresses, "--broker-data", broker_data)

    def tool(self, *words: object) -> None:
        """Runs one of the hub's commands."""
        subprocess.run([BIN / "parvis-hub", *map(str, words)], check=True, cwd=self.folder)

    def claim(self, unit: str) -> Path:
        """A claim for a unit."""
        path = self.folder / f"{unit}-claim.json"
        self.tool("fleet", "claim", *self._where, "--unit", unit, "--write", path)
        return path

    def start(self) -> None:
        """Starts both."""
        with (self.folder / "broker.log").open("wb") as log:
            keeper = ["sh", REPOSITORY / "deploy/mosquitto/keep.sh", self.fleet / "broker"]
            self._children.append(subprocess.Popen(keeper, stdout=log, stderr=log))
        tls = ["--tls-ca", self.fleet / "ca.pem", "--tls-cert", self.fleet / "hub.pem", "--tls-key", self.fleet / "hub.pem"]
        listen = ["--fleet-listen", f"127.0.0.1:{self.listener}", "--listen", f"127.0.0.1:{self.console}"]
        words = [*self._where, "--broker", f"127.0.0.1:{self.broker}", *tls, *listen, "--repository", self.repository]
        with (self.folder / "hub.log").open("wb") as log:
            self._children.append(subprocess.Popen([BIN / "parvis-hub", "run", *map(str, words)], stdout=log, stderr=log))

    def count(self, table: str) -> int:
        """Rows of a table of its store."""
        with suppress(sqlite3.Error), sqlite3.connect(f"file:{next(self.data.rglob('*.sqlite'))}?mode=ro", uri=True) as store:
            return int(store.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        return 0

    def stop(self) -> None:
        """Ends both."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            child.wait(30)


class Machine:
    """One emulated machine.

    Args:
        card: The card's file.
        folder: For its firmware's variables and its console's text.
    """

    def __init__(self, card: Path, folder: Path) -> None:
        self.console = folder / "console.txt"
        self.console.touch()
        self._seen = 0
        variables = folder / "variables.fd"
        if not variables.exists():
            shutil.copy(_FIRMWARE / "AAVMF_VARS.fd", variables)
        self._command = [
            *("qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", "cortex-a72", "-smp", "2", "-m", "2048", "-display", "none"),
            *("-drive", f"if=pflash,format=raw,readonly=on,file={_FIRMWARE / 'AAVMF_CODE.fd'}"),
            *("-drive", f"if=pflash,format=raw,file={variables}", "-drive", f"if=virtio,format=raw,file={card},cache=writethrough"),
            *(
                "-netdev",
                "user,id=net",
                "-device",
                "virtio-net-pci,netdev=net,romfile=",
                "-device",
                "i6300esb",
                "-action",
                "watchdog=reset",
                "-monitor",
                "none",
            ),
            *("-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Power on."""
        self._process = subprocess.Popen(self._command)

    def cut(self) -> None:
        """The power is cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def runs(self) -> bool:
        """Whether there is power."""
        return self._process is not None and self._process.poll() is None

    def said(self, text: str) -> bool:
        """Whether the console has shown a text since the last one that was found."""
        raw = self.console.read_bytes()
        at = raw.find(text.encode(), self._seen)
        if at >= 0:
            self._seen = at + len(text)
        return at >= 0


def wait(what: str, done: Callable[[], bool], machine: Machine, limit_s: float) -> float:
    """Waits for something; says how long it took.

    Raises:
        SystemExit: It did not come to that; with the console's last lines.
    """
    begun_s = time.monotonic()
    while not done():
        if not machine.runs or time.monotonic() - begun_s > limit_s:
            tail = machine.console.read_text(errors="replace")[-3000:]
            raise SystemExit(f"{tail}\n\n{what}: not within {limit_s:.0f} s")
        time.sleep(0.5)
    took_s = time.monotonic() - begun_s
    say(f"  {what}: {took_s:.0f} s")
    return took_s


def noise(path: Path, length_s: int = 600) -> None:
    """A recording for a unit without a microphone: a loud place."""
    random = Random(1)
    second = struct.pack("<16000h", *(random.randint(-9000, 9000) for _ in range(16000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        for _ in range(length_s):
            file.writeframes(second)
