"""What goes wrong around a unit is said by it, and over when it is over, with nothing lost and nothing doubled.

How many seconds each takes: `python -m tests.bench faults`. Here only that it happens at all.
"""

from __future__ import annotations

import resource
from pathlib import Path

from parvis_contract import StatusReason, UnitStatus, parse_message

from tests.broker import Subscriber

from .faults import FAULTS, World, limit_files, play, well

#: The two that come and go by themselves, and one of each part of the machine; the camera's others are in `test_live.py`.
CHOSEN = ("camera: another resolution", "camera: garbage in its pictures", "microphone: unplugged", "disk: full", "disk: no file may grow")
CHOSEN += ("clock: an hour ahead", "heat: 90 °C")
#: Generous: the machine may be busy.
WITHIN_S = 30.0


def test_each_fault_is_said_and_ends_with_its_cause(mosquitto: Path, tmp_path: Path) -> None:
    with World(mosquitto, tmp_path) as world:
        assert world.wait(well, 60.0) is not None, world.words()
        for fault in [fault for fault in FAULTS if fault.name in CHOSEN and (world.small_disk or not fault.small_disk)]:
            course = play(world, fault, WITHIN_S)
            assert course.told_s is not None, (fault.name, course.states)
            assert course.well_s is not None, (fault.name, course.states)
        log = world.end()
        world.whole()
    # A clock that was set makes nothing last an hour.
    assert "the clock was set" in log


def _no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_024, resource.RLIM_INFINITY))


def test_a_unit_that_starts_on_a_full_disk_says_so_and_loses_nothing(mosquitto: Path, tmp_path: Path) -> None:
    def full(status: UnitStatus) -> bool:
        return status.reason is StatusReason.DISK_FULL

    with World(mosquitto, tmp_path, before=_no_room) as world:
        assert world.wait(full, 60.0) is not None, world.words()
        # Whoever comes later is told too.
        with Subscriber(world.broker.port, "parvis/v1/+/+/status", "later") as later:
            _, body, retained = next(iter(later.messages(quiet_s=10.0)))
            assert (parse_message(body).data.reason, retained) == (StatusReason.DISK_FULL, True)
        while not world.surroundings.bangs:
            assert world.process.poll() is None
        limit_files(world.process.pid, resource.RLIM_INFINITY)
        assert world.wait(well, WITHIN_S) is not None, world.words()
        world.end()
        world.whole()
