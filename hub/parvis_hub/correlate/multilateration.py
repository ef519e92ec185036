"""Where a sound began, from when several units heard it.

Every unit hears the sound at ``t_i = t_0 + |p - s_i| / c`` plus an error: the clock's and the onset's, which the unit states, or
something else: it heard a wall's echo instead (later, never earlier), or its clock is not what it says. Rather than guess once which
arrival is which, the posterior over the place is taken with each arrival a mixture of the three, so that the answer's uncertainty
holds the doubt about who is wrong. Who heard it how loud, and who did not, is weaker evidence of the same. Two places that explain all
of it equally well stay two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import chi2, norm, qmc

from .audibility import log_audibility
from .evidence import ECHO_DELAY_S, ECHO_SHARE, LIE_SHARE, LIE_SHARE_FREE
from .physics import speed_of_sound_m_s

Array = npt.NDArray[np.float64]
Explained = tuple[Array, Array, Array, Array]

#: A clock that lies may be off by this much, either way.
_LIE_S = 2.0
#: Height of a source above the ground: a hand's, a window's of the ground floor.
SOURCE_HEIGHT_M = 1.4
#: Speed of sound is known no better than the temperature (3 K ≈ 0.5 %) and the wind along the path.
_SPEED_SHARE = 0.004
#: Three of so many arrivals give the starts: 56 triples. Those whose time is known to a few metres come first.
_STARTING_ARRIVALS, _SURE_S = 8, 0.01
#: Blur under which starts are compared: the largest error of a direct arrival that is common. And under which they climb, step by step.
_BLUR_S, _CLIMB_S = 0.004, (0.008, 0.004, 0.002, 0.0, 0.0)
#: So many of the best starts climb, which are so far apart; none by more than this at a time, nor far from where a triple put it.
_MODES, _APART_M, _STRIDE_M, _AROUND_M = 10, 2.0, 60.0, 200.0
#: A source is less probable the farther it is from all units that heard it: they stand where people are.
_NEAR_M = 400.0
#: What is less probable than the best by this, as a logarithm, is none of the answer (one in eight thousand).
_LEAST = 9.0
_FARTHEST_M = 2_000.0
#: Samples around each maximum.
_SAMPLES = 256
#: A place that is less probable than this is not told.
_LEAST_SHARE = 0.01
#: Maxima no farther apart are one place, to whoever goes there.
_ONE_PLACE_M = 10.0
#: Twice the ellipse given holds 95 % of a two-dimensional normal distribution: 2.4477 / 2 standard deviations.
TWO_SIGMA_95 = 1.2239


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sound as one unit heard it.

    Attributes:
        x_m, y_m, z_m: The unit's place in the site's local plane, east, north and up.
        time_s: When it heard the onset, POSIX.
        sigma_s: 1-sigma of that time: clock and onset together.
        free: Whether its clock follows no other, so that its sigma is no more than the unit's guess.
        level_db: How loud; NaN where that is not known.
    """

    x_m: float
    y_m: float
    z_m: float
    time_s: float
    sigma_s: float
    free: bool = False
    level_db: float = math.nan


@dataclass(frozen=True, slots=True)
class Place:
    """A place that explains the arrivals.

    Attributes:
        x_m, y_m: In the site's local plane.
        time_s: When the sound began.
        covariance_m2: ``((xx, xy), (xy, yy))``.
        share: Of the posterior probability, in (0, 1].
        trusted: Per arrival: probability that it is direct and its clock is what it says, ``(n,)``.
    """

    x_m: float
    y_m: float
    time_s: float
    covariance_m2: tuple[tuple[float, float], tuple[float, float]]
    share: float
    trusted: tuple[float, ...]

    @property
    def checked(self) -> bool:
        """Whether more arrivals agree than the three that fit some place exactly, whatever they say."""
        return sum(self.trusted) > 3.5

    def ellipse(self) -> tuple[float, float, float]:
        """Semi-axes in metres and the long one's bearing in degrees, [0, 180); twice it holds 95 %."""
        values, vectors = np.linalg.eigh(np.asarray(self.covariance_m2))
        minor, major = (float(np.sqrt(max(value, 0.0))) * TWO_SIGMA_95 for value in values)
        east, north = vectors[:, 1]
        return major, minor, float(np.degrees(np.arctan2(east, north))) % 180.0


def multilaterate(arrivals: Sequence[Arrival], *, temperature_c: float, silent_m: Sequence[tuple[float, float]] = ()) -> list[Place]:
    """Finds where a sound began.

    Args:
        arrivals: Of one sound, one per unit, at least three.
        temperature_c: Of the air.
        silent_m: Where units are that listen and did not hear it.

    Returns:
        The places that explain the arrivals, most probable first; shares sum to 1. Two where the geometry allows two. Empty for fewer
        than three arrivals.

    Raises:
        ValueError: An arrival's sigma is not positive.
    """
    if len(arrivals) < 3:
        return []
    problem = _Problem(arrivals, temperature_c, silent_m)
    return _places(problem, _modes(problem))


class _Problem:
    """The arrivals as arrays, centred, and what they say of a place and a time of origin: a state ``(x, y, t_0)``."""

    def __init__(self, arrivals: Sequence[Arrival], temperature_c: float, silent_m: Sequence[tuple[float, float]]) -> None:
        self.sensors_m = np.array([(a.x_m, a.y_m) for a in arrivals])
        self.rise_m = np.array([a.z_m for a in arrivals]) - SOURCE_HEIGHT_M
        # Times from the first arrival: seconds since 1970 would cost nine digits.
        self.origin_s = min(a.time_s for a in arrivals)
        self.time_s = np.array([a.time_s for a in arrivals]) - self.origin_s
        self.sigma_s = np.array([a.sigma_s for a in arrivals])
        if not np.all(self.sigma_s > 0.0):
            raise ValueError("an arrival's sigma_s is positive")
        self.speed_m_s = speed_of_sound_m_s(temperature_c)
        lie_share = np.where([a.free for a in arrivals], LIE_SHARE_FREE, LIE_SHARE)
        self._direct = (1.0 - ECHO_SHARE) * (1.0 - lie_share) / np.sqrt(2.0 * np.pi)
        self._echo = ECHO_SHARE * (1.0 - lie_share) / ECHO_DELAY_S
        self._lie = lie_share / (2.0 * _LIE_S)
        self._level_db = np.array([a.level_db for a in arrivals])
        self._silent_m = np.array(silent_m, dtype=float).reshape(-1, 2)

    def distance_m(self, place_m: Array) -> Array:
        """``(..., 2)`` → ``(..., n)``."""
        offset = place_m[..., None, :] - self.sensors_m
        return np.asarray(np.sqrt(offset[..., 0] ** 2 + offset[..., 1] ** 2 + self.rise_m**2))

    def explained(self, states: Array, extra_s: float = 0.0) -> Explained:
        """How states ``(k, 3)`` explain the arrivals: each ``(k, n)``.

        The density of each arrival, direct, an echo or a lie; the share of it that is direct; how late it is; and the variance of that.
        """
        travel_s = self.distance_m(states[:, :2]) / self.speed_m_s
        late_s = self.time_s - states[:, 2:] - travel_s
        # What the speed of sound adds over a path beyond the shortest one's.
        longer_s = travel_s - travel_s.min(axis=1, keepdims=True)
        variance_s2 = self.sigma_s**2 + (_SPEED_SHARE * longer_s) ** 2 + extra_s**2
        sigma_s = np.sqrt(variance_s2)
        direct = self._direct / sigma_s * np.exp(-0.5 * late_s**2 / variance_s2)
        # An exponential delay, whose beginning is as blurred as the arrival.
        echo = self._echo * np.exp(np.minimum(-late_s, 0.0) / ECHO_DELAY_S) * ndtr(late_s / sigma_s)
        density = direct + echo + self._lie
        return density, direct / density, late_s, variance_s2

    def log_prior(self, states: Array) -> Array:
        """``(k, 3)`` → ``(k,)``."""
        return np.asarray(-0.5 * (self.distance_m(states[:, :2]).min(axis=1) / _NEAR_M) ** 2)

    def log_likelihood(self, states: Array, extra_s: float = 0.0) -> Array:
        """``(k, 3)`` → ``(k,)``."""
        return np.asarray(np.log(self.explained(states, extra_s)[0]).sum(axis=1))

    def log_audibility(self, states: Array) -> Array:
        """``(k, 3)`` → ``(k,)``."""
        return log_audibility(states[:, :2], self.sensors_m, self._level_db, self._silent_m)

    def linearised(self, states: Array, extra_s: float) -> tuple[Array, Array]:
        """Gradient ``(k, 3)`` and information ``(k, 3, 3)`` at states ``(k, 3)``, of what is direct."""
        _, trust, late_s, variance_s2 = self.explained(states, extra_s)
        away = (states[:, None, :2] - self.sensors_m) / (self.speed_m_s * np.maximum(self.distance_m(states[:, :2]), 1e-3))[:, :, None]
        slope = np.concatenate([away, np.ones((*late_s.shape, 1))], axis=2)
        weighted = np.swapaxes(slope * (trust / variance_s2)[:, :, None], 1, 2)
        return (weighted @ late_s[:, :, None])[:, :, 0], weighted @ slope


@dataclass(frozen=True, slots=True)
class _Modes:
    """Local maxima of the posterior, as normal distributions.

    Attributes:
        states: ``(k, 3)``.
        axes: Their covariances' eigenvectors, ``(k, 3, 3)``.
        spread: And the square roots of their eigenvalues, ``(k, 3)``.
        audibility: ``(k,)``, as a logarithm.
    """

    states: Array
    axes: Array
    spread: Array
    audibility: Array


def _modes(problem: _Problem) -> _Modes:
    """Every three arrivals give a start or two; the best starts climb, and those that come to little are left out."""
    starts = _starts(problem)
    starts = starts[np.argsort(-problem.log_likelihood(starts, _BLUR_S), kind="stable")]
    starts = starts[_apart(starts, _APART_M, _MODES)]
    tops = _climb(problem, starts)
    higher = problem.log_likelihood(tops) >= problem.log_likelihood(starts)
    tops = np.where(higher[:, None], tops, starts)
    values, axes = np.linalg.eigh(problem.linearised(tops, 0.0)[1])
    # No direction is wider than a kilometre, nor narrower than a micrometre's worth.
    spread = np.sqrt(np.clip(1.0 / np.maximum(values, 1e-12), 1e-12, 1e6))
    audibility = problem.log_audibility(tops)
    # Laplace's approximation: height times volume.
    mass = problem.log_likelihood(tops) + problem.log_prior(tops) + audibility + np.log(spread).sum(axis=1)
    order = np.argsort(-mass, kind="stable")
    order = order[mass[order] > mass[order[0]] - _LEAST]
    order = order[_apart(tops[order], 0.1, _MODES)]
    return _Modes(tops[order], axes[order], spread[order], audibility[order])


def _apart(states: Array, apart_m: float, most: int) -> list[int]:
    """The first of some states, ``(k, 3)``, that lie so far from all before them, as indices; at most so many."""
    near = np.hypot(*(states[:, None, :2] - states[:, :2]).transpose(2, 0, 1)) < apart_m
    chosen: list[int] = []
    free = np.ones(len(states), dtype=bool)
    while len(chosen) < most and free.any():
        chosen.append(int(free.argmax()))
        free &= ~near[chosen[-1]]
    return chosen


def _starts(problem: _Problem) -> Array:
    """Where the hyperbolas of every three arrivals cross, ``(k, 3)``: x, y and time of origin.

    With the first of the three as reference, the other two range differences are linear in the place and in the distance to the
    reference, which leaves a quadratic in that distance (Chan and Ho 1994 for three sensors). Where noise leaves it without a root,
    its vertex is the nearest that can be had.
    """
    sure = np.argsort(np.maximum(problem.sigma_s, _SURE_S), kind="stable")[:_STARTING_ARRIVALS]
    reference, second, third = np.sort(sure)[_triples(len(sure))].T
    # Units in one line (a street's lamp posts) tell their two sides apart only once they are put a little off it.
    turn = 2.4 * np.arange(len(problem.sensors_m))
    sensors_m = problem.sensors_m + 0.3 * np.column_stack([np.cos(turn), np.sin(turn)])
    (ax, ay), (bx, by) = ((sensors_m[other] - sensors_m[reference]).T for other in (second, third))
    a_m, b_m = ((problem.time_s[other] - problem.time_s[reference]) * problem.speed_m_s for other in (second, third))
    determinant = ax * by - ay * bx
    determinant = np.where(np.abs(determinant) < 1e-3, 1e-3, determinant)
    a_m2, b_m2 = 0.5 * (ax**2 + ay**2 - a_m**2), 0.5 * (bx**2 + by**2 - b_m**2)
    constant = np.column_stack([a_m2 * by - b_m2 * ay, ax * b_m2 - bx * a_m2]) / determinant[:, None]
    slope = np.column_stack([b_m * ay - a_m * by, a_m * bx - b_m * ax]) / determinant[:, None]
    square = np.sum(slope**2, axis=1) - 1.0
    linear = np.sum(slope * constant, axis=1)
    root = np.sqrt(np.maximum(linear**2 - square * np.sum(constant**2, axis=1), 0.0))
    square = np.where(np.abs(square) < 1e-9, 1e-9, square)
    # The middle of the units, in case that every triple is worse than useless.
    middle = problem.sensors_m.mean(axis=0)
    starts = [np.array([[*middle, float(np.min(problem.time_s - problem.distance_m(middle) / problem.speed_m_s))]])]
    for sign in (-1.0, 1.0):
        distance_m = (-linear + sign * root) / square
        place = sensors_m[reference] + constant + slope * distance_m[:, None]
        usable = (distance_m > 0.0) & (distance_m < _FARTHEST_M)
        travel_s = np.hypot(distance_m, problem.rise_m[reference]) / problem.speed_m_s
        starts.append(np.column_stack([place, problem.time_s[reference] - travel_s])[usable])
    return np.concatenate(starts)


@lru_cache
def _triples(count: int) -> npt.NDArray[np.intp]:
    return np.array(list(combinations(range(count), 3)))


def _climb(problem: _Problem, starts: Array) -> Array:
    """Expectation and maximisation from all starts ``(k, 3)`` at once.

    In turn, how far each arrival is trusted, and one step of Gauss and Newton; what is not trusted leaves a state where it began.
    """
    states, prior = starts, np.array([_AROUND_M**-2, _AROUND_M**-2, 1.0])
    for extra_s in _CLIMB_S:
        gradient, information = problem.linearised(states, extra_s)
        gradient += prior * (starts - states)
        step = np.linalg.solve(information + np.diag(prior), gradient[:, :, None])[:, :, 0]
        states = states + step * np.minimum(1.0, _STRIDE_M / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9))[:, None]
    return states


@lru_cache
def _draws() -> Array:
    """A fixed set of points ``(k, 3)`` of Student's t with three degrees of freedom: its tails reach where a second explanation may be."""
    uniform = np.clip(qmc.Sobol(d=4, scramble=True, rng=1).random(_SAMPLES), 1e-6, 1 - 1e-6)
    return np.asarray(norm.ppf(uniform[:, :3]) * np.sqrt(3.0 / chi2.ppf(uniform[:, 3:], 3)))


def _places(problem: _Problem, modes: _Modes) -> list[Place]:
    """The posterior by importance sampling around each mode, from a fixed set of points: the same arrivals give the same answer."""
    turned = np.swapaxes(modes.axes, 1, 2)
    samples = (modes.states[:, None] + (_draws() * modes.spread[:, None]) @ turned).reshape(-1, 3)
    scaled = ((samples - modes.states[:, None]) @ modes.axes) / modes.spread[:, None]
    # The density of three-dimensional t with three degrees of freedom, around each mode, up to a constant.
    densities = -3.0 * np.log1p(np.sum(scaled**2, axis=2) / 3.0) - np.log(modes.spread).sum(axis=1)[:, None]
    owner = densities.argmax(axis=0)
    density, trust, _, _ = problem.explained(samples)
    # Who hears what changes little within a place.
    log_weight = np.log(density).sum(axis=1) + problem.log_prior(samples) + modes.audibility[owner] - np.logaddexp.reduce(densities, axis=0)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    share = np.bincount(owner, weight, len(modes.states))
    order = np.argsort(-share, kind="stable")
    first = order[_apart(modes.states[order], _ONE_PLACE_M, len(order))]
    apart_m = np.hypot(*(modes.states[:, None, :2] - modes.states[first, :2]).transpose(2, 0, 1))
    # Of each sample, the most probable place that its mode is near to.
    label = (apart_m < _ONE_PLACE_M).argmax(axis=1)[owner]
    widths_m2 = (modes.axes * modes.spread[:, None] ** 2) @ turned
    places = [
        _place(problem, samples[label == number], weight[label == number], trust[label == number], widths_m2[mode, :2, :2])
        for number, mode in enumerate(first)
    ]
    return sorted((place for place in places if place is not None), key=lambda place: -place.share)


def _place(problem: _Problem, points: Array, weight: Array, trust: Array, width_m2: Array) -> Place | None:
    """A place of some samples around a mode of such a covariance; None for one that is as good as impossible."""
    share = float(weight.sum())
    if share < _LEAST_SHARE:
        return None
    inside = weight / share
    mean = inside @ points
    centred = points[:, :2] - mean[:2]
    # Where a few samples have all the weight they know no better than the mode is wide.
    (xx, xy), (_, yy) = (inside[:, None] * centred).T @ centred + np.sum(inside**2) * width_m2
    return Place(
        x_m=float(mean[0]),
        y_m=float(mean[1]),
        time_s=float(mean[2]) + problem.origin_s,
        covariance_m2=((float(xx), float(xy)), (float(xy), float(yy))),
        share=min(share, 1.0),
        trusted=tuple(float(value) for value in inside @ trust),
    )
