"""Setting a camera's exposure: a simulator of the controls of a camera, which takes them or does not."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest
from parvis_contract import StatusReason
from parvis_edge.capture.exposure import set_exposure
from parvis_edge.capture.source import SourceError

GAIN, AUTO_GAIN, MODE, EXPOSURE = 0x00980913, 0x00980912, 0x009A0901, 0x009A0902


class Camera:
    """Its controls; ``stubborn`` ones keep what they have, and setting one that is not there fails."""

    def __init__(self, controls: dict[int, int], stubborn: frozenset[int] = frozenset(), least: int = 1) -> None:
        self.controls, self._stubborn, self._least = controls, stubborn, least

    def __call__(self, descriptor: int, request: int, argument: bytes) -> bytes:
        del descriptor
        number, value = struct.unpack("=Ii", argument)
        if number not in self.controls:
            raise OSError(errno.EINVAL, "no such control")
        if request == 0xC008561C and number not in self._stubborn:
            self.controls[number] = max(value, self._least) if number == EXPOSURE else value
        return struct.pack("=Ii", number, self.controls[number])


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


def test_a_camera_that_takes_it_is_set(device: Path) -> None:
    camera = Camera({GAIN: 40, AUTO_GAIN: 1, MODE: 3, EXPOSURE: 333})
    set_exposure(device, 150.0, camera)
    assert camera.controls == {GAIN: 0, AUTO_GAIN: 0, MODE: 1, EXPOSURE: 2}


def test_a_camera_without_gain_is_set(device: Path) -> None:
    camera = Camera({MODE: 3, EXPOSURE: 333})
    set_exposure(device, 100.0, camera)
    assert camera.controls == {MODE: 1, EXPOSURE: 1}


@pytest.mark.parametrize(
    "camera",
    [Camera({}), Camera({MODE: 3}), Camera({MODE: 3, EXPOSURE: 333}, frozenset({MODE})), Camera({MODE: 3, EXPOSURE: 333}, least=5)],
    ids=["no controls", "no exposure", "automatic for ever", "longer than asked"],
)
def test_a_camera_that_does_not_take_it_is_refused(device: Path, camera: Camera) -> None:
    with pytest.raises(SourceError, match="not opened") as refused:
        set_exposure(device, 100.0, camera)
    assert refused.value.reason is StatusReason.NOT_DARK


def test_what_is_no_camera_is_refused(tmp_path: Path, device: Path) -> None:
    with pytest.raises(SourceError, match="plugged in"):
        set_exposure(tmp_path / "absent", 100.0)
    with pytest.raises(SourceError, match="not opened"):
        set_exposure(device, 100.0)
