"""Sets a camera's exposure by hand through Video4Linux, and looks whether the camera took it.

The control outlives the program that sets it, so it is set before the stream is opened. Figures are those of ``linux/v4l2-controls.h``.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

from parvis_contract import StatusReason

from .source import SourceError

_GET, _SET = 0xC008561B, 0xC008561C
_GAIN, _AUTO_GAIN = 0x00980913, 0x00980912
_EXPOSURE_MODE, _EXPOSURE_100_US = 0x009A0901, 0x009A0902
_BY_HAND = 1

#: Does an ioctl: descriptor, request, bytes in; bytes out.
Control = Callable[[int, int, bytes], bytes]


def set_exposure(device: Path, exposure_us: float, control: Control = fcntl.ioctl) -> None:
    """Makes a camera expose for so long, without any gain it can do without.

    Args:
        device: Such as ``/dev/video0``.
        exposure_us: Microseconds; cameras count in steps of 100.
        control: Does the ioctl.

    Raises:
        SourceError: The camera cannot be opened or did not take it: nothing may be watched then.
    """
    steps = max(1, round(exposure_us / 100))
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise SourceError(f"{device}: {error.strerror}; is the camera plugged in?", StatusReason.SOURCE_MISSING) from None
    try:
        # A camera without gain has nothing to turn down.
        for number in (_AUTO_GAIN, _GAIN):
            _write(control, descriptor, number, 0)
        taken = [_write(control, descriptor, _EXPOSURE_MODE, _BY_HAND), _write(control, descriptor, _EXPOSURE_100_US, steps)]
    finally:
        os.close(descriptor)
    if taken != [_BY_HAND, steps]:
        raise SourceError(
            f"{device}: does not take an exposure of {exposure_us:g} µs by hand (it has {taken[1]} steps of 100 µs); "
            "it is not opened: take a camera that does, or leave out `tags.exposure_us` and set it in the camera itself",
            StatusReason.NOT_DARK,
        )


def _write(control: Control, descriptor: int, number: int, value: int) -> int | None:
    """Sets a control; what it has then, None if there is none."""
    try:
        control(descriptor, _SET, struct.pack("=Ii", number, value))
        return int(struct.unpack("=Ii", control(descriptor, _GET, struct.pack("=Ii", number, 0)))[1])
    except OSError:
        return None
