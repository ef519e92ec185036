"""What a level usually is at this hour of this weekday: a baseline that is learned on the spot and kept as a few numbers per hour. Pure.

Levels are handled on a scale on which their spread does not grow with them: decibels as they are, counts by Anscombe's transform
(Biometrika 35, 1948), under which a Poisson count has a standard deviation of 1. No count is taken to vary less than that.

Each of the 168 hours of the week has its centre and its spread. When an hour of one day is over, its median moves the centre, and the
median distance of its minutes from the centre moves the spread: by the mean over the first weeks, later with a memory of some
weeks, so that a slow drift is followed. What is far off is drawn in to a few spreads before it counts (winsorised): one festival
moves an hour by little. An hour with a short history borrows: it counts as if it had one week more, with the median of the hours beside it
and of the same hour of the other days; and how far that draws it is added to its spread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from parvis_contract import LevelQuantity

HOURS = 168
#: An hour of one day counts if it was heard for at least half.
LEAST_MINUTES = 30
#: Older weeks fade: a season's course is followed, a few odd weeks are not.
MEMORY_WEEKS = 8
#: From which week on what is far off is drawn in, and to how many spreads: of normal hours, one in four hundred is.
WINSORISED_FROM, WINSORISED_SPREADS = 2, 3.0
#: An hour's own spread is mixed with that of all hours, as if that had been seen for so many weeks.
POOLED_WEEKS = 2
#: Of normal data, the standard deviation over the median absolute deviation.
MAD_SIGMAS = 1.4826
#: No level is known better: what wind and the place of a microphone do to it, beyond the decibel of its class (IEC 61672-1).
LEAST_SPREAD_DB = 1.5
#: The standard deviation of a Poisson count, after the transform.
LEAST_SPREAD_COUNT = 1.0
_VERSION = 1


class NoBaseline(ValueError):
    """What was kept cannot be used; the message says why."""


def to_scale(quantity: LevelQuantity, level: float) -> float:
    """A level on the scale on which its spread is even."""
    return level if quantity is LevelQuantity.LAEQ_DB else 2.0 * math.sqrt(max(level, 0.0) + 0.375)


def from_scale(quantity: LevelQuantity, scaled: float) -> float:
    """The level again, in its unit."""
    return scaled if quantity is LevelQuantity.LAEQ_DB else max(0.0, (max(scaled, 0.0) / 2.0) ** 2 - 0.375)


@dataclass(frozen=True, slots=True)
class Series:
    """What a baseline is of.

    Attributes:
        site, unit, zone: Where.
        quantity: Of what.
        timezone: Name of the time zone whose hours are meant.
        drawn: Anything that changes when the zone is drawn anew: what was learned then no longer holds.
    """

    site: str
    unit: str
    zone: str
    quantity: LevelQuantity
    timezone: str
    drawn: str


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual at a moment, on the scale.

    Attributes:
        centre: The usual level.
        spread: Its standard deviation, with what is not known about the centre.
    """

    centre: float
    spread: float


@dataclass(slots=True)
class _Hour:
    """One hour of the week: centre and median absolute deviation on the scale, and in how many weeks it was heard."""

    centre: float
    deviation: float
    weeks: int


class Baseline:
    """The usual course of one level over the week.

    Args:
        series: What it is of.
        learn_weeks: In how many weeks an hour must have been heard before it is spoken of.
    """

    def __init__(self, series: Series, learn_weeks: int) -> None:
        self._series = series
        self._learn_weeks = learn_weeks
        self._zone = ZoneInfo(series.timezone)
        self._least = LEAST_SPREAD_DB if series.quantity is LevelQuantity.LAEQ_DB else LEAST_SPREAD_COUNT
        self._hours: list[_Hour | None] = [None] * HOURS
        self._running: tuple[int, int] | None = None
        self._minutes: list[float] = []
        self._pooled: float | None = None

    @property
    def days(self) -> tuple[float, int]:
        """How many days of the week's course have been learned, of how many that must be."""
        heard = sum(min(hour.weeks, self._learn_weeks) for hour in self._hours if hour is not None)
        return heard / 24, 7 * self._learn_weeks

    def learn(self, time_s: float, scaled: float) -> bool:
        """Takes a minute's level.

        Args:
            time_s: A moment of the minute.
            scaled: Its level, on the scale.

        Returns:
            True if an hour was over: something has been learned.
        """
        local = datetime.fromtimestamp(time_s, self._zone)
        # Where an hour is there twice, in autumn, both are one.
        now = local.toordinal(), local.hour
        over = self._running is not None and self._running != now
        if over:
            self._close()
        self._running = now
        self._minutes.append(scaled)
        return over

    def usual(self, time_s: float) -> Usual | None:
        """What is usual then; None where that hour is not known well enough yet."""
        local = datetime.fromtimestamp(time_s, self._zone)
        index = local.weekday() * 24 + local.hour
        own = self._hours[index]
        if own is None or own.weeks < self._learn_weeks:
            return None
        centre, drawn = self._shrunk(index, own)
        # An hour's centre is that of its middle; in between, the course goes straight from one to the next.
        off = (local.minute + 0.5) / 60 - 0.5
        beside = (index + (1 if off > 0 else -1)) % HOURS
        other = self._hours[beside]
        if other is not None and other.weeks >= self._learn_weeks:
            centre += abs(off) * (self._shrunk(beside, other)[0] - centre)
        spread = max(self._spread(own), self._least)
        unsure = spread * spread / min(own.weeks, MEMORY_WEEKS) + drawn * drawn
        return Usual(centre, math.sqrt(spread * spread + unsure))

    def dump(self) -> bytes:
        """All of it, as JSON: numbers, and what they are of. The minutes of the hour that is running are in order of size, not of time."""
        return json.dumps(
            {
                "version": _VERSION,
                **_named(self._series),
                "running": self._running,
                "minutes": sorted(self._minutes),
                "hours": [None if hour is None else [hour.centre, hour.deviation, hour.weeks] for hour in self._hours],
            }
        ).encode()

    def load(self, raw: bytes) -> None:
        """Takes over what :meth:`dump` gave.

        Raises:
            NoBaseline: It is damaged, of another version or of another series; nothing was taken over.
        """
        try:
            data = json.loads(raw)
            found = {name: data[name] for name in ("version", *_named(self._series))}
            running = None if data["running"] is None else _running(data["running"])
            minutes = [_finite(value) for value in data["minutes"]]
            hours = [None if entry is None else _hour(entry) for entry in data["hours"]]
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
            raise NoBaseline(f"it is damaged ({type(error).__name__})") from None
        for name, wanted in {"version": _VERSION, **_named(self._series)}.items():
            if found[name] != wanted:
                raise NoBaseline(f"it is of another {'drawing of the zone' if name == 'drawn' else name}")
        if len(hours) != HOURS or len(minutes) > 24 * 60:
            raise NoBaseline("it is damaged (not a week)")
        self._running, self._minutes, self._hours, self._pooled = running, minutes, hours, None

    def _close(self) -> None:
        """An hour of one day is over."""
        minutes, self._minutes = self._minutes, []
        if self._running is None or len(minutes) < LEAST_MINUTES:
            return
        index = (self._running[0] - 1) % 7 * 24 + self._running[1]
        hour, middle = self._hours[index], median(minutes)
        self._pooled = None
        if hour is None:
            self._hours[index] = _Hour(middle, _deviation(minutes, middle), 1)
            return
        deviation = _deviation(minutes, hour.centre)
        if hour.weeks >= WINSORISED_FROM:
            limit = WINSORISED_SPREADS * max(MAD_SIGMAS * hour.deviation, self._least)
            middle = min(max(middle, hour.centre - limit), hour.centre + limit)
            deviation = min(deviation, limit)
        hour.weeks += 1
        share = 1.0 / min(hour.weeks, MEMORY_WEEKS)
        hour.centre += share * (middle - hour.centre)
        hour.deviation += share * (deviation - hour.deviation)

    def _shrunk(self, index: int, own: _Hour) -> tuple[float, float]:
        """An hour's centre, drawn towards those of hours like it, and by how much it was drawn."""
        like = [(index - 1) % HOURS, (index + 1) % HOURS, *((index + 24 * day) % HOURS for day in range(1, 7))]
        centres = [hour.centre for hour in (self._hours[each] for each in like) if hour is not None]
        if not centres:
            return own.centre, 0.0
        drawn = (median(centres) - own.centre) / (own.weeks + 1)
        return own.centre + drawn, drawn

    def _spread(self, own: _Hour) -> float:
        if self._pooled is None:
            self._pooled = median(hour.deviation for hour in self._hours if hour is not None)
        weeks = min(own.weeks, MEMORY_WEEKS)
        return MAD_SIGMAS * (weeks * own.deviation + POOLED_WEEKS * self._pooled) / (weeks + POOLED_WEEKS)


def _deviation(values: Sequence[float], centre: float) -> float:
    return median(abs(value - centre) for value in values)


def _named(series: Series) -> dict[str, str]:
    return {name: str(getattr(series, name)) for name in ("site", "unit", "zone", "quantity", "timezone", "drawn")}


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _running(entry: Any) -> tuple[int, int]:
    day, hour = entry
    if not isinstance(day, int) or not isinstance(hour, int) or not 0 <= hour < 24:
        raise ValueError("running")
    return day, hour


def _hour(entry: Any) -> _Hour:
    centre, deviation, weeks = entry
    if not isinstance(weeks, int) or weeks < 1:
        raise ValueError("weeks")
    return _Hour(_finite(centre), abs(_finite(deviation)), weeks)
