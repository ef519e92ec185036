"""The unit's own body: its clock, its disk, its heat."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parvis_contract import Clock, ClockSource

from parvis_edge.delivery.health import temperature_c
from parvis_edge.delivery.report import OVERHEATED_C

from .finding import Finding, failed, ok, skipped

#: Sound goes so far in a millisecond: what the clock's error costs where sounds are located.
_M_PER_MS = 0.343
#: Above it a sound is located no better than the street that it was heard in.
_POOR_MS = 30.0
#: The outbox may grow to 128 MiB, and its log by as much before it is folded in.
LEAST_FREE_BYTES = 256 * 1024 * 1024
#: An event waits for its commit; beyond this it is felt.
_SLOW_COMMIT_MS = 250.0
#: As the outbox writes: small, each made durable; and one stretch for the speed.
_COMMITS, _COMMIT_BYTES, _STRETCH_BYTES = 8, 4_096, 4 * 1024 * 1024
#: Bits of the Raspberry Pi firmware's word: what is so now.
_FIRMWARE_NOW = {0x1: "under-voltage", 0x2: "frequency capped", 0x4: "throttled", 0x8: "soft temperature limit"}
_FIRMWARE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")


def check_clock(clock: Clock, *, recorded: bool) -> Finding:
    """What the clock is worth.

    Args:
        clock: As the kernel tells it.
        recorded: True if nothing live was asked for: recordings have their own time.
    """
    values = {"source": str(clock.source), "uncertainty_ms": clock.uncertainty_ms}
    if clock.source is ClockSource.FREE:
        if recorded:
            return skipped("clock", "nothing keeps it; recordings have their own time", **values)
        return failed(
            "clock",
            "nothing keeps it",
            "name a time server and wait a minute: timedatectl set-ntp true, then timedatectl timesync-status (or chronyc tracking); "
            "UDP port 123 must be open",
            **values,
        )
    said = f"kept by {clock.source}, to {clock.uncertainty_ms:g} ms: {clock.uncertainty_ms * _M_PER_MS:.1f} m for a sound"
    poor = clock.uncertainty_ms > _POOR_MS
    return ok("clock", said, advice="a nearer time server, or PTP: sounds are located by milliseconds" if poor else None, **values)


def check_disk(data_dir: Path, outbox: Path) -> Finding:
    """Free space, and how long a durable write takes, where undelivered events are kept. What is written is removed again.

    Args:
        data_dir: The folder; where it is not there yet, the nearest above it that is, so that it is not made by the wrong user.
        outbox: The outbox's file, whose waiting messages are counted; it is only read.
    """
    folder = data_dir
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        free_bytes = shutil.disk_usage(folder).free
        commits_ms, speed_mb_s = _measure(folder)
    except OSError as error:
        return failed("disk", f"{folder}: {error.strerror or error}", _disk_advice(error, data_dir))
    commits_ms.sort()
    median_ms, slowest_ms = commits_ms[len(commits_ms) // 2], commits_ms[-1]
    waiting = waiting_messages(outbox)
    values = {
        "folder": str(folder),
        "free_bytes": free_bytes,
        "durable_write_ms": round(median_ms, 2),
        "slowest_write_ms": round(slowest_ms, 2),
        "write_mb_s": round(speed_mb_s, 1),
        "waiting_messages": None if waiting is None else waiting.messages,
    }
    said = f"{free_bytes / 1e9:.1f} GB free at {folder}; a durable write takes {median_ms:.1f} ms, {speed_mb_s:.0f} MB/s"
    if waiting is not None and waiting.messages:
        said += f"; {waiting.messages} messages wait to be sent"
    if free_bytes < LEAST_FREE_BYTES:
        least = LEAST_FREE_BYTES // 1024 // 1024
        return failed(
            "disk", said, f"make room: {least} MiB for a week without a broker (journalctl --vacuum-size=100M, apt clean)", **values
        )
    slow = median_ms > _SLOW_COMMIT_MS
    return ok("disk", said, advice="a slow or worn card; a better one, or an SSD, keeps events sooner" if slow else None, **values)


def _measure(folder: Path) -> tuple[list[float], float]:
    commits_ms = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".parvis-doctor-") as file:
        for _ in range(_COMMITS):
            begun = time.perf_counter()
            file.write(os.urandom(_COMMIT_BYTES))
            file.flush()
            os.fsync(file.fileno())
            commits_ms.append((time.perf_counter() - begun) * 1e3)
        content = os.urandom(_STRETCH_BYTES)
        begun = time.perf_counter()
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return commits_ms, _STRETCH_BYTES / 1e6 / max(time.perf_counter() - begun, 1e-6)


def _disk_advice(error: OSError, data_dir: Path) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"let the unit's user write there (chown), or give another folder with --data-dir; it runs as user number {os.geteuid()}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room (journalctl --vacuum-size=100M, apt clean), or a larger disk"
    if error.errno == errno.EROFS:
        return "it is mounted read-only: an overlay, or a card that is worn out (dmesg says); mount a writable disk for --data-dir"
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return f"{data_dir} has a file where a folder should be; give another folder with --data-dir"
    if error.errno == errno.EIO:
        return "the disk fails (dmesg says); replace it"
    return "give a folder that can be written in with --data-dir"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in an outbox.

    Attributes:
        messages: How many the broker has not acknowledged.
        oldest_s: Age of the oldest, in seconds.
        shed: How many were ever given up for want of room.
    """

    messages: int
    oldest_s: float
    shed: int


def waiting_messages(outbox: Path) -> Waiting | None:
    """Of an outbox that may be in use: it is opened for reading only. None where it cannot be read; nothing where there is none."""
    if not outbox.exists():
        return Waiting(0, 0.0, 0)
    log, index = (outbox.with_name(outbox.name + suffix) for suffix in ("-wal", "-shm"))
    if log.exists() and not index.exists():
        # Left by a power cut: to read it would make a file, of the doctor's user, that the unit's may not write.
        return None
    mode = "mode=ro" if log.exists() else "immutable=1"
    try:
        database = sqlite3.connect(f"{outbox.resolve().as_uri()}?{mode}", uri=True, timeout=2.0)
        try:
            query = "SELECT count(*), min(queued_s) FROM messages WHERE acknowledged_s IS NULL"
            messages, oldest_s = database.execute(query).fetchone()
            shed = database.execute("SELECT value FROM numbers WHERE name = 'shed'").fetchone()
        finally:
            database.close()
    except sqlite3.Error:
        return None
    return Waiting(messages, 0.0 if oldest_s is None else max(0.0, time.time() - oldest_s), int(shed[0]) if shed else 0)


def check_heat(zones: Path = Path("/sys/class/thermal"), firmware: Path = _FIRMWARE) -> Finding:
    """Temperature, and whether the processor is being slowed down.

    Args:
        zones: Where the kernel keeps its thermal zones.
        firmware: Where a Raspberry Pi says why it slows down; not there on other computers.
    """
    heat_c, throttled = temperature_c(zones), _throttled(firmware)
    values: dict[str, Any] = {"temperature_c": heat_c, "throttled": throttled}
    said = "it tells no temperature" if heat_c is None else f"{heat_c:.0f} °C"
    if throttled:
        power = "a supply and cable of the makers' rating: the voltage drops under load" if "under-voltage" in throttled else None
        cooler = "shade, air and a heat sink: the processor is being slowed down"
        return failed("heat", f"{said}; slowed down now: {', '.join(throttled)}", power or cooler, **values)
    if heat_c is None:
        return skipped("heat", said, **values)
    if heat_c > OVERHEATED_C:
        return failed(
            "heat",
            f"{said}, and {OVERHEATED_C:.0f} is the most",
            "shade, air and a heat sink; or fewer zones and a smaller picture",
            **values,
        )
    return ok("heat", said if throttled is None else f"{said}, not slowed down", **values)


def _throttled(firmware: Path) -> list[str] | None:
    """What slows it down now; None where nothing tells."""
    try:
        word = int(firmware.read_text(encoding="ascii").strip().removeprefix("throttled="), 16)
    except (OSError, ValueError):
        return None
    return [name for bit, name in _FIRMWARE_NOW.items() if word & bit]
