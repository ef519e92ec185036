"""What a unit knows of its own body: memory and temperature. What cannot be told is None."""

from __future__ import annotations

import resource
from pathlib import Path


def memory_bytes(proc: Path = Path("/proc/self/statm")) -> int | None:
    """Resident memory of this process."""
    try:
        return int(proc.read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None


def temperature_c(zones: Path = Path("/sys/class/thermal")) -> float | None:
    """The hottest thermal zone, in degrees Celsius."""
    found = []
    for zone in zones.glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000.0)
        except (OSError, ValueError):
            continue
    plausible = [each for each in found if -60.0 <= each <= 150.0]
    return max(plausible) if plausible else None
