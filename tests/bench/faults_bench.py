"""Seconds from each fault to the unit's word for it, and from its end to the unit's recovery, against the goals of 5 and 10."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import Row
from tests.edge.faults import FAULTS, World, play, well

SAID_S, WELL_S = 5.0, 10.0
#: Waited for at most.
_WITHIN_S = 30.0


def rows() -> Iterator[Row]:
    """Measures with the real program on a real broker; with the real models where they are what notices."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    for real in (False, True):
        with tempfile.TemporaryDirectory() as folder, World(Path(program), Path(folder), real_senses=real) as world:
            if world.wait(well, 60.0) is None:
                raise RuntimeError(f"the unit is not well before anything was done to it: {world.words()}")
            for fault in FAULTS:
                if fault.real_senses is not real or (fault.small_disk and not world.small_disk):
                    continue
                course = play(world, fault, _WITHIN_S)
                for what, seconds, limit_s in (("said after", course.told_s, SAID_S), ("well again after", course.well_s, WELL_S)):
                    holds = seconds is not None and seconds <= limit_s
                    yield Row(
                        f"{fault.name}: {what}", _WITHIN_S if seconds is None else seconds, "s", limit=f"at most {limit_s:g} s", holds=holds
                    )
            world.end()
            if not real:
                # Nothing may be lost or doubled over all of it.
                world.whole()
