"""Small films, sounds and pictures, drawn and computed for tests; nobody is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def grey(level: int, size: tuple[int, int] = (64, 48)) -> Image:
    """A picture of one grey, `(H, W, 3)`."""
    return np.full((size[1], size[0], 3), level, np.uint8)


def write_film(path: Path, images: Iterable[Image], stamps_ms: Sequence[int], *, codec: str = "mpeg4") -> Path:
    """A film whose pictures have the given time stamps, in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = None
        for image, stamp_ms in zip(images, stamps_ms, strict=True):
            if stream is None:
                stream = container.add_stream(codec, rate=1000)
                stream.width, stream.height = image.shape[1], image.shape[0]
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
                stream.codec_context.gop_size = 5
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = stamp_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode())
    return path


def write_sound(path: Path, samples: npt.NDArray[np.float32], rate_hz: int = 16_000, *, codec: str = "pcm_s16le") -> Path:
    """A sound file of one or, given `(2, n)`, two channels."""
    shaped = np.atleast_2d(samples)
    layout = "stereo" if len(shaped) == 2 else "mono"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate_hz, frame_size=stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(shaped, dtype=np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode())
    return path


def blinking(frames: int, *, period: int = 20, size: tuple[int, int] = (64, 48)) -> list[Image]:
    """Light for half a period, dark for the other half."""
    return [grey(200 if index % period < period // 2 else 5, size) for index in range(frames)]


def write_still(path: Path, image: Image) -> Path:
    """A still picture; the name's ending says which kind."""
    assert cv2.imwrite(str(path), image)
    return path
