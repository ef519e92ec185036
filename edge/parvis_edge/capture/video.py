"""Frames of a file, a still picture, a stream or a camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter
from parvis_contract import StatusReason

from parvis_edge.perception import Frame

from .container import Tally, decode, find_stream, open_container
from .source import Kind, Source, SourceError
from .timeline import FileTimeline, TimeOf

_STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
#: A damaged picture is held back, since its blocks look like change; but a stream that says so of every picture is believed
#: after two seconds' worth, since seeing badly is better than not at all.
_MAX_DAMAGED_IN_A_ROW = 50
#: A live stream is joined in the middle: until its first whole picture the decoder shows guesses. One without whole pictures
#: (they are refreshed in stripes) is believed after ten seconds' worth.
_MAX_UNTIL_WHOLE = 250
#: A period that no camera has means that the file does not tell.
_USUAL_PERIOD_S = 0.04


def is_still(source: Source) -> bool:
    """True if the source is one picture."""
    return source.kind is Kind.FILE and Path(source.address).suffix.lower() in _STILL_SUFFIXES


def read_still(source: Source, start_s: float) -> Iterator[Frame]:
    """A still picture as the one frame of a film, turned as its metadata say.

    Raises:
        SourceError: It is no picture.
    """
    try:
        content = np.fromfile(source.address, dtype=np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (cv2.error, OSError):
        image = None
    if image is None:
        raise SourceError(f"{source}: is no picture that can be read; is the file whole?", StatusReason.SOURCE_UNREADABLE)
    yield Frame(start_s, np.asarray(image, dtype=np.uint8))


def read_video(source: Source, tally: Tally, *, start_s: float | None = None, time_of: TimeOf | None = None) -> Iterator[Frame]:
    """Every frame of a source, in order of time.

    Args:
        source: File, stream or device.
        tally: Counts what was read, and what could not be.
        start_s: Of a recording: POSIX seconds at which it begins.
        time_of: Of a live source: the time of a frame from its stamp. One of the two is given.

    Yields:
        Frames as ``(H, W, 3)`` uint8, blue-green-red, turned upright as the metadata say. Their size may change.

    Raises:
        SourceError: It cannot be opened, a live stream broke off, or nothing could be decoded.
    """
    if start_s is not None and is_still(source):
        for frame in read_still(source, start_s):
            tally.items += 1
            yield frame
        return
    with open_container(source) as container:
        stream = find_stream(container, source, "video")
        if time_of is None:
            # Counted from the container's beginning, so that sound and picture of one file share their zero.
            origin_s = (container.start_time or 0) / 1e6
            rate = stream.average_rate or stream.guessed_rate
            period_s = float(1 / rate) if rate and 0.5 <= rate <= 1_000 else _USUAL_PERIOD_S
            time_of = FileTimeline(start_s or 0.0, origin_s, period_s).time_s
        # Nearest chroma, one thread: half the time of the default, and the model sees no difference.
        reformatter = VideoReformatter()
        damaged, size, guesses = 0, None, 0 if source.recorded else _MAX_UNTIL_WHOLE
        for picture in decode(container, stream, source, tally):
            time_s = time_of(_stamp_s(picture))
            guesses = 0 if picture.key_frame else guesses - 1
            if guesses > 0:
                continue
            damaged = damaged + 1 if picture.is_corrupt else 0
            if 0 < damaged <= _MAX_DAMAGED_IN_A_ROW:
                tally.corrupt += 1
                continue
            plane = reformatter.reformat(picture, format="bgr24", interpolation="POINT", threads=1).to_ndarray()
            image = _upright(np.asarray(plane, dtype=np.uint8), int(picture.rotation))
            if size is not None and image.shape != size:
                tally.changes += 1
            size = image.shape
            tally.items += 1
            yield Frame(time_s, image)


def _stamp_s(picture: Any) -> float | None:
    stamp = picture.pts if picture.pts is not None else picture.dts
    return None if stamp is None or picture.time_base is None else float(stamp * picture.time_base)


def _upright(image: npt.NDArray[np.uint8], rotation_deg: int) -> npt.NDArray[np.uint8]:
    """Turns a picture by the angle, counter-clockwise, that its metadata ask for."""
    quarters = round(rotation_deg / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image
