"""`level.unusual`: how many people or vehicles are in a zone, or how loud it is, is far from what this hour of this weekday has been.

Levels are taken minute by minute: the mean number of those who are in the zone, or L_Aeq. The median of the last minutes is held
against the baseline (:mod:`.baseline`), so that one lorry or one school class that crosses says nothing. The event starts when it is the
zone's `z_score` spreads from the centre, above or below, began with the first of those minutes that were off, and ends at half
of that: a level at the threshold is one event. An hour of the week that has not been heard in `learn_weeks` weeks is not judged. While
the unit is covered, dark, frozen or silent, nothing is learned and nothing is judged: an unseen square is not an empty one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Protocol

import structlog
from parvis_contract import ClosedZone, CrowdZone, LevelQuantity, LevelUnusual, NoiseZone, Phase, Position, Site, WalkedZone, WatchedZone
from parvis_contract.site import Unusual

from parvis_edge.hearing.ear import Heard
from parvis_edge.hearing.levels import to_db
from parvis_edge.perception import Finding, Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.sight import Scene

from .baseline import Baseline, NoBaseline, Series, Usual, from_scale, to_scale
from .view import Lasting, View, is_new

MINUTE_S = 60.0
#: A minute counts if so much of it was seen or heard.
LEAST_S = 45.0
#: Pictures further apart than this leave a gap.
GAP_S = 2.0
#: The median of so many minutes is judged, if most of them are there: what crosses within two minutes says nothing.
WINDOW, LEAST_WINDOW = 5, 3
#: An event ends below this share of the threshold.
LEFT_BELOW = 0.5
#: And is told again this often: a level changes slowly.
UPDATE_EVERY_S = 600.0
#: Unusual hours are taken to be one in so many, and as likely to be anywhere within so many spreads.
RARITY, RANGE_SPREADS = 500.0, 20.0
#: How many spreads a message can carry.
_MOST_Z = 1.0e4

#: What is counted, and what the tracks of it are called.
_KINDS = {LevelQuantity.PERSON_COUNT: "person", LevelQuantity.VEHICLE_COUNT: "vehicle"}

CameraZone = WatchedZone | ClosedZone | WalkedZone | CrowdZone

_log = structlog.get_logger()


class Shelf(Protocol):
    """Where baselines are kept from one run to the next."""

    def read(self, name: str) -> bytes | None:
        """What was last written under this name; None if there is nothing."""

    def write(self, name: str, raw: bytes) -> None:
        """Puts it in the place of what was there, whole or not at all; a disk that takes nothing is told elsewhere."""


class Minutes:
    """Gathers moments into minutes of the clock."""

    def __init__(self) -> None:
        self._minute: int | None = None
        self._sum = self._seconds = 0.0
        self._usable = True

    def add(self, time_s: float, lasted_s: float, amount: float, *, usable: bool) -> tuple[float, float] | None:
        """Takes a moment.

        Args:
            time_s: When it began.
            lasted_s: How long it lasted.
            amount: Of what is averaged, times ``lasted_s``.
            usable: False if nothing can be said of it, nor of the minute that it is in.

        Returns:
            When a minute that is over now began, and its mean; None if none is, or too little of it was seen.
        """
        minute = math.floor(time_s / MINUTE_S)
        over = None
        if minute != self._minute:
            if self._minute is not None and self._usable and self._seconds >= LEAST_S:
                over = self._minute * MINUTE_S, self._sum / self._seconds
            self._minute, self._sum, self._seconds, self._usable = minute, 0.0, 0.0, True
        self._sum += amount
        self._seconds += lasted_s
        self._usable = self._usable and usable
        return over


class LevelWatch:
    """Judges one level of one zone, minute by minute.

    Args:
        series: Which.
        thresholds: The zone's.
        shelf: Where the baseline is kept; None keeps it for this run alone.
        model: Name of the bundle that counts; None for sound.
        position: Of the zone; None means the unit's own.
    """

    def __init__(self, series: Series, thresholds: Unusual, shelf: Shelf | None, model: str | None, position: Position | None) -> None:
        self._series, self._thresholds, self._shelf, self._position = series, thresholds, shelf, position
        self._baseline = stored(series, thresholds, shelf)
        self._lasting = Lasting("level.unusual", model)
        self._window: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._episode = 0
        self._side = 0.0
        self._told_s = 0.0
        self._day = int(self._baseline.days[0])
        self._tell_progress()

    def judge(self, began_s: float, level: float) -> list[Judgement]:
        """Takes a minute that is over.

        Args:
            began_s: When it began.
            level: Its level, in the unit of the quantity.
        """
        scaled = to_scale(self._series.quantity, level)
        while self._window and not 0.0 < began_s - self._window[0][0] < WINDOW * MINUTE_S:
            self._window.popleft()
        self._window.append((began_s, scaled))
        said = self._decide(began_s + MINUTE_S)
        if self._baseline.learn(began_s, scaled):
            self._save()
        return said

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open, and keeps what was learned."""
        self._save()
        return self._lasting.finish(time_s)

    def unseen_since(self, time_s: float) -> list[Judgement]:
        """Ends what is open if the last minutes were not seen: nobody knows how it goes on."""
        gone = not self._window or time_s - self._window[-1][0] > (WINDOW + 1) * MINUTE_S
        return self._end(self._window[-1][0] + MINUTE_S if self._window else time_s) if gone else []

    def _decide(self, now_s: float) -> list[Judgement]:
        usual = self._baseline.usual(now_s - MINUTE_S)
        if usual is None:
            return self._end(now_s)
        if len(self._window) < LEAST_WINDOW:
            return []
        middle = median(value for _, value in self._window)
        z = (middle - usual.centre) / usual.spread
        said: list[Judgement] = []
        if self._key in self._lasting:
            if z * self._side >= LEFT_BELOW * self._thresholds.z_score:
                if now_s - self._told_s < UPDATE_EVERY_S:
                    return []
                self._told_s = now_s
                measure = self._measure(middle, usual, z)
                return self._lasting.update(self._key, now_s, confidence(z), measure, self._position, at_once=True)
            said += self._end(now_s, self._measure(middle, usual, z))
        if abs(z) >= self._thresholds.z_score:
            self._side, self._told_s = math.copysign(1.0, z), now_s
            measure = self._measure(middle, usual, z)
            said.append(self._lasting.start(self._key, self._began_s(usual), now_s, confidence(z), measure, self._position))
        return said

    @property
    def _key(self) -> tuple[str, str, int]:
        return self._series.zone, self._series.quantity, self._episode

    def _began_s(self, usual: Usual) -> float:
        """When the first of the minutes began that have been off on this side without a break."""
        began_s = self._window[-1][0]
        for time_s, value in reversed(self._window):
            if self._side * (value - usual.centre) < LEFT_BELOW * self._thresholds.z_score * usual.spread:
                break
            began_s = time_s
        return began_s

    def _end(self, now_s: float, measure: LevelUnusual | None = None) -> list[Judgement]:
        if self._key not in self._lasting:
            return []
        ended = self._lasting.end(self._key, now_s, measure)
        self._episode += 1
        return [ended]

    def _measure(self, middle: float, usual: Usual, z: float) -> LevelUnusual:
        quantity = self._series.quantity
        return LevelUnusual(
            quantity=quantity,
            observed=round(from_scale(quantity, middle), 1),
            expected=round(from_scale(quantity, usual.centre), 1),
            z_score=round(min(max(z, -_MOST_Z), _MOST_Z), 2),
        )

    def _save(self) -> None:
        if self._shelf is not None:
            self._shelf.write(shelf_name(self._series.zone, self._series.quantity), self._baseline.dump())
        if int(self._baseline.days[0]) > self._day:
            self._day = int(self._baseline.days[0])
            self._tell_progress()

    def _tell_progress(self) -> None:
        line = progress(self._baseline)
        if line is not None:
            _log.info("level.unusual is silent while it learns", zone=self._series.zone, quantity=self._series.quantity, learned=line)


class CameraLevels:
    """Counts who is in each zone of one view, and judges the counts.

    Args:
        site, unit: Whose view.
        zones: By name, with where they are in the picture.
        view: The camera's.
        shelf: Where baselines are kept; None keeps them for this run alone.
    """

    def __init__(self, site: Site, unit: str, zones: dict[str, tuple[CameraZone, Area]], view: View, shelf: Shelf | None) -> None:
        self._levels = []
        for name, (zone, area) in zones.items():
            if zone.unusual is not None:
                for quantity, kind in _KINDS.items():
                    series = series_of(site, unit, name, quantity)
                    watch = LevelWatch(series, zone.unusual, shelf, view.model, view.position_of_area(area))
                    self._levels.append((area, kind, Minutes(), watch))
        self._last_s: float | None = None
        self._tampered = False

    def see(self, scene: Scene, said: Sequence[Finding]) -> list[Judgement]:
        """Takes the next scene, and what the other analysers have said of it."""
        self._tampered = tampered(self._tampered, said)
        lasted_s = 0.0 if self._last_s is None else scene.time_s - self._last_s
        self._last_s = scene.time_s
        if not 0.0 < lasted_s <= GAP_S:
            lasted_s = 0.0
        new = [track for track in scene.tracks if is_new(track, scene)]
        feet = [track.foot_px for track in new]
        judged: list[Judgement] = []
        for area, kind, minutes, watch in self._levels:
            inside = area.contains(feet).tolist()
            count = sum(within and track.kind == kind for track, within in zip(new, inside, strict=True))
            over = minutes.add(scene.time_s, lasted_s, count * lasted_s, usable=not self._tampered and not scene.identical)
            judged += watch.judge(*over) if over else watch.unseen_since(scene.time_s)
        return judged

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open, and keeps what was learned."""
        return [judgement for _, _, _, watch in self._levels for judgement in watch.finish(time_s)]


class MicrophoneLevels:
    """Judges how loud it is in a unit's noise zones.

    Args:
        site, unit: Whose microphone.
        zones: Its noise zones.
        shelf: Where baselines are kept; None keeps them for this run alone.
    """

    def __init__(self, site: Site, unit: str, zones: dict[str, NoiseZone], shelf: Shelf | None) -> None:
        self._watches = [
            LevelWatch(series_of(site, unit, name, LevelQuantity.LAEQ_DB), zone.unusual, shelf, None, None)
            for name, zone in zones.items()
            if zone.unusual is not None
        ]
        self._minutes = Minutes()
        self._silent = False
        self._now_s = 0.0

    def hear(self, heard: Heard, said: Sequence[Finding]) -> list[Judgement]:
        """Takes what was heard next, and what the other analysers have said of it."""
        self._silent = tampered(self._silent, said)
        if heard.level is None or heard.level.duration_s <= 0.0:
            return []
        self._now_s = heard.pressure.end_s
        usable = not self._silent and not heard.pressure.constant
        over = self._minutes.add(heard.pressure.begin_s, heard.level.duration_s, heard.level.exposure, usable=usable)
        judged: list[Judgement] = []
        for watch in self._watches:
            judged += watch.judge(over[0], to_db(over[1])) if over else watch.unseen_since(self._now_s)
        return judged

    def finish(self) -> list[Judgement]:
        """Ends what is open, and keeps what was learned."""
        return [judgement for watch in self._watches for judgement in watch.finish(self._now_s)]


def confidence(z: float) -> float:
    """Probability that a level so far off is more than chance.

    Usual levels are taken to be normal, unusual ones to be anywhere within :data:`RANGE_SPREADS` on either side, and one in :data:`RARITY`.
    """
    # Past 30 spreads the density of a normal deviate is below what a float can hold.
    usual = math.exp(-0.5 * min(abs(z), 30.0) ** 2) / math.sqrt(2.0 * math.pi)
    unusual = 1.0 / (2.0 * RANGE_SPREADS) / RARITY
    return unusual / (unusual + usual)


def tampered(before: bool, said: Sequence[Finding]) -> bool:
    """Whether the unit can see or hear, given whether it could, and what is now said of it: True if not."""
    for finding in said:
        if isinstance(finding, Judgement) and finding.type == "unit.tampered":
            before = finding.phase is not Phase.END
    return before


def series_of(site: Site, unit: str, zone: str, quantity: LevelQuantity) -> Series:
    """What a baseline is of; it holds as long as the zone is drawn as it is and the unit measures as it does."""
    plan, plane = site.zones[zone], site.units[unit].ground_plane
    if isinstance(plan, NoiseZone):
        drawn: list[object] = [site.units[unit].microphone.full_scale_db]
    else:
        drawn = [plan.polygon, plan.polygon_px, plan.image_size, plane.model_dump(mode="json") if plane and plan.polygon else None]
    digest = hashlib.sha256(json.dumps(drawn).encode()).hexdigest()
    return Series(site.site, unit, zone, quantity, site.timezone, digest[:16])


def quantities_of(zone: CameraZone | NoiseZone) -> tuple[LevelQuantity, ...]:
    """What is judged in a zone."""
    return (LevelQuantity.LAEQ_DB,) if isinstance(zone, NoiseZone) else tuple(_KINDS)


def shelf_name(zone: str, quantity: LevelQuantity) -> str:
    """Under which a baseline is kept."""
    return f"{zone}.{quantity}"


def stored(series: Series, thresholds: Unusual, shelf: Shelf | None) -> Baseline:
    """The baseline that was kept; a new one, with a line in the log that says why, where that cannot be used."""
    baseline = Baseline(series, thresholds.learn_weeks)
    name = shelf_name(series.zone, series.quantity)
    raw = None if shelf is None else shelf.read(name)
    if raw is not None:
        try:
            baseline.load(raw)
        except NoBaseline as why:
            _log.warning("what is usual is learned anew: what was kept cannot be used", kept=name, why=str(why))
    return baseline


def progress(baseline: Baseline) -> str | None:
    """How far a baseline has been learned, in words; None if all of it is."""
    learned, needed = baseline.days
    return None if learned >= needed else f"{learned:.1f} of {needed} days"
