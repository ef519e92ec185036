"""What arrivals say of a sound that began somewhere at some time: how likely each is of it, and how likely it is that just these heard it.

An arrival is direct, or an echo that comes later, or of no sound at all. How much better some are explained by one sound than by as many
strangers is the sound's marginal likelihood: its best place's, times the volume of what is as good (Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

#: Shares of arrivals that are an echo: street canyons hide one source in ten. An echo's mean delay, a detour of twenty metres. Beyond a
#: quarter of a second an echo is none.
ECHO_SHARE, ECHO_DELAY_S, _ECHO_MOST_S = 0.12, 0.06, 0.25
#: A stranger: an impulse that a unit hears and no other does, per second while others are heard.
_STRANGERS_PER_S = 0.01
#: How often a unit tells of an echo beside the direct sound: at any time until then, for one that follows at once is no onset of its own.
_ECHO_TOO_SHARE = 0.12
#: Sounds per second and square metre there are to choose from where some are heard: one in five seconds, within half a kilometre.
_SOUNDS_PER_S_M2 = 0.2 / (pi * 500.0**2)
#: A clock that is off by more than it says: how likely where it runs free, since what it drifts by it cannot know, and where it says
#: that it does not.
LIE_SHARE_FREE, LIE_SHARE = 0.5, 0.03
#: What the air and the map leave open of a direct arrival, even with perfect clocks.
_LEAST_SIGMA_S = 0.001
_SPEED_SHARE = 0.002
#: A unit nearer than another that hears a sound hears it too, all but this share: screened, or its onset lost in another's.
MISSED_SHARE = 0.12
#: And one farther away than all but a few that hear it hears it too: by a street that leads there.
_BEYOND_SHARE = 0.03
#: A unit's height above the source, as a street's lamp posts have it: without it, near arrivals do not fit.
RISE_M = 3.0
#: A place is no farther than this from where it was sought, one sigma; and no step towards it is longer than the second.
_NEAR_M, _STEP_M = 200.0, 60.0
_PRIOR = np.array([_NEAR_M**-2, _NEAR_M**-2, 1.0])
_LEAST_DENSITY = 1e-30


@dataclass(frozen=True, slots=True)
class Heard:
    """One arrival.

    Attributes:
        unit: Who heard it.
        east_m, north_m: Where that is.
        time_s: When, from any origin common to all.
        sigma_s: 1-sigma of that time, as stated.
        free: Whether its clock follows no other.
        level_db: How loud.
    """

    unit: str
    east_m: float
    north_m: float
    time_s: float
    sigma_s: float
    free: bool
    level_db: float


@dataclass(slots=True)
class Sound:
    """One explanation of some arrivals.

    Attributes:
        state: East, north and time of origin.
        members: Its arrivals.
        value: How much better than strangers it explains them, as a logarithm.
        reach_s: How far away it was heard, in seconds of its travel.
    """

    state: Array
    members: Indices
    value: float
    reach_s: float


class Look(NamedTuple):
    """What some sounds, ``(k, 3)``, say of some arrivals: all ``(k, n)``.

    Attributes:
        travel_s: How long the sound is on its way to who heard it.
        late_s: How much later the arrival came than that.
        variance_s2: Of that, where it is direct.
        ratio: How much likelier it is of the sound than of none.
        trust: How likely it is direct, if it is of the sound.
    """

    travel_s: Array
    late_s: Array
    variance_s2: Array
    ratio: Array
    trust: Array


class Evidence:
    """Some arrivals, by unit and in each in order of time.

    Attributes:
        time_s, sigma_s, unit, free: Of each, ``(n,)``; units are numbers.
        edges: Where each unit's arrivals begin, ``(units,)``; and ``ends`` where they end.
        log_other: How likely each is if it is of no sound, per second, as a logarithm.
        lie_share: How likely it is that its clock is off by more than it says.
        echo_of: Of which arrival each may be an echo, told of besides; -1 of none.
    """

    def __init__(self, heard: Sequence[Heard], sound_m_s: float) -> None:
        """Args: the arrivals, by unit and in order of time; and the speed of sound."""
        self.sound_m_s = sound_m_s
        self.place_m = np.array([(each.east_m, each.north_m) for each in heard])
        self.time_s = np.array([each.time_s for each in heard])
        self._variance_s2 = np.array([each.sigma_s for each in heard]) ** 2 + _LEAST_SIGMA_S**2
        self.sigma_s = np.sqrt(self._variance_s2)
        names = [each.unit for each in heard]
        self.edges = np.array([k for k, name in enumerate(names) if not k or names[k - 1] != name], dtype=np.intp)
        self.ends = np.r_[self.edges[1:], len(heard)]
        self.unit = np.repeat(np.arange(len(self.edges)), self.ends - self.edges)
        self.unit_m = self.place_m[self.edges]
        self.free = np.array([each.free for each in heard])
        self.lie_share = np.where(self.free, LIE_SHARE_FREE, LIE_SHARE)
        self.log_other = np.log(_STRANGERS_PER_S + self._echoed([each.level_db for each in heard]))

    def _echoed(self, level_db: Sequence[float]) -> Array:
        """How likely it is, per second, that each arrival is an echo of one before it at its unit, told of besides."""
        self.echo_of = np.full(len(level_db), -1)
        density = np.zeros(len(level_db))
        times_s = self.time_s.tolist()
        for since, until in zip(self.edges.tolist(), self.ends.tolist(), strict=True):
            for index in range(since + 1, until):
                for before in range(since, index):
                    if times_s[index] - times_s[before] <= _ECHO_MOST_S and level_db[index] < level_db[before]:
                        density[index] = _ECHO_TOO_SHARE / _ECHO_MOST_S
                        self.echo_of[index] = before
        return density

    def travel_s(self, places_m: Array, indices: Indices | slice) -> Array:
        """From places ``(..., 2)`` to who heard some arrivals: ``(..., n)``."""
        offset_m = places_m[..., None, :] - self.place_m[indices]
        return np.asarray(np.sqrt(offset_m[..., 0] ** 2 + offset_m[..., 1] ** 2 + RISE_M**2) / self.sound_m_s)

    def look(self, states: Array, indices: Indices | slice, extra_s: float = 0.0) -> Look:
        """What sounds say of some arrivals, as if all were less sure by so much."""
        travel_s = self.travel_s(states[:, :2], indices)
        late_s = self.time_s[indices] - states[:, 2:] - travel_s
        variance_s2 = self._variance_s2[indices] + (_SPEED_SHARE * travel_s) ** 2 + extra_s**2
        direct, density = densities(late_s, variance_s2)
        return Look(travel_s, late_s, variance_s2, density * np.exp(-self.log_other[indices]), direct / density)

    def step(self, states: Array, starts: Array, indices: Indices | slice, look: Look, weight: Array) -> tuple[Array, Array]:
        """One step of Gauss and Newton from each of some states, ``(k, 3)``, and the information there, ``(k, 3, 3)``.

        Args:
            states: Where to go from.
            starts: Where the search began: a place is not far from there.
            indices: The arrivals that are looked at.
            look: What the states say of them.
            weight: How much each counts, ``(k, n)``.
        """
        weight = weight / look.variance_s2
        slope = np.ones((*look.travel_s.shape, 3))
        slope[..., :2] = (states[:, None, :2] - self.place_m[indices]) / (self.sound_m_s**2 * look.travel_s)[..., None]
        weighted = np.swapaxes(slope * weight[..., None], 1, 2)
        information = weighted @ slope
        information[:, (0, 1, 2), (0, 1, 2)] += _PRIOR
        gradient = (weighted @ look.late_s[..., None])[..., 0] + _PRIOR * (starts - states)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        longest_m = np.sqrt(step[:, 0] ** 2 + step[:, 1] ** 2)
        return states + step * np.minimum(1.0, _STEP_M / np.maximum(longest_m, 1e-9))[:, None], information

    def rarity(self, states: Array, members: Mask, information: Array) -> tuple[Array, Array]:
        """How likely it is that there are such sounds at all, and that those who heard each did and no others.

        Args:
            states: The sounds, ``(k, 3)``.
            members: Which of all arrivals are of each, ``(k, all)``.
            information: ``(k, 3, 3)``.

        Returns:
            The logarithm of that, ``(k,)``; and how far away each was heard, in seconds of its travel, ``(k,)``. Of the units that
            heard any, nearly all within that distance hear it, and few beyond.
        """
        distance_m = np.hypot(self.unit_m[:, 0] - states[:, :1], self.unit_m[:, 1] - states[:, 1:2])
        order = np.argsort(distance_m, axis=1, kind="stable")
        heard = np.take_along_axis(np.logical_or.reduceat(members, self.edges, axis=1), order, axis=1)
        missed = np.cumsum(np.where(heard, 0.0, log(MISSED_SHARE)), axis=1)
        beyond = np.where(heard, log(_BEYOND_SHARE), 0.0)
        worth = missed + np.cumsum(beyond[:, ::-1], axis=1)[:, ::-1] - beyond
        best = worth.argmax(axis=1)[:, None]
        farthest_m = np.take_along_axis(distance_m, np.take_along_axis(order, best, axis=1), axis=1)[:, 0]
        volume = 1.5 * log(2.0 * pi) - 0.5 * np.linalg.slogdet(information)[1]
        return volume + log(_SOUNDS_PER_S_M2) + np.take_along_axis(worth, best, axis=1)[:, 0], farthest_m / self.sound_m_s


def densities(late_s: Array, variance_s2: Array | float) -> tuple[Array, Array]:
    """Of arrivals by how much later they are than the direct path, per second: of direct ones; and of those and echoes together."""
    direct = (1.0 - ECHO_SHARE) / sqrt(2.0 * pi) / np.sqrt(variance_s2) * np.exp(-0.5 * late_s**2 / variance_s2)
    echo = np.where(
        (late_s > -np.sqrt(variance_s2)) & (late_s < _ECHO_MOST_S), ECHO_SHARE / ECHO_DELAY_S * np.exp(-np.abs(late_s) / ECHO_DELAY_S), 0.0
    )
    return direct, np.maximum(direct + echo, _LEAST_DENSITY)
