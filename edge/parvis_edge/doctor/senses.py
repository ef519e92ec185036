"""The camera and the microphone: the law first, then a few seconds of each, of which only figures remain."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from parvis_contract import Site, StatusReason

from parvis_edge.calibration.gate import shortened, why_not
from parvis_edge.calibration.run import listen
from parvis_edge.capture.container import Tally
from parvis_edge.capture.source import SenseName, Source, SourceError, parse_source
from parvis_edge.capture.timeline import LiveTimeline
from parvis_edge.capture.video import is_still, read_video
from parvis_edge.hearing.levels import LevelMeter

from .finding import Finding, failed, ok, skipped

#: Looked and listened for so long.
WATCH_S, LISTEN_S = 3.0, 2.0
#: A unit judges five pictures a second; from fewer it judges less.
USUAL_FPS, LEAST_FPS = 5.0, 1.0
#: A picture whose brightness varies by less shows nothing: a cap, a wall of fog, a camera that sends one grey.
_BLANK = 2.0
#: Darker than this, of 255, nothing is told apart in it.
_DARK = 12.0
#: A second that is cut off so often overloads the converter.
_CLIPPED_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Seen:
    """What remains of having looked.

    Attributes:
        finding: The row.
        picture: The last picture, for the unit's own detector; it goes no further.
        fps: Pictures per second; None of a still picture.
    """

    finding: Finding
    picture: npt.NDArray[np.uint8] | None = None
    fps: float | None = None


def open_or_not(site: Site, unit: str, sense: SenseName, text: str | None) -> Source | Finding:
    """A source that may be opened, or the row that says why not."""
    option = "--video" if sense == "camera" else "--audio"
    if sense not in site.units[unit].senses:
        if text is None:
            return skipped(sense, "the site plan gives this unit none")
        return failed(sense, _senses_line(site, unit), f"leave {option} out, or add {sense} to the unit's `senses`")
    if text is None:
        return skipped(sense, f"not asked for; give {option}")
    try:
        source = parse_source(text, sense)
    except SourceError as error:
        return failed(sense, *halves(str(error)), reason=str(error.reason))
    reasons = why_not(site, unit, sense, source)
    if reasons:
        return failed(
            sense,
            f"not opened: {shortened(reasons)}",
            "another legal profile or another source: ask the data protection officer, who knows which the site may have",
            profile=reasons,
        )
    return source


def _senses_line(site: Site, unit: str) -> str:
    """Which senses the plan gives a unit, and where that stands."""
    return f"{site.path}: units.{unit}.senses is [{', '.join(site.units[unit].senses)}]"


def check_camera(source: Source, over_s: float = WATCH_S) -> Seen:
    """Looks for a few seconds."""
    tally = Tally()
    times: list[float] = []
    sizes: set[tuple[int, int]] = set()
    picture: npt.NDArray[np.uint8] | None = None
    error: SourceError | None = None
    try:
        arrivals = None if source.recorded else _arrivals()
        for frame in read_video(source, tally, start_s=0.0 if source.recorded else None, time_of=arrivals):
            times.append(frame.time_s)
            picture = frame.image
            sizes.add((picture.shape[1], picture.shape[0]))
            if frame.time_s - times[0] >= over_s:
                break
    except SourceError as problem:
        error = problem
    if picture is None or (error is not None and len(times) < 2):
        error = error or SourceError(f"{source}: shows nothing; is the camera on?", StatusReason.NO_DATA)
        return Seen(failed("camera", *halves(str(error)), reason=str(error.reason)))
    still = is_still(source)
    fps = None if still or len(times) < 2 else (len(times) - 1) / max(times[-1] - times[0], 1e-6)
    return Seen(_judge_pictures(picture, fps, sizes, tally), picture, fps)


def _judge_pictures(picture: npt.NDArray[np.uint8], fps: float | None, sizes: set[tuple[int, int]], tally: Tally) -> Finding:
    height, width = picture.shape[:2]
    brightness, contrast = float(picture.mean()), float(picture.std())
    values = {
        "frames_per_s": None if fps is None else round(fps, 2),
        "size_px": [width, height],
        "brightness": round(brightness, 1),
        "contrast": round(contrast, 1),
        "damaged": tally.corrupt,
    }
    rate = "a still picture" if fps is None else f"{fps:.1f} pictures per second"
    said = f"{rate}, {width} × {height}, brightness {brightness:.0f} of 255"
    if fps is not None and fps < LEAST_FPS:
        return failed("camera", said, "raise the camera's rate to five pictures a second or more, or take its smaller stream", **values)
    if contrast < _BLANK:
        return failed(
            "camera", f"{said}: one even surface", "is the lens covered, or the camera's night cap on? Look at its own page", **values
        )
    notes = []
    if fps is not None and fps < USUAL_FPS:
        notes.append(f"{fps:.1f} pictures per second, and {USUAL_FPS:.0f} are judged where there are")
    if brightness < _DARK:
        notes.append("it is almost dark: light, or a camera for the night")
    if tally.corrupt:
        notes.append(f"{tally.corrupt} pictures came damaged: the cable, the radio link, or the camera's bit rate")
    if len(sizes) > 1:
        notes.append("the picture changed its size while it was looked at; fix it in the camera's settings")
    return ok("camera", said, advice="; ".join(notes) or None, **values)


def check_microphone(source: Source, full_scale_db: float, over_s: float = LISTEN_S) -> Finding:
    """Listens for a few seconds."""
    begun = time.monotonic()
    try:
        samples, rate_hz = listen(source, over_s, 0.0)
    except SourceError as error:
        return failed("microphone", *halves(str(error)), reason=str(error.reason))
    took_s = time.monotonic() - begun
    if not samples.size:
        return failed("microphone", "nothing was heard", "is it plugged in, and the right one? arecord -l names them")
    level = LevelMeter(rate_hz, full_scale_db).push(samples)
    peak, clipped = float(np.abs(samples).max()), float((np.abs(samples) >= 0.999).mean())
    peak_db = 20 * float(np.log10(max(peak, 1e-9)))
    values = {
        "laeq_db": round(level.laeq_db, 1),
        "peak_dbfs": round(peak_db, 1),
        "rate_hz": rate_hz,
        "clipped_share": round(clipped, 5),
        "samples_per_s": None if source.recorded else round(samples.size / max(took_s, 1e-3)),
    }
    said = f"{level.laeq_db:.0f} dB (A), peak {peak_db:.0f} dB re full scale, {rate_hz:,} samples per second"
    if peak == 0.0:
        return failed("microphone", "it sends nothing but zeros", "unmute it (alsamixer), or is it the wrong input?", **values)
    notes = []
    if clipped > _CLIPPED_SHARE:
        notes.append(f"{clipped:.1%} of the sound is cut off: lower the gain")
    if float(samples.std()) < 2 / 32_768:
        notes.append("it is fainter than its converter can tell: raise the gain")
    return ok("microphone", said, advice="; ".join(notes) or None, **values)


def _arrivals() -> Callable[[float | None], float]:
    timeline = LiveTimeline()
    return lambda stamp_s: timeline.time_s(stamp_s, time.monotonic())


def halves(text: str) -> tuple[str, str]:
    """An error's text in its two parts: what is wrong, and what to do."""
    what, semicolon, advice = text.partition("; ")
    return (what, advice) if semicolon else (text, "look at the source's own page or program")
