"""Sets the demonstration up: material and site plan on disk, and the command lines of broker, hub and units."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from parvis_contract import format_time

from . import corner, sounds
from .broker import HOST, BrokerPorts, free_ports
from .material import RECORDINGS, Obtained, cache_folder, obtain


@dataclass(frozen=True, slots=True)
class Stage:
    """What is played, and where.

    Attributes:
        folder: Of this run: site plan, data of hub and units, logs.
        site: The site plan's file.
        ports: The broker's.
        console_port: The hub's.
        video: What the camera shows; None where no clip could be had.
        audio: Each unit's sound.
        obtained: What came of asking for recordings, in the order in which they were tried.
    """

    folder: Path
    site: Path
    ports: BrokerPorts
    console_port: int
    video: Path | None
    audio: dict[str, Path]
    obtained: tuple[Obtained, ...]

    @property
    def console_url(self) -> str:
        """Where the console is."""
        return f"http://{HOST}:{self.console_port}/"

    def hub_command(self) -> list[str]:
        """Runs the hub with its console."""
        data = self.folder / "hub"
        listen = f"{HOST}:{self.console_port}"
        broker = f"{HOST}:{self.ports.mqtt5}"
        return [*_program("parvis_hub"), "run", "--site", str(self.site), "--broker", broker, "--listen", listen, "--data-dir", str(data)]

    def unit_command(self, unit: str, start: datetime, *, paced: bool) -> list[str]:
        """Runs one unit over its material once.

        Args:
            unit: Its name in the site plan.
            start: When its material is said to have been recorded.
            paced: True plays at the recording's own speed, False as fast as it is judged.
        """
        command = [*_program("parvis_edge"), "watch", "--site", str(self.site), "--unit", unit]
        if unit == corner.CAMERA_UNIT and self.video is not None:
            command += ["--video", str(self.video)]
        command += ["--audio", str(self.audio[unit]), "--start", format_time(start)]
        command += ["--broker", f"{HOST}:{self.ports.mqtt5}", "--data-dir", str(self.folder / unit)]
        return [*command, "--pace", "real" if paced else "fast"]


def _program(package: str) -> list[str]:
    """A program of ours, run by this Python: the same installation, whatever is on the search path."""
    return [sys.executable, "-c", f"from {package}.cli import app; app()"]


def set_up(folder: Path, say: Callable[[str], None], console_port: int | None = None) -> Stage:
    """Has all that is needed in its place.

    Args:
        folder: Of this run; must exist.
        say: Told what takes a while, and what cannot be had.
        console_port: Where the console is to be; None takes a free one.
    """
    cache = cache_folder()
    obtained = tuple(obtain(RECORDINGS, cache, say))
    video = obtained[-1].path
    audio = _sounds(cache, say)
    site = folder / "site.yaml"
    site.write_text(corner.site_plan(obtained[-1].recording if video else None))
    ports = free_ports(3)
    return Stage(folder, site, BrokerPorts(*ports[:2]), console_port or ports[2], video, audio, obtained)


def _sounds(cache: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Makes each unit's sound, unless the cache has it from the same program."""
    made_by = hashlib.sha256(b"".join(Path(module.__file__ or "").read_bytes() for module in (sounds, corner))).hexdigest()[:12]
    paths = {unit: cache / f"{unit}-{made_by}.wav" for unit in corner.PLACES_M}
    missing = [unit for unit, path in paths.items() if not path.is_file()]
    if missing:
        say(f"Making what {len(missing)} microphones hear (once; some seconds)")
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("u0??-*.wav"):
            if old not in paths.values():
                old.unlink()
    for unit in missing:
        sounds.write_wav(paths[unit], corner.microphone(unit))
    return paths
