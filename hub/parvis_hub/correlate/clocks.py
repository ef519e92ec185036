"""What units' clocks are off by, learned from all that they heard in an hour: a clock that is wrong is wrong by the same each time.

First each episode of impulses is explained by what the units say of their clocks. How much later than the sounds so found each arrival
came, is evidence of its unit's clock; of an arrival that is of no sound, how much later it came than each sound that its unit may have
heard. What most of an hour's arrivals agree on is the clock's error. The hour is the arrival's own, so that what is learned depends on
that hour's reports alone, and not on the order of their arrival.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import median

from .earshot import MOST_OFF_S, Earshot
from .evidence import RISE_M, Heard
from .explaining import Explained, explain
from .physics import AUDIBLE_M
from .report import Order, Report

#: Over so long a clock's error is learned.
HOUR_US = 3_600_000_000
#: Arrivals agree that are no farther apart than this: onsets, places and honest clocks, a few milliseconds each.
_AGREE_S = 0.012
#: A clock's error is known if so many arrivals agree on it, more than this share of all, and so many more than on any other.
_FEWEST, _SHARE, _MORE = 3, 0.5, 2
#: A sound that so many heard is one. It may have been heard by others no farther than this share of the farthest of them.
_SURE, _FARTHER = 5, 1.2
#: What an hour's first so many arrivals say is enough; and of those that agree, the first, so that one more changes nothing.
_ENOUGH, _FIRST = 64, 5
#: Of a clock that is off by no more than so many times what its unit says, nothing needs to be learned.
_AS_SAID, _LEAST_SIGMA_S = 4.0, 0.002
#: Of one that is off by so many times that, and no less than arrivals differ, somebody should know.
_CLEARLY = 5.0


def whole_hours_us(since_us: int) -> int:
    """The beginning of the hour that a time lies in: what is learned of an hour rests on all of it."""
    return since_us - since_us % HOUR_US


def heard(report: Report, start_us: int, known_off_s: float | None) -> Heard:
    """An arrival, in seconds from a time; by its own clock, or by what is known of it."""
    here = report.anchor
    return Heard(
        report.unit,
        here.east_m,
        here.north_m,
        (here.time_us - start_us) / 1e6 - (known_off_s or 0.0),
        report.sigma_us / 1e6 if known_off_s is None else _AGREE_S / 4.0,
        report.free and known_off_s is None,
        report.data.measure.lcpeak_db,
    )


#: Of a clock that is so wrong, how far from a sound an arrival may be.
_REACH_US = int((MOST_OFF_S + AUDIBLE_M / 300.0) * 1e6)
_UnitHour = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class _Sound:
    """A sound that enough units heard: when and where it began, and to how far away."""

    time_us: int
    east_m: float
    north_m: float
    farthest_m: float


class Clocks(Earshot):
    """The impulses of a site, explained by what units say of their clocks; and what that says of the clocks.

    Attributes:
        explained: Of each part of an episode, by its first report: its reports, and the sounds that explain them.
        wrong: Whose clock was found to be off by more than it says, and by how many seconds, since this was last emptied.
    """

    def __init__(self, sound_m_s: float) -> None:
        super().__init__(sound_m_s)
        self.explained: dict[Report, tuple[list[Report], list[Explained]]] = {}
        self._sounds: list[_Sound] = []
        self._sounds_of: dict[Report, list[_Sound]] = {}
        self._of_hour: dict[_UnitHour, dict[Report, None]] = {}
        self._known_s: dict[_UnitHour, float] = {}
        self._unlearned: dict[_UnitHour, None] = {}
        self.wrong: dict[str, float] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        super().put(report)
        self._of_hour.setdefault(_hour(report), {})[report] = None

    def known_s(self, report: Report) -> float | None:
        """What a report's clock is known to be off by, in seconds; None where nothing is known but what its unit says."""
        return self._known_s.get(_hour(report))

    def learn(self) -> list[Report]:
        """Learns from what has come; returns the reports of whose clocks something else may be known than when this was last called.

        What has come since a clock was learned is among them, though of the clock nothing else is known than before.
        """
        self.settle()
        looked_at: list[Report] = []
        for key in self._unlearned:
            self._known_s.pop(key, None)
            reports = sorted(self._of_hour.get(key, {}), key=_order)
            first = reports[:_ENOUGH]
            now = _agreed([self._late_s(report) for report in first], min((report.sigma_us / 1e6 for report in first), default=0.0))
            if now is not None:
                self._known_s[key] = now
                if all(abs(now) > _CLEARLY * max(report.sigma_us / 1e6, _AGREE_S) for report in reports):
                    self.wrong[key[0]] = now
            looked_at += reports
        self._unlearned.clear()
        return looked_at

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        super().remove(report)
        self._unlearned[_hour(report)] = None

    def _drop(self, report: Report) -> None:
        self._undo(report)
        super()._drop(report)
        key = _hour(report)
        del self._of_hour[key][report]
        if not self._of_hour[key]:
            del self._of_hour[key]

    def _undo(self, report: Report) -> None:
        """Takes back what a report was decided to be part of."""
        self.explained.pop(report, None)
        for sound in self._sounds_of.pop(report, ()):
            del self._sounds[bisect_left(self._sounds, sound)]

    def _decide(self, part: list[Report]) -> None:
        for report in part:
            self._undo(report)
            self._unlearned[_hour(report)] = None
        start_us = part[0].order[0]
        explained = explain([heard(each, start_us, None) for each in part], self._sound_m_s)
        self.explained[part[0]] = part, explained
        sounds = self._sounds_of[part[0]] = []
        for each in explained:
            members = [part[index] for index in each.members]
            if each.began_s is None or len({member.unit for member in members}) < _SURE:
                continue
            farthest_m = max(hypot(member.anchor.east_m - each.east_m, member.anchor.north_m - each.north_m) for member in members)
            sound = _Sound(start_us + round(each.began_s * 1e6), each.east_m, each.north_m, farthest_m)
            sounds.append(sound)
            insort(self._sounds, sound)
        # What others around heard may be of these sounds, if their clocks are wrong.
        cells = frozenset(cell for report in part for cell in self._placed[report])
        for report in self._near.after((start_us - _REACH_US, ""), cells, part[-1].order[0] + _REACH_US):
            self._unlearned[_hour(report)] = None

    def _late_s(self, report: Report) -> list[float]:
        """How much later an arrival came than each sound that its unit may have heard."""
        here = report.anchor
        since = bisect_left(self._sounds, here.time_us - _REACH_US, key=_time_us)
        until = bisect_left(self._sounds, here.time_us + _REACH_US, key=_time_us)
        late_s = []
        for sound in self._sounds[since:until]:
            away_m = hypot(here.east_m - sound.east_m, here.north_m - sound.north_m)
            if away_m <= _FARTHER * sound.farthest_m:
                late_s.append((here.time_us - sound.time_us) / 1e6 - hypot(away_m, RISE_M) / self._sound_m_s)
        return late_s


def _agreed(late_s: Sequence[list[float]], sigma_s: float) -> float | None:
    """What most arrivals of a unit agree that its clock is off by; None if they do not, or if it is what the unit says."""
    of = sorted((each, arrival) for arrival, several in enumerate(late_s) for each in several if abs(each) <= MOST_OFF_S)
    counted: list[tuple[int, float]] = []
    until = 0
    for first, (begin_s, _) in enumerate(of):
        while until < len(of) and of[until][0] <= begin_s + _AGREE_S:
            until += 1
        counted.append((-len({arrival for _, arrival in of[first:until]}), begin_s))
    if not counted:
        return None
    most, begin_s = min(counted)
    votes, others = -most, max((-count for count, other_s in counted if abs(other_s - begin_s) > _AGREE_S), default=0)
    agreeing = sorted((arrival, each) for each, arrival in of if begin_s <= each <= begin_s + _AGREE_S)
    off_s = round(median([each for _, each in agreeing[:_FIRST]]), 3)
    if votes < _FEWEST or votes <= _SHARE * sum(1 for several in late_s if several) or others > votes - _MORE:
        return None
    return off_s if abs(off_s) > _AS_SAID * max(sigma_s, _LEAST_SIGMA_S) or sigma_s > _AGREE_S else None


def _hour(report: Report) -> _UnitHour:
    return report.unit, report.order[0] // HOUR_US


def _order(report: Report) -> Order:
    return report.order


def _time_us(sound: _Sound) -> int:
    return sound.time_us
