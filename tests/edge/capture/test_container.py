"""What ffmpeg says of a source that cannot be read, in words that say what to do, and the reason for the status."""

from __future__ import annotations

import errno
import os

import av.error
import pytest
from parvis_contract import StatusReason
from parvis_edge.capture.container import _explained
from parvis_edge.capture.source import Kind, Source

DEVICE = Source(Kind.DEVICE, "/dev/video0", recorded=False)
STREAM = Source(Kind.STREAM, "rtsp://viewer:secret@camera/view", recorded=False)
FILE = Source(Kind.FILE, "film.mp4", recorded=True)


def ffmpeg(number: int) -> Exception:
    """As ffmpeg's library reports an error of the system."""
    with pytest.raises(av.error.FFmpegError) as caught:
        av.error.err_check(-number)
    assert isinstance(caught.value, Exception)
    return caught.value


@pytest.mark.parametrize(
    ("source", "number", "reason", "said"),
    [
        (DEVICE, errno.ENOENT, StatusReason.SOURCE_MISSING, "is it plugged in"),
        (DEVICE, errno.ENODEV, StatusReason.SOURCE_MISSING, "is it plugged in"),
        (DEVICE, errno.EBUSY, StatusReason.SOURCE_UNREADABLE, "another program has it open"),
        (DEVICE, errno.EACCES, StatusReason.SOURCE_UNREADABLE, "permissions"),
        (DEVICE, errno.EIO, StatusReason.CONNECTION_LOST, "is it switched on"),
        (STREAM, errno.ECONNREFUSED, StatusReason.CONNECTION_LOST, "is it switched on"),
        (STREAM, errno.EHOSTUNREACH, StatusReason.CONNECTION_LOST, "is it switched on"),
        (STREAM, errno.ETIMEDOUT, StatusReason.NO_DATA, "does the network reach it"),
        (FILE, errno.EIO, StatusReason.SOURCE_UNREADABLE, "is the file whole"),
    ],
    ids=lambda value: os.strerror(value) if isinstance(value, int) else None,
)
def test_an_error_of_the_system(source: Source, number: int, reason: StatusReason, said: str) -> None:
    error = _explained(source, ffmpeg(number))
    assert error.reason is reason
    assert said in str(error)
    assert "secret" not in str(error)


def test_what_is_no_stream() -> None:
    with pytest.raises(av.error.InvalidDataError) as caught:
        av.error.err_check(-av.error.tag_to_code(b"INDA"))
    error = _explained(STREAM, caught.value)
    assert error.reason is StatusReason.SOURCE_UNREADABLE
    assert "is the address that of the stream" in str(error)
