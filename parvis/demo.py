"""The demonstration: broker, hub with console and the units of one corner, on this machine, until it is stopped or played out."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from . import corner, view
from .broker import HOST
from .children import Child, ChildDied, Family, wait_for_port
from .control_room import ControlRoom, Heard
from .stage import Stage, set_up

#: A cold start reads models and libraries from a slow disk.
START_TIMEOUT_S = 60.0
#: Played as fast as it is judged, the clip takes a minute on one slow core; past this something hangs.
ONCE_TIMEOUT_S = 600.0
#: The hub publishes within a second; when it has been quiet for so long after the units' end, all has been said.
QUIET_S = 4.0
#: Between two looks at the processes.
_TICK_S = 0.25
#: From the start of a unit's program to its first frame.
_LOADING_S = 2.0


class Stopped(Exception):
    """The person at the terminal has had enough."""


class Demo:
    """One run.

    Args:
        console: Where it is shown.
        folder: Where plan, data and logs go.
        console_port: The console's; None takes a free one.
    """

    def __init__(self, console: Console, folder: Path, console_port: int | None) -> None:
        self._console = console
        self._folder = folder
        self._port = console_port
        self._begun_s = time.monotonic()

    def once(self) -> list[str]:
        """Plays everything to its end, as fast as it is judged.

        Returns:
            The types of the incidents, one for each.

        Raises:
            ChildDied: A process ended that should not have, or ended badly.
        """
        stage = self._set_up()
        with _Stop() as stop, Family(self._folder) as family, _control_room(stage) as room:
            self._start(stage, family, stop)
            start = datetime.now(UTC) - timedelta(seconds=corner.SCENE_S)
            units = [family.start(unit, stage.unit_command(unit, start, paced=False)) for unit in corner.PLACES_M]
            self._console.print(f"Playing {corner.SCENE_S:g} s of {len(units)} units, as fast as they judge")
            self._play_out(family, units, stop)
            heard = self._quiet(family, room, stop)
        incidents = sorted(heard.living(), key=lambda each: (each.first_observed, str(each.incident)))
        self._console.print(view.incidents_table(incidents, datetime.now().astimezone().tzinfo or UTC, "Incidents"))
        took_s = time.monotonic() - self._begun_s
        self._console.print(f"{len(incidents)} incidents from {len(units)} units in {took_s:.0f} s")
        if heard.refused:
            self._console.print(f"[red]{heard.refused} messages were not of the contract[/red]")
        return [each.type for each in incidents]

    def endless(self, *, browser: bool) -> None:
        """Plays round after round at the recordings' own speed, and shows what happens, until it is stopped.

        Args:
            browser: Opens the console in one, if there is a screen.

        Raises:
            ChildDied: A process ended that should not have, or ended badly.
        """
        stage = self._set_up()
        with _Stop() as stop, Family(self._folder) as family, _control_room(stage) as room:
            self._start(stage, family, stop)
            if browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
                webbrowser.open(stage.console_url)
            shown: dict[str, str] = {}
            with Live(console=self._console, auto_refresh=False, transient=False) as live:
                while True:
                    start = datetime.now(UTC) + timedelta(seconds=_LOADING_S)
                    units = [family.start(unit, stage.unit_command(unit, start, paced=True)) for unit in corner.PLACES_M]
                    while any(unit.returncode is None for unit in units):
                        _check(family)
                        self._show(live, stage, room.heard()[1], shown)
                        stop.wait(_TICK_S)
                    _check(family)

    # --- parts of a run -------------------------------------------------------------------------------------------------------

    def _set_up(self) -> Stage:
        stage = set_up(self._folder, self._console.print, self._port)
        for each in stage.obtained:
            recording = each.recording
            if each.path is None:
                self._console.print(f"[yellow]{recording.file} cannot be had: {each.problem}[/yellow]", soft_wrap=True)
            else:
                origin = f"{recording.file} from {recording.package}: {recording.shows} ({recording.licence})"
                self._console.print(f"Picture: {origin}", soft_wrap=True)
        if stage.video is None:
            self._console.print("[yellow]No picture this time: the units have microphones only[/yellow]")
        self._console.print("Sound: made from physical models by this program; nothing recorded")
        return stage

    def _start(self, stage: Stage, family: Family, stop: _Stop) -> None:
        broker = family.start("broker", stage.ports.command(), used=True)
        wait_for_port(broker, HOST, stage.ports.mqtt5, START_TIMEOUT_S, stop.check)
        hub = family.start("hub", stage.hub_command(), used=True)
        wait_for_port(hub, HOST, stage.console_port, START_TIMEOUT_S, stop.check)
        self._console.print(
            f"Console: {stage.console_url}   broker: MQTT 5 on {HOST}:{stage.ports.mqtt5}, 3.1.1 on {HOST}:{stage.ports.mqtt3}"
        )
        self._console.print(f"Plan, data and logs: {self._folder}")

    def _play_out(self, family: Family, units: list[Child], stop: _Stop) -> None:
        until_s = time.monotonic() + ONCE_TIMEOUT_S
        while any(unit.returncode is None for unit in units):
            _check(family)
            if time.monotonic() > until_s:
                raise ChildDied(f"the units do not come to the end of their material in {ONCE_TIMEOUT_S:.0f} s; see the logs")
            stop.wait(_TICK_S)
        _check(family)

    def _quiet(self, family: Family, room: ControlRoom, stop: _Stop) -> Heard:
        """Waits until the hub has nothing more to say."""
        count, heard = room.heard()
        since_s = time.monotonic()
        while time.monotonic() - since_s < QUIET_S:
            stop.wait(_TICK_S)
            _check(family)
            now, heard = room.heard()
            if now != count:
                count, since_s = now, time.monotonic()
        return heard

    def _show(self, live: Live, stage: Stage, heard: Heard, shown: dict[str, str]) -> None:
        incidents = sorted(heard.living(), key=lambda each: each.first_observed, reverse=True)
        zone = datetime.now().astimezone().tzinfo or UTC
        if not self._console.is_terminal:
            # Into a file or pipe: a line for each incident, and for each change of its state.
            for each in reversed(incidents):
                state = f"{each.state.value} {each.operator.verdict.value}"
                if shown.get(str(each.incident)) != state:
                    shown[str(each.incident)] = state
                    where = view.place(each).replace("\n", " ")
                    time_text = each.first_observed.astimezone(zone).strftime("%H:%M:%S")
                    self._console.print(f"{time_text} {each.type} {where}: {view.measure(each.measure)} ({state})", soft_wrap=True)
            return
        height = max(3, self._console.size.height - 10)
        head = Text.assemble(("Parvis ", "bold"), "  console ", (stage.console_url, "bold cyan"), "   Ctrl-C ends it")
        table = view.incidents_table(incidents[: height // 2], zone)
        live.update(Group(head, view.units_line(list(corner.PLACES_M), heard.units), table), refresh=True)


def _check(family: Family) -> None:
    """Raises ChildDied if broker or hub has ended, or a unit badly."""
    for child in family.children.values():
        status = child.returncode
        if status is not None and (status != 0 or child.name in ("broker", "hub")):
            raise child.died()


@contextmanager
def _control_room(stage: Stage) -> Iterator[ControlRoom]:
    room = ControlRoom(HOST, stage.ports.mqtt5, corner.SITE)
    try:
        yield room
    finally:
        room.close()


class _Stop:
    """Notes SIGINT, SIGTERM and SIGHUP, so that the run ends in order wherever it is.

    An exception out of the signal's handler could hit it between a process's start and its entry in the family.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True

    def check(self) -> None:
        """Raises Stopped if it was asked for."""
        if self._asked:
            raise Stopped

    def wait(self, for_s: float) -> None:
        """Lets time pass; raises Stopped if it was asked for."""
        self.check()
        time.sleep(for_s)
        self.check()


@contextmanager
def run_folder(keep: Path | None) -> Iterator[Path]:
    """A folder for one run: the one given, which stays, or one that goes with the run."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="parvis-demo-") as folder:
        yield Path(folder)
