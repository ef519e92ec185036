"""What surrounds a unit, as a folder that a test writes and a unit's process reads: its clock, its heat, its microphone's socket.

Only what belongs to the machine is simulated: the system's clock, the kernel's thermal zones, the sound card's library. The unit
itself is the real one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

#: Names the folder to a unit's process.
VARIABLE = "PARVIS_TEST_SURROUNDINGS"
_RATE_HZ = 16_000


class Surroundings:
    """The writing side.

    Args:
        folder: An empty folder; what is in it is read all the time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "thermal_zone0").mkdir(parents=True)
        self.heat(45.0)
        self.clock(0.0)
        self.microphone("hears")
        (folder / "bangs").touch()

    @property
    def environment(self) -> dict[str, str]:
        """For the unit's process."""
        return dict(os.environ) | {VARIABLE: str(self._folder)}

    def heat(self, heat_c: float) -> None:
        """What the processor's thermal zone tells."""
        self._write("thermal_zone0/temp", f"{heat_c * 1_000:.0f}")

    def clock(self, ahead_s: float) -> None:
        """How far the system's clock is set ahead of the true one."""
        self._write("clock", f"{ahead_s}")

    def microphone(self, state: str) -> None:
        """`hears` (a bang each second), `quiet`, `unplugged`, or `stalls`: it is there and gives nothing."""
        self._write("microphone", state)

    @property
    def bangs(self) -> int:
        """How many bangs the unit's process was given."""
        return (self._folder / "bangs").stat().st_size

    def _write(self, name: str, text: str) -> None:
        # Never half of it: the unit reads all the time.
        fresh = self._folder / "fresh"
        fresh.write_text(text)
        fresh.replace(self._folder / name)


class SoundCard:
    """PortAudio as PyAudio shows it, with one microphone that may be pulled out. It hears faint noise, and bangs."""

    paInt16 = 8  # noqa: N815 - PyAudio's own names
    paInputOverflowed = -9981  # noqa: N815

    def __init__(self, folder: Path) -> None:
        self._state = folder / "microphone"
        self._bangs = folder / "bangs"
        self._blocks = 0
        self._rng = np.random.default_rng(1)
        self._due_s, self._size = 0.0, 0

    def PyAudio(self) -> SoundCard:  # noqa: N802 - PyAudio's own name
        return self

    def get_device_count(self) -> int:
        return int(self._state.read_text() != "unplugged")

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        del index
        return {"name": "USB Microphone", "maxInputChannels": 1}

    def open(self, *, rate: int, frames_per_buffer: int, **_: object) -> SimpleNamespace:
        if rate != _RATE_HZ:
            raise OSError(-9997, "Invalid sample rate")
        if self._state.read_text() == "unplugged":
            raise OSError(-9996, "Invalid input device (no default output device)")
        self._due_s, self._size = time.monotonic(), frames_per_buffer
        return SimpleNamespace(read=self.read, get_read_available=self.get_read_available)

    def get_read_available(self) -> int:
        # As PortAudio has it with ALSA: whole blocks, nothing of a device that is stuck, an error where it was pulled out.
        state = self._state.read_text()
        if state == "unplugged":
            return -9999
        if state == "stalls":
            self._due_s = time.monotonic()
        return self._size if time.monotonic() >= self._due_s + self._size / _RATE_HZ else 0

    def read(self, size: int, *, exception_on_overflow: bool) -> bytes:
        del exception_on_overflow
        while (state := self._state.read_text()) == "stalls":
            time.sleep(0.05)
        if state == "unplugged":
            raise OSError(-9999, "Unanticipated host error")
        self._due_s += size / _RATE_HZ
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        samples = self._rng.normal(0.0, 300.0, size)
        self._blocks += 1
        if state == "hears" and self._blocks % 10 == 0:
            samples[size // 2] = 30_000
            with self._bangs.open("ab") as file:
                file.write(b"!")
        return samples.astype("<i2").tobytes()

    def terminate(self) -> None:
        """Nothing is held."""


def _set_clock(folder: Path) -> Callable[[], float]:
    true, file = time.time, folder / "clock"
    return lambda: true() + float(file.read_text())


def surround() -> None:
    """In the unit's process: takes the machine's place, where a folder says so."""
    if VARIABLE not in os.environ:
        return
    from parvis_edge.delivery.health import temperature_c

    folder = Path(os.environ[VARIABLE])
    time.time = _set_clock(folder)
    temperature_c.__defaults__ = (folder,)
    sys.modules["pyaudio"] = SoundCard(folder)  # type: ignore[assignment]
