"""Runs a calibration: asks the law, looks and listens, serves the page, prints or writes what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from parvis_contract import ClockSource, Point, Site, StatusReason
from parvis_contract.site import GroundPoint

from parvis_edge.capture.container import Tally
from parvis_edge.capture.microphone import read_microphone
from parvis_edge.capture.sound import read_sound
from parvis_edge.capture.source import Kind, Source, SourceError
from parvis_edge.capture.timeline import LiveTimeline
from parvis_edge.capture.video import read_video
from parvis_edge.delivery.clock import read_clock
from parvis_edge.perception import AudioBlock
from parvis_edge.vision.ground_plane import LocalPlane

from .assess import Assessment, assess
from .block import CannotWrite, ground_plane_block, microphone_block, write_full_scale, write_ground_plane
from .desk import Desk
from .drawing import FindPeople, Image, LineDrawing, draw
from .gate import shortened, why_not
from .page import Page
from .points import Board, PointError, board_points, find_tags, tag_points
from .report import as_lines
from .sound import SoundCheck, check_sound

#: So many pictures, over so long: who walks through is in few of them, and memory holds them all at once.
PICTURES, PICTURES_S = 8, 3.0
#: People are left out of the drawing at a lower score than anything is reported at: a false one costs a few lines.
PERSON_SCORE = 0.2
#: A calibrator is listened to for so long, after the first second, in which it is set on.
LISTEN_S, SETTLE_S = 5.0, 1.0


class CannotCalibrate(Exception):
    """Something that was asked for cannot be done; the message says what, and what to do. Nothing was opened."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What to calibrate, and how.

    Attributes:
        site, unit: Whose senses.
        video: Where the view comes from; None leaves the camera alone.
        audio: Where the calibrator is heard; None leaves the microphone alone.
        points: Known points.
        board: Tags on the ground, in rows.
        tags: Where the middles of single tags on the ground are.
        page: True serves the page although there are points; without points and board it is served anyway.
        port: Of the page on 127.0.0.1; 0 takes a free one.
        reference_db: Level of the calibrator.
        write: True writes into the site plan, False prints blocks to paste.
    """

    site: Site
    unit: str
    video: Source | None = None
    audio: Source | None = None
    points: tuple[GroundPoint, ...] = ()
    board: Board | None = None
    tags: Mapping[int, Point] = field(default_factory=dict)
    page: bool = False
    port: int = 0
    reference_db: float = 94.0
    write: bool = False


def run(asked: Calibration, say: Callable[[str], None], show: Callable[[str], None]) -> int:
    """Calibrates what was asked for.

    Args:
        asked: What.
        say: Takes a line of the report.
        show: Takes a block for the site plan.

    Returns:
        0 if everything is good enough, 1 if not.

    Raises:
        CannotCalibrate: The unit is not in the plan, or the law or the plan do not allow a source. Nothing was opened.
        SourceError: A source cannot be read.
        PointError: The board is not seen.
    """
    site, unit = asked.site, asked.unit
    if unit not in site.units:
        raise CannotCalibrate(f"{site.path}: units: no unit {unit}; there are {', '.join(sorted(site.units))}")
    if asked.video is None and asked.audio is None:
        raise CannotCalibrate("nothing to calibrate: give --video, --audio or both")
    for sense, source in (("camera", asked.video), ("microphone", asked.audio)):
        reasons = [] if source is None else why_not(site, unit, sense, source)  # type: ignore[arg-type]
        if reasons:
            raise CannotCalibrate(f"this {sense} may not be opened: {shortened(reasons)}")
    say(clock_line())
    good = True
    if asked.video is not None:
        good = _camera(asked, asked.video, say, show)
    if asked.audio is not None:
        good = _microphone(asked, asked.audio, say, show) and good
    return 0 if good else 1


def clock_line() -> str:
    """What the clock is worth, and what to do if it is worth little."""
    clock = read_clock()
    if clock.source is ClockSource.FREE:
        return (
            "clock: nothing keeps it; sounds cannot be located by it. Name a time server (timedatectl set-ntp true) before the unit is used"
        )
    return f"clock: kept by {clock.source}, to {clock.uncertainty_ms:g} ms (1 sigma)"


# --- the camera -----------------------------------------------------------------------------------------------------------------


def look(source: Source) -> list[Image]:
    """Some pictures of a view, over a few seconds; one of a still picture.

    Raises:
        SourceError: There is nothing to see.
    """
    pictures: list[Image] = []
    begun_s: float | None = None
    for frame in read_video(source, Tally(), start_s=0.0 if source.recorded else None, time_of=None if source.recorded else _arrivals()):
        begun_s = frame.time_s if begun_s is None else begun_s
        if frame.time_s - begun_s >= len(pictures) * PICTURES_S / PICTURES:
            if pictures and pictures[0].shape != frame.image.shape:
                pictures.clear()
                begun_s = frame.time_s
            pictures.append(frame.image)
        if len(pictures) == PICTURES:
            break
    return pictures


def _arrivals() -> Callable[[float | None], float]:
    timeline = LiveTimeline()
    return lambda stamp_s: timeline.time_s(stamp_s, time.monotonic())


def people_finder() -> FindPeople:
    """The unit's own detector, looking for people alone."""
    # Half a second to import: what is refused should not wait for it.
    from parvis_edge.bundle import load_bundle
    from parvis_edge.vision.detector import Detector

    detector = Detector(load_bundle("nanodet-g-416"), classes=["person"])

    def find(image: Image) -> npt.NDArray[np.float64]:
        return detector.detect(image, PERSON_SCORE).boxes_px.astype(np.float64)

    return find


def _camera(asked: Calibration, source: Source, say: Callable[[str], None], show: Callable[[str], None]) -> bool:
    pictures = look(source)
    if not pictures:
        raise SourceError(f"{source}: shows nothing", StatusReason.NO_DATA)
    height, width = pictures[0].shape[:2]
    points = list(asked.points)
    if asked.tags:
        single = find_tags(pictures, asked.tags)
        if missing := [str(number) for number in asked.tags if number not in single]:
            say(f"look at this: tags {', '.join(missing)} are not seen; lay them flat and whole in view, 12 px a side or larger")
        points += tag_points(asked.tags, single)
        if not points:
            raise PointError("none of the tags is seen, and there are no other points")
    if asked.board is not None:
        plane = LocalPlane(asked.site.origin)
        seen = find_tags(pictures, asked.board.numbers)
        say(f"tags of the board in view: {', '.join(str(number) for number in seen) or 'none'}")
        points += board_points(asked.board, seen, plane, (width, height))
        say("the board's own place and heading are taken as given: a degree of heading moves what lies 20 m from it by 0.35 m")
    if asked.page or not points:
        found = _by_page(asked, source, pictures, points, say)
        if found is None:
            return False
    else:
        found = assess(tuple(points), (width, height), asked.site, asked.unit)
    for line in as_lines(found, asked.unit):
        say(line)
    if not found.good:
        return False
    say(f"For {asked.site.path}, under units.{asked.unit}:")
    show(ground_plane_block(found.plane))
    return not asked.write or _written(lambda: write_ground_plane(asked.site.path, asked.unit, found.plane), asked, say)


def _by_page(
    asked: Calibration, source: Source, pictures: list[Image], points: list[GroundPoint], say: Callable[[str], None]
) -> Assessment | None:
    """Serves the page until the installer is done; None if they stop it."""
    find_people = people_finder()
    size = pictures[0].shape[:2]

    def look_again() -> LineDrawing:
        # A profile can run out while the page is open.
        if reasons := why_not(asked.site, asked.unit, "camera", source):
            raise CannotCalibrate(shortened(reasons))
        drawing = draw(look(source), find_people)
        if drawing.lines.shape != size:
            raise PointError("the camera now sends pictures of another size; end the program and start it again")
        return drawing

    drawing = draw(pictures, find_people)
    # The pictures have been looked at; from here on there are lines.
    pictures.clear()
    current = asked.site.units[asked.unit].ground_plane
    if not points and current is not None and tuple(current.image_size) == drawing.size_px:
        points = list(current.points)
    desk = Desk(asked.site, asked.unit, drawing, look_again, points)
    try:
        opened = Page(desk, asked.port)
    except OSError as error:
        raise CannotCalibrate(f"--port {asked.port}: {error.strerror}; give another, or 0 for a free one") from None
    with opened as page:
        say(f"Open {page.url}")
        say("(from another computer: ssh -L PORT:127.0.0.1:PORT this-unit, with the address's port). Ctrl-C ends it without a result.")
        try:
            while not desk.finished.wait(0.5):
                pass
        except KeyboardInterrupt:
            say("ended without a result")
            return None
    return desk.result


# --- the microphone -------------------------------------------------------------------------------------------------------------


def listen(source: Source, over_s: float = LISTEN_S, settle_s: float = SETTLE_S) -> tuple[npt.NDArray[np.float32], int]:
    """The sound of a source: of a live one some seconds, of a recording no more than that either.

    Returns:
        ``(n,)`` float32 in [-1, 1], and samples per second.

    Raises:
        SourceError: There is nothing to hear, or nothing came for ten seconds.
    """
    parts: list[npt.NDArray[np.float32]] = []
    rate_hz, heard_s = 0, 0.0
    for block in _blocks(source):
        if block.rate_hz != rate_hz:
            parts, rate_hz, heard_s = [], block.rate_hz, 0.0
        heard_s += len(block.samples) / rate_hz
        if heard_s > settle_s:
            parts.append(block.samples)
        if heard_s >= over_s + settle_s:
            break
    return (np.concatenate(parts) if parts else np.zeros(0, np.float32)), rate_hz


def _blocks(source: Source) -> Iterator[AudioBlock]:
    if source.recorded:
        return read_sound(source, Tally(), start_s=0.0)
    if source.kind is Kind.DEVICE:
        return read_microphone(source, Tally(), arrival=time.monotonic, offset=lambda: 0.0)
    return read_sound(source, Tally(), time_of=_arrivals())


def _microphone(asked: Calibration, source: Source, say: Callable[[str], None], show: Callable[[str], None]) -> bool:
    say(f"Listening for {SETTLE_S + LISTEN_S:.0f} s to the calibrator ({asked.reference_db:g} dB, 1 kHz) …")
    samples, rate_hz = listen(source)
    found = check_sound(samples, rate_hz, asked.reference_db)
    for line in sound_lines(found, asked.site.units[asked.unit].microphone.full_scale_db):
        say(line)
    if found.full_scale_db is None:
        return False
    level = found.full_scale_db
    say(f"For {asked.site.path}, under units.{asked.unit}:")
    show(microphone_block(level))
    return not asked.write or _written(lambda: write_full_scale(asked.site.path, asked.unit, level), asked, say)


def sound_lines(found: SoundCheck, planned_db: float) -> list[str]:
    """The report of a comparison with a calibrator."""
    tone = f"tone at {found.frequency_hz:.0f} Hz, {found.level_db:.1f} dB re full scale, {found.purity:.1%} of the sound"
    lines = [f"{tone}, steady to {found.spread_db:.2f} dB"]
    lines += [f"refused: {refusal}" for refusal in found.refusals]
    if found.full_scale_db is not None:
        off = planned_db - found.full_scale_db
        lines.append(
            f"full scale is {found.full_scale_db:.1f} dB; the site plan has {planned_db:g}, "
            + ("which is right" if abs(off) < 0.5 else f"so levels were told {abs(off):.1f} dB too {'high' if off > 0 else 'low'}")
        )
    return lines


def _written(write: Callable[[], None], asked: Calibration, say: Callable[[str], None]) -> bool:
    try:
        write()
    except CannotWrite as error:
        say(f"not written: {error}")
        return False
    say(f"written to {asked.site.path}")
    return True
