"""What befalls a program besides its death: it hangs, its disk is full, its clock jumps, its line is dead, its memory is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from parvis_hub.whole_file import replace

from parvis.children import Child

#: What can be asked for, and what it is.
KINDS = {
    "kill": "a unit, the hub, the broker is killed (kill -9), and started again",
    "hang": "a unit, the hub, the broker hangs (SIGSTOP), and goes on",
    "full": "the disk of a unit, the hub, the broker is full, and has room again; for root, who may mount small ones",
    "clock": "the clock of a unit, the hub jumps by an hour, and back",
    "line": "the line of a unit, the hub to the broker is dead: nothing passes, and no end is told",
    "forget": "the broker is killed and finds nothing on its disk",
    "database": "PostgreSQL is killed (kill -9), and started again; the hub then keeps all in one",
}
#: A hang longer than a keepalive ends a connection, a shorter one does not: both happen.
_HANGS_S = (1.0, 40.0)
#: A full disk, a wrong clock and a dead line last so long.
LASTS_S = (2.0, 15.0)
_DISK = "16m"
_JUMPS_S = (-3_600, 3_600)
#: Writes stop short of nothing.
_FILLED_BYTES = 4_096

#: Run in a process before its program: the machine's clock is off by so many seconds as a file says.
SHIFTED = """
import time
from pathlib import Path
right_ns, by = time.time_ns, Path({file!r})
time.time_ns = lambda: right_ns() + int(by.read_text()) * 1_000_000_000
time.time = lambda: time.time_ns() / 1e9
"""


class Accident(NamedTuple):
    """Something that happens.

    Attributes:
        what: In words.
        befall: Has it happen, and be over.
    """

    what: str
    befall: Callable[[], None]


def hang(child: Child, live: Callable[[float], None], choose: Callable[[float, float], float]) -> None:
    """A process does nothing for a while, and does not know it."""
    os.kill(child.pid, signal.SIGSTOP)
    live(choose(*_HANGS_S))
    os.kill(child.pid, signal.SIGCONT)


def set_clock(offset: Path, off_s: int) -> None:
    """Has a process of :data:`SHIFTED` find its clock off by so many seconds; it may look at any moment."""
    replace(offset, str(off_s).encode(), 0o600)


def jump(offset: Path, live: Callable[[float], None], choose: Callable[[float, float], float]) -> None:
    """A clock is an hour slow or fast for a while."""
    set_clock(offset, _JUMPS_S[choose(0.0, 1.0) < 0.5])
    live(choose(*LASTS_S))
    set_clock(offset, 0)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A folder on a disk of its own, of a few megabytes.

    Raises:
        PermissionError: Only root may mount one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise PermissionError(f"no disk for {folder}: {mounted.stderr.strip()}; run as root, or leave out `full`")
    try:
        yield
    finally:
        # What is in use still is let go of with its last user.
        subprocess.run(["umount", "--lazy", folder], check=False)


def fill(folder: Path, live: Callable[[float], None], choose: Callable[[float, float], float]) -> None:
    """A disk has no room for a single byte more, for a while."""
    filler = folder / "filler"
    until_s = time.monotonic() + choose(*LASTS_S)
    with filler.open("wb", buffering=0) as out:
        while time.monotonic() < until_s:
            # What is given back meanwhile is taken at once.
            with contextlib.suppress(OSError):
                while out.write(bytes(_FILLED_BYTES)):
                    pass
            live(0.1)
    filler.unlink()
