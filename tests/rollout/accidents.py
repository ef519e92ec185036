"""What happens to units in the middle of an update: they are killed, their disk is full, they are away for months, they have no clock."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from parvis_models.cli import app as models_app

from tests.rollout import bundles
from tests.rollout.scenarios import LATER_S, SOON_S, Line
from tests.rollout.street import MODEL, Street, Unit, command, edge, long_ago, wait_for

#: The file system of a unit whose disk is small: what the program keeps free for events, and three bundles.
DISK_BYTES = 110_000_000
#: How long somebody waits for a state that lasts a moment.
_MOMENT_S = 240.0


def states(unit: Unit, version: str) -> dict[str, Callable[[], bool]]:
    """Each state of an update, in order, and whether a unit is in it, by what is on its disk and in its log."""
    home, fetched = unit.data / "update" / "models" / MODEL, unit.data / "update" / "fetched"

    def wanted() -> bool:
        return (unit.state().get("wanted") or {}).get("version") == version

    def on_trial() -> bool:
        state = unit.state()
        return state.get("trial") is not None and (state.get(state["trial"]) or {}).get("version") == version

    def said(event: str) -> bool:
        return any(line.get("event") == event and line.get("version") == version for line in unit.said()[-20:])

    return {
        "asked for": wanted,
        "being fetched": lambda: any(fetched.glob("*.part")),
        "fetched": (fetched / f"{MODEL}.tar").exists,
        "being unpacked": lambda: any(home.glob("?.new")),
        "being proved": lambda: wanted() and not on_trial() and _proving(unit),
        "about to be put in": on_trial,
        "put in": lambda: said("another model is in"),
    }


def _in_use(unit: Unit) -> str | None:
    """The version that the next start would use, as its disk has it."""
    state = unit.state()
    slot = state.get("trial") or state.get("current")
    return (state.get(slot) or {}).get("version") if slot else None


def _proving(unit: Unit) -> bool:
    """Whether the golden samples run, in their process of their own."""
    return any(b"parvis_edge.update.golden" in _command(path) and str(unit.data).encode() in _command(path) for path in _processes())


def _processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


def _command(process: Path) -> bytes:
    with suppress(OSError):
        return (process / "cmdline").read_bytes()
    return b""


def _at_once(what: Callable[[], bool]) -> bool:
    """Looks without a pause: some states last for a hundredth of a second."""
    until_s = time.monotonic() + _MOMENT_S
    while time.monotonic() < until_s:
        if what():
            return True
    return False


def killed(street: Street, name: str, versions: tuple[str, str]) -> Iterator[Line]:
    """The process is killed in each state of an update; it comes back with one good model, and takes the version or has it already."""
    unit = street.units[name]
    for version in versions:
        street.publish(bundles.bundle(street.folder / version, version))
    for number, what in enumerate(states(unit, "")):
        yield _killed(street, unit, versions[number % 2], what)


def _killed(street: Street, unit: Unit, version: str, what: str) -> Line:
    """The process is killed in one state of taking a version."""
    ends = len(unit.ends)
    street.begin(version, unit.name, units=[unit.name])
    met = _at_once(states(unit, version)[what])
    unit.kill()
    wait_for(lambda: len(unit.ends) > ends, SOON_S, "it is not started again")
    phase = street.until("done", "halted", within_s=LATER_S)["phase"]
    wait_for(lambda: street.healthy(unit.name) and street.versions()[unit.name] == version, SOON_S, street.versions)
    found = f"{'' if met else 'NOT MET; '}back, well, {version}; {phase}"
    return Line(f"killed while it is {what}", found, met and _in_use(unit) == version and phase == "done")


def full(street: Street, name: str, versions: tuple[str, str]) -> Iterator[Line]:
    """The disk is full before and in the middle of an update; the unit goes on, and takes the version once there is room."""
    unit = street.units[name]
    for version in versions:
        street.publish(bundles.bundle(street.folder / version, version))
    unit.stop()
    with _small_disk(unit.data) as mounted:
        try:
            unit.start()
            wait_for(lambda: street.healthy(name), SOON_S, lambda: street.asked("units"))
            for number, what in enumerate((None, "being fetched", "being unpacked") if mounted else ()):
                yield _filled(street, unit, versions[number % 2], what)
        finally:
            unit.stop()
    if not mounted:
        yield Line("a full disk", "not tried: only root can mount a small file system", holds=True)
    unit.start()


def _filled(street: Street, unit: Unit, version: str, what: str | None) -> Line:
    """The disk is full from a state of the update on, or from before; and then there is room again."""
    ballast, heard, met = unit.data / "ballast", len(street.events(unit.name)), True
    if what is None:
        _fill(ballast)
    street.begin(version, unit.name, units=[unit.name])
    if what is not None:
        met = _at_once(states(unit, version)[what])
        _fill(ballast)
    rollout = street.until("done", "halted", within_s=LATER_S)
    problem, refusal = (rollout["halt"] or {}).get("problem"), rollout["rings"][0]["units"][0]["refusal"]
    ballast.unlink()
    if rollout["phase"] == "halted":
        street.steer("resume")
        street.until("done", within_s=LATER_S)
    wait_for(lambda: street.healthy(unit.name) and street.versions()[unit.name] == version, SOON_S, street.versions)
    wait_for(lambda: len(street.events(unit.name)) > heard + 2, SOON_S, "no event comes")
    wait_for(lambda: not street.missing()[unit.name], SOON_S, street.missing)
    when = f"while it is {what}" if what else "before it is asked for"
    found = f"{'' if met else 'NOT MET; '}{rollout['phase']}: {problem} ({refusal}); with room again: {version}, healthy, nothing missing"
    holds = met and _in_use(unit) == version and (problem, refusal) in {("refused", "disk_full"), (None, None)}
    return Line(f"the disk is full {when}", found, holds)


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """Has a folder on a small file system of its own, with what is in it; False where that cannot be had."""
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=False, capture_output=True
    ).returncode == 0  # fmt: skip
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    try:
        yield mounted
    finally:
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
        if mounted:
            subprocess.run(["umount", folder], check=True)
        else:
            shutil.rmtree(folder)
            folder.mkdir()
        folder.rmdir()
        aside.rename(folder)


def _fill(ballast: Path) -> None:
    """Takes all room that there is."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


def seen_long_ago(street: Street, name: str, days: int) -> None:
    """A unit has looked at the repository so many days ago, and was put away."""
    handler = functools.partial(_Quiet, directory=str(street.repository))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        options = ["--repository", url, "--root", street.folder / "root.json", "--data-dir", street.units[name].data]
        subprocess.run(long_ago(days, edge("update", "check", *options)), check=True, capture_output=True)
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def away(street: Street, name: str, version: str, days: int) -> Iterator[Line]:
    """Put away for so long that all it knows has ended, while the root's holders changed twice: switched on again, it takes a release."""
    known = json.loads((street.units[name].data / "update" / "metadata" / "timestamp.json").read_bytes())["signed"]["expires"]
    roots = [part for number in (1, 2) for part in ("--key", street.keys / f"root-{number}.pem")]
    for _ in range(2):
        command(models_app, "publish", "rotate", street.repository, "root", *roots, "--online", street.keys / "online")
    street.publish(bundles.bundle(street.folder / version, version))
    street.units[name].start()
    wait_for(lambda: street.healthy(name), SOON_S, lambda: street.asked("units"))
    street.begin(version, name, units=[name])
    phase = street.until("done", "halted", within_s=LATER_S)["phase"]
    root = json.loads((street.units[name].data / "update" / "metadata" / "root.json").read_bytes())["signed"]["version"]
    found = f"what it knew ended {known[:10]}; root {root}; {phase}; runs {street.versions()[name]}"
    yield Line(f"away for {days} days", found, phase == "done" and root == 3)


def clockless(street: Street, name: str, version: str) -> Iterator[Line]:
    """Switched on without a clock: it takes nothing and says why, and keeps what it hears; once its clock is set, all of it comes."""
    unit, told = street.units[name], street.folder / "clock"
    options = ["--identity", unit.identity, "--root", street.folder / "root.json", "--data-dir", unit.data]
    unit.stop()
    checked = subprocess.run(long_ago(2_000, edge("update", "check", *options)), check=False, capture_output=True, text=True)
    why = checked.stderr.strip().partition(": ")[2]
    yield Line("asked to look at the repository without a clock", why[:90], checked.returncode == 1 and "the clock shows" in why)
    heard = len(street.events(name))
    told.write_text("-2000d\n")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    fake = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(told), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    unit.start(fake)
    street.publish(bundles.bundle(street.folder / version, version))
    wait_for(lambda: _kept(unit) >= 3, SOON_S, "it keeps nothing")
    came = len(street.events(name)) - heard
    yield Line("runs without a clock", f"{_kept(unit)} messages kept on its disk, {came} came to the hub", came == 0)
    told.write_text("+0d\n")
    wait_for(lambda: street.healthy(name) and len(street.events(name)) > heard, LATER_S, lambda: unit.said()[-3:])
    street.begin(version, name, units=[name])
    phase = street.until("done", "halted", within_s=LATER_S)["phase"]
    missing = street.missing()[name]
    yield Line("its clock is set", f"all that it kept has come, {missing} missing; {phase}", missing == 0 and phase == "done")
    unit.stop()
    unit.start({})


def _kept(unit: Unit) -> int:
    """Messages in its outbox."""
    path = next(unit.data.glob(f"*/{unit.name}.outbox.sqlite"), None)
    if path is None:
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as outbox:
        return int(outbox.execute("SELECT count(*) FROM messages").fetchone()[0])
