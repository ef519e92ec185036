"""What goes wrong around a unit, how a test makes it so and ends it, and what the unit must say meanwhile.

Each fault is injected into the real program on a real broker; only what belongs to the machine is simulated (`surroundings.py`).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from parvis_contract import Phase, StatusReason, StreamState, UnitStatus, parse_message

from tests.broker import Broker, Subscriber

from .clips import Image
from .program import OPEN_PROFILE, finish, start, write_plan
from .rtsp import Camera
from .surroundings import Surroundings

SIZES = ((320, 192), (256, 144))


class World:
    """A unit that runs, with a camera, a microphone and a broker; and all that it says.

    Args:
        mosquitto: The broker's program.
        folder: An empty folder.
        real_senses: The real models, in place of the tests' small senses.
        before: Called in the unit's process before it starts.

    Attributes:
        small_disk: True if the unit's data are on a disk of their own that can be filled; that needs root.
    """

    def __init__(self, mosquitto: Path, folder: Path, *, real_senses: bool = False, before: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self.small_disk = False
        self.size = 0
        self.surroundings = Surroundings(folder / "surroundings")
        self.camera = Camera(self._draw)
        self.broker = Broker(mosquitto)
        self.statuses: list[tuple[float, UnitStatus]] = []
        self.messages: list[Any] = []
        self._real = real_senses
        self._before = before
        self._changed = threading.Condition()
        self._ending = threading.Event()

    def _draw(self, number: int) -> Image:
        """A lit wall with a texture, and noise as every sensor has it."""
        width, height = SIZES[self.size]
        rng = np.random.default_rng(number)
        wall = np.random.default_rng(7).integers(60, 220, (height // 16, width // 16, 3)).repeat(16, 0).repeat(16, 1)
        return np.asarray(np.clip(wall + rng.normal(0.0, 6.0, wall.shape), 0, 255), np.uint8)

    def __enter__(self) -> Self:
        self.camera.__enter__()
        self.broker.__enter__()
        self.subscriber = Subscriber(self.broker.port)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._mount()
        plan = write_plan(self.folder, OPEN_PROFILE)
        self.log = (self.folder / "log").open("wb")
        self.process = start(
            *("--site", plan, "--unit", "u001", "--video", self.camera.url, "--audio", "mic", "--broker", self.broker.address),
            *("--data-dir", self.data, "--telemetry-s", "1"),
            small_senses=not self._real,
            preexec_fn=self._before,
            env=self.surroundings.environment,
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._ending.set()
        self._listening.join()
        self.subscriber.__exit__(kind, error, traceback)
        self.broker.__exit__(kind, error, traceback)
        self.camera.__exit__(kind, error, traceback)
        self.log.close()
        if self.small_disk:
            subprocess.run(["umount", self.data], check=False)

    def _mount(self) -> None:
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(self.data)]
            self.small_disk = subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def fill_disk(self) -> None:
        """Not a byte is left on the unit's disk."""
        with contextlib.suppress(OSError), (self.data / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(b"." * 4_096)

    def _listen(self) -> None:
        while not self._ending.is_set():
            for topic, body, _ in self.subscriber.messages(quiet_s=0.1):
                with self._changed:
                    if topic.endswith("/status"):
                        self.statuses.append((time.monotonic(), parse_message(body).data))
                    elif not topic.endswith("/telemetry"):
                        self.messages.append(parse_message(body))
                    self._changed.notify_all()

    def wait(self, true: Callable[[UnitStatus], bool], within_s: float) -> float | None:
        """Seconds from now until the unit's status is so; None if it never was."""
        begun_s = time.monotonic()
        with self._changed:
            if self._changed.wait_for(lambda: bool(self.statuses) and true(self.statuses[-1][1]), within_s):
                return max(0.0, self.statuses[-1][0] - begun_s)
            return None

    def wait_seen(self, true: Callable[[UnitStatus], bool], since: int, within_s: float) -> float | None:
        """As :meth:`wait`, of any status after the first `since`: it may have passed already."""
        begun_s = time.monotonic()

        def found() -> float | None:
            return next((at_s for at_s, status in self.statuses[since:] if true(status)), None)

        with self._changed:
            at_s = self._changed.wait_for(found, within_s)
            return None if at_s is None else max(0.0, at_s - begun_s)

    def words(self) -> list[str]:
        """What was said of its state so far."""
        return [_words(status) for _, status in self.statuses]

    def end(self) -> str:
        """Ends the unit in order, and gives its log."""
        self.surroundings.microphone("quiet")
        time.sleep(1.0)
        self.process.send_signal(signal.SIGTERM)
        code, _, _ = finish(self.process)
        time.sleep(1.0)
        text = (self.folder / "log").read_text()
        assert code == 0, text
        return text

    def whole(self) -> None:
        """Nothing is lost and nothing is doubled: asserts it of all that was said."""
        by_id: dict[Any, Any] = {}
        numbers: dict[int, Any] = {}
        for message in self.messages:
            by_id.setdefault(message.id, message)
            assert numbers.setdefault(message.data.sequence, message.id) == message.id
        assert sorted(numbers) == list(range(len(numbers)))
        events = list(by_id.values())
        begun = [event.event_id for event in events if event.data.phase is Phase.START]
        ended = [event.event_id for event in events if event.data.phase is Phase.END]
        assert sorted(map(str, begun)) == sorted(map(str, ended))
        heard = sum(event.name == "sound.impulse" for event in events)
        assert heard == self.surroundings.bangs


def _camera(*reasons: StatusReason) -> Callable[[UnitStatus], bool]:
    return lambda status: status.camera is not None and status.camera.state is not StreamState.HEALTHY and status.camera.reason in reasons


def _microphone(*reasons: StatusReason) -> Callable[[UnitStatus], bool]:
    return lambda status: (
        status.microphone is not None and status.microphone.state is not StreamState.HEALTHY and status.microphone.reason in reasons
    )


def _unit(reason: StatusReason) -> Callable[[UnitStatus], bool]:
    return lambda status: status.reason is reason


def well(status: UnitStatus) -> bool:
    """True if nothing is wrong but what this machine cannot help: nobody may keep its clock."""
    senses = (status.camera, status.microphone)
    return all(sense is not None and sense.state is StreamState.HEALTHY for sense in senses) and status.reason in {
        None,
        StatusReason.CLOCK_UNSYNCHRONISED,
    }


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: In words.
        inject: Makes it so.
        told: What the unit must say while it is.
        mend: Ends it; None where it lasts no time.
        real_senses: Only the real models notice.
        small_disk: Needs :attr:`World.small_disk`.
        lasts_s: So long it is left after the unit has said so.
    """

    name: str
    inject: Callable[[World], None]
    told: Callable[[UnitStatus], bool]
    mend: Callable[[World], None] | None = None
    real_senses: bool = False
    small_disk: bool = False
    lasts_s: float = 1.0


def _set(**values: Any) -> Callable[[World], None]:
    """Sets what the camera does."""

    def act(world: World) -> None:
        for name, value in values.items():
            setattr(world.camera, name, value)

    return act


def _resize(world: World) -> None:
    world.size = 1 - world.size


def limit_files(process: int, most_bytes: int) -> None:
    """Lets a process write no file beyond a size, as a full quota does; `resource.RLIM_INFINITY` lifts it."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


FAULTS = (
    Fault(
        "camera: connection drops, nobody answers",
        lambda world: world.camera.switch_off(),
        _camera(StatusReason.CONNECTION_LOST, StatusReason.SOURCE_ENDED, StatusReason.RECONNECTING),
        lambda world: world.camera.switch_on(),
    ),
    Fault("camera: connected, no more pictures", _set(frozen=True), _camera(StatusReason.NO_DATA), _set(frozen=False)),
    Fault(
        "camera: the same picture again and again",
        _set(repeats=True),
        _camera(StatusReason.TAMPERED),
        _set(repeats=False),
        real_senses=True,
    ),
    Fault("camera: another resolution", _resize, _camera(StatusReason.FORMAT_CHANGED)),
    Fault("camera: garbage in its pictures", _set(garbage=True), _camera(StatusReason.SOURCE_UNREADABLE), _set(garbage=False)),
    Fault(
        "camera: garbage in its packets",
        _set(noise=True),
        _camera(StatusReason.SOURCE_UNREADABLE, StatusReason.NO_DATA),
        _set(noise=False),
    ),
    Fault(
        "microphone: unplugged",
        lambda world: world.surroundings.microphone("unplugged"),
        _microphone(StatusReason.CONNECTION_LOST, StatusReason.SOURCE_MISSING, StatusReason.RECONNECTING),
        lambda world: world.surroundings.microphone("hears"),
    ),
    Fault(
        "microphone: gives nothing",
        lambda world: world.surroundings.microphone("stalls"),
        _microphone(StatusReason.NO_DATA),
        lambda world: world.surroundings.microphone("hears"),
    ),
    Fault(
        "disk: full",
        World.fill_disk,
        _unit(StatusReason.DISK_FULL),
        lambda world: (world.data / "ballast").unlink(),
        small_disk=True,
        lasts_s=3.0,
    ),
    Fault(
        "disk: no file may grow",
        lambda world: limit_files(world.process.pid, 4_096),
        _unit(StatusReason.DISK_FULL),
        lambda world: limit_files(world.process.pid, resource.RLIM_INFINITY),
        lasts_s=3.0,
    ),
    Fault("clock: an hour ahead", lambda world: world.surroundings.clock(3_600.0), _unit(StatusReason.CLOCK_JUMPED)),
    Fault("clock: an hour back", lambda world: world.surroundings.clock(0.0), _unit(StatusReason.CLOCK_JUMPED)),
    Fault(
        "heat: 90 °C",
        lambda world: world.surroundings.heat(90.0),
        _unit(StatusReason.OVERHEATED),
        lambda world: world.surroundings.heat(45.0),
    ),
)


@dataclass(slots=True)
class Course:
    """What became of a fault.

    Attributes:
        told_s: From its beginning until the unit said so; None if it never did.
        well_s: From its end until the unit was well again; None if it never was.
        states: What was said meanwhile.
    """

    told_s: float | None
    well_s: float | None = None
    states: list[str] = field(default_factory=list)


def play(world: World, fault: Fault, within_s: float) -> Course:
    """Injects one fault into a unit that is well, and ends it."""
    since = len(world.statuses)
    fault.inject(world)
    course = Course(world.wait_seen(fault.told, since, within_s))
    if fault.mend is not None:
        time.sleep(fault.lasts_s)
        fault.mend(world)
    course.well_s = world.wait(well, within_s)
    course.states = [_words(status) for _, status in world.statuses[since:]]
    return course


def _words(status: UnitStatus) -> str:
    senses = (
        f"{name} {sense.state.value}({sense.reason})" for name, sense in (("cam", status.camera), ("mic", status.microphone)) if sense
    )
    return f"{status.state.value}({status.reason}) {' '.join(senses)}"
