"""Where a sound began, from when several units heard it.

Every unit hears the sound at ``t_i = t_0 + |p - s_i| / c`` plus an error: the clock's and the onset's, which the unit states, or
something else: it heard a wall's echo instead (later, never earlier), or its clock is not what it says. Rather than guess once which
arrival is which, the posterior over the place is taken with each arrival a mixture of the three, so that the answer's uncertainty
holds the doubt about who is wrong. Two places that explain the arrivals equally well stay two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr
from scipy.stats import norm, qmc

from .physics import speed_of_sound_m_s

Array = npt.NDArray[np.float64]

#: Shares of arrivals that are an echo, and whose clock is not what it says. Assumed, not tuned: street canyons hide one source in ten.
_ECHO_SHARE, _LIE_SHARE = 0.12, 0.03
#: An echo's detour in a street, as a mean delay: twenty metres.
_ECHO_DELAY_S = 0.06
#: A clock that lies may be off by this much, either way.
_LIE_S = 2.0
#: Height of a source above the ground: a hand's, a window's of the ground floor.
SOURCE_HEIGHT_M = 1.4
#: Speed of sound is known no better than the temperature (3 K ≈ 0.5 %) and the wind along the path.
_SPEED_SHARE = 0.004
#: Blur under which starts are compared and first climb: the largest error of a direct arrival that is common.
_BLUR_S = 0.004
#: Three of this many first arrivals give the starts: 220 triples at most.
_STARTING_ARRIVALS = 12
_FARTHEST_M = 2_000.0
_MODES = 10
_SAMPLES = 1024
#: Twice the ellipse given holds 95 % of a two-dimensional normal distribution: 2.4477 / 2 standard deviations.
TWO_SIGMA_95 = 1.2239


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sound as one unit heard it.

    Attributes:
        x_m, y_m, z_m: The unit's place in the site's local plane, east, north and up.
        time_s: When it heard the onset, POSIX.
        sigma_s: 1-sigma of that time: clock and onset together.
    """

    x_m: float
    y_m: float
    z_m: float
    time_s: float
    sigma_s: float


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


def multilaterate(arrivals: Sequence[Arrival], *, temperature_c: float, range_m: float = 400.0) -> list[Place]:
    """Finds where a sound began.

    Args:
        arrivals: Of one sound, one per unit, at least three.
        temperature_c: Of the air.
        range_m: How far a unit hears: a source is less probable the farther it is from the nearest one.

    Returns:
        The places that explain the arrivals, most probable first; shares sum to 1. Two where the geometry allows two. Empty for fewer
        than three arrivals.

    Raises:
        ValueError: An arrival's sigma is not positive.
    """
    if len(arrivals) < 3:
        return []
    problem = _Problem(arrivals, temperature_c)
    modes = _modes(problem)
    return _places(problem, modes, range_m)


def _log_sum(terms: Array, axis: int | None = None) -> Array:
    """The logarithm of a sum of exponentials. One of the terms is finite here always, which scipy's own spends most of its time on."""
    largest = terms.max(axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(terms - largest), axis=axis, keepdims=True)) + largest
    return np.asarray(np.squeeze(total, axis=axis))


class _Problem:
    """The arrivals as arrays, centred, and what they say of a place and a time of origin."""

    def __init__(self, arrivals: Sequence[Arrival], temperature_c: float) -> None:
        self.sensors_m = np.array([(a.x_m, a.y_m) for a in arrivals])
        self.rise_m = np.array([a.z_m for a in arrivals]) - SOURCE_HEIGHT_M
        # Times from the first arrival: seconds since 1970 would cost nine digits.
        self.origin_s = min(a.time_s for a in arrivals)
        self.time_s = np.array([a.time_s for a in arrivals]) - self.origin_s
        self.sigma_s = np.array([a.sigma_s for a in arrivals])
        if not np.all(self.sigma_s > 0.0):
            raise ValueError("an arrival's sigma_s is positive")
        self.speed_m_s = speed_of_sound_m_s(temperature_c)

    def travel_s(self, place_m: Array) -> Array:
        """``(..., 2)`` → ``(..., n)``."""
        offset = place_m[..., None, :] - self.sensors_m
        return np.asarray(np.sqrt(np.sum(offset**2, axis=-1) + self.rise_m**2) / self.speed_m_s)

    def spread_s(self, travel_s: Array, extra_s: float) -> Array:
        """1-sigma of a direct arrival, with what the speed of sound adds over its path beyond the shortest one's."""
        longer = travel_s - travel_s.min(axis=-1, keepdims=True)
        return np.asarray(np.sqrt(self.sigma_s**2 + (_SPEED_SHARE * longer) ** 2 + extra_s**2))

    def parts(self, place_m: Array, began_s: Array, extra_s: float = 0.0) -> Array:
        """Log densities of direct, echo and lie: ``(..., 2)``, ``(...)`` → ``(3, ..., n)``."""
        travel = self.travel_s(place_m)
        late = self.time_s - began_s[..., None] - travel
        sigma = self.spread_s(travel, extra_s)
        direct = -0.5 * (late / sigma) ** 2 - np.log(sigma * np.sqrt(2.0 * np.pi)) + np.log(1.0 - _ECHO_SHARE - _LIE_SHARE)
        # Exponential delay, with the unit's own error: an exponentially modified normal distribution.
        rate = 1.0 / _ECHO_DELAY_S
        shifted = (late - rate * sigma**2) / sigma
        echo = np.log(_ECHO_SHARE * rate) + rate * (0.5 * rate * sigma**2 - late) + log_ndtr(shifted)
        lie = np.full_like(late, np.log(_LIE_SHARE / (2.0 * _LIE_S)))
        return np.stack([direct, echo, lie])

    def log_likelihood(self, place_m: Array, began_s: Array, extra_s: float = 0.0) -> Array:
        """``(..., 2)``, ``(...)`` → ``(...)``."""
        return np.asarray(_log_sum(self.parts(place_m, began_s, extra_s), axis=0).sum(axis=-1))


def _modes(problem: _Problem) -> list[Array]:
    """Local maxima ``(x, y, t_0)`` of the likelihood: every three arrivals give a start or two, and the best starts climb."""
    starts = _starts(problem)
    order = np.argsort(-problem.log_likelihood(starts[:, :2], starts[:, 2], _BLUR_S), kind="stable")
    chosen: list[Array] = []
    for state in starts[order]:
        if len(chosen) == _MODES:
            break
        if not any(np.hypot(*(state - other)[:2]) < 2.0 for other in chosen):
            chosen.append(state)
    found: list[Array] = []
    for top in _climb(problem, _climb(problem, np.array(chosen), _BLUR_S), 0.0):
        if not any(np.hypot(*(top - other)[:2]) < 0.05 for other in found):
            found.append(top)
    return found


def _starts(problem: _Problem) -> Array:
    """Where the hyperbolas of every three arrivals cross, ``(k, 3)``: x, y and time of origin.

    With the first of the three as reference, the other two range differences are linear in the place and in the distance to the
    reference, which leaves a quadratic in that distance (Chan and Ho 1994 for three sensors). Where noise leaves it without a root,
    its vertex is the nearest that can be had.
    """
    first = np.argsort(problem.time_s, kind="stable")[:_STARTING_ARRIVALS]
    triples = np.array(list(combinations(first, 3)))
    reference, others = triples[:, 0], triples[:, 1:]
    # Units in one line (a street's lamp posts) tell their two sides apart only once they are put a little off it.
    turn = 2.4 * np.arange(len(problem.sensors_m))
    sensors_m = problem.sensors_m + 0.3 * np.column_stack([np.cos(turn), np.sin(turn)])
    offset = sensors_m[others] - sensors_m[reference][:, None]
    longer = (problem.time_s[others] - problem.time_s[reference][:, None]) * problem.speed_m_s
    inverse = np.linalg.pinv(offset, rcond=1e-6)
    constant = 0.5 * np.einsum("kij,kj->ki", inverse, np.sum(offset**2, axis=2) - longer**2)
    slope = -np.einsum("kij,kj->ki", inverse, longer)
    square = np.sum(slope**2, axis=1) - 1.0
    linear = np.sum(slope * constant, axis=1)
    root = np.sqrt(np.maximum(linear**2 - square * np.sum(constant**2, axis=1), 0.0))
    square = np.where(np.abs(square) < 1e-9, 1e-9, square)
    starts = []
    for sign in (-1.0, 1.0):
        distance_m = (-linear + sign * root) / square
        place = sensors_m[reference] + constant + slope * distance_m[:, None]
        usable = (distance_m > 0.0) & (distance_m < _FARTHEST_M)
        travel = np.take_along_axis(problem.travel_s(place), reference[:, None], axis=1)[:, 0]
        starts.append(np.column_stack([place, problem.time_s[reference] - travel])[usable])
    # The middle of the units, in case that every triple is worse than useless.
    middle = problem.sensors_m.mean(axis=0)
    starts.append(np.array([[*middle, float(np.min(problem.time_s - problem.travel_s(middle)))]]))
    return np.concatenate(starts)


def _climb(problem: _Problem, states: Array, extra_s: float) -> Array:
    """Expectation and maximisation from all starts ``(k, 3)`` at once, until each stands.

    In turn, how far each arrival is trusted, and one damped least-squares step.
    """
    damping = np.full(len(states), 1e-3)
    climbing = np.ones(len(states), dtype=bool)
    value = problem.log_likelihood(states[:, :2], states[:, 2], extra_s)
    for _ in range(40):
        gradient, information = _linearised(problem, states, extra_s)
        scale = 1.0 + damping[:, None, None] * np.eye(3)
        step = np.linalg.solve(information * scale + 1e-9 * np.eye(3), gradient[:, :, None])[:, :, 0]
        candidate = states + step
        new = problem.log_likelihood(candidate[:, :2], candidate[:, 2], extra_s)
        better = climbing & (new >= value)
        states = np.where(better[:, None], candidate, states)
        value = np.where(better, new, value)
        damping = np.where(better, np.maximum(damping / 4.0, 1e-6), damping * 8.0)
        climbing &= ~(better & (np.hypot(step[:, 0], step[:, 1]) < 1e-3)) & (damping <= 1e8)
        if not climbing.any():
            break
    return states


def _linearised(problem: _Problem, states: Array, extra_s: float) -> tuple[Array, Array]:
    """Gradient ``(k, 3)`` and information ``(k, 3, 3)`` at states ``(k, 3)``."""
    places = states[:, :2]
    travel = problem.travel_s(places)
    parts = problem.parts(places, states[:, 2], extra_s)
    trust = np.exp(parts[0] - _log_sum(parts, axis=0))
    away = (places[:, None, :] - problem.sensors_m) / (problem.speed_m_s**2 * np.maximum(travel, 1e-6))[:, :, None]
    slope = np.concatenate([away, np.ones((*travel.shape, 1))], axis=2)
    late = problem.time_s - states[:, 2:] - travel
    weight = trust / problem.spread_s(travel, extra_s) ** 2
    # An untrusted arrival still says that the sound began no later than it was heard: a weak pull keeps the matrix regular.
    weighted = np.swapaxes(slope * weight[:, :, None], 1, 2)
    return (weighted @ late[:, :, None])[:, :, 0], weighted @ slope


def _places(problem: _Problem, modes: list[Array], range_m: float) -> list[Place]:
    """The posterior by importance sampling around each mode, with a fixed set of points: the same arrivals give the same answer."""
    uniform = qmc.Sobol(d=4, scramble=True, rng=1).random(_SAMPLES)
    normal = norm.ppf(np.clip(uniform[:, :3], 1e-6, 1 - 1e-6))
    # Student's t with three degrees of freedom: its tails reach where a second explanation may be.
    scale = np.sqrt(3.0 / (-2.0 * np.log(np.clip(uniform[:, 3], 1e-6, 1 - 1e-6)) * 1.5))
    draws = normal * scale[:, None]
    proposals = _proposals(problem, np.array(modes))
    samples = [mode + draws @ factor.T for mode, factor in zip(modes, proposals, strict=True)]
    everything = np.concatenate(samples)
    densities = np.stack([_log_t3(everything, mode, factor) for mode, factor in zip(modes, proposals, strict=True)])
    density = _log_sum(densities, axis=0)
    posterior = problem.log_likelihood(everything[:, :2], everything[:, 2])
    nearest = np.sqrt(np.min(np.sum((everything[:, None, :2] - problem.sensors_m) ** 2, axis=-1), axis=1))
    # A unit hears best what is near: the prior falls off with the distance to the nearest one, as a range says.
    posterior -= 0.5 * (nearest / range_m) ** 2
    log_weight = posterior - density
    weight = np.exp(log_weight - _log_sum(log_weight))
    parts = problem.parts(everything[:, :2], everything[:, 2])
    trust = np.exp(parts[0] - _log_sum(parts, axis=0))
    clusters = _clusters(densities.argmax(axis=0), weight, modes)
    places = [_place(problem, everything[members], weight[members], trust[members]) for members in clusters]
    return sorted(places, key=lambda place: -place.share)


def _proposals(problem: _Problem, modes: Array) -> Array:
    """Square roots ``(k, 3, 3)`` of the covariances at modes ``(k, 3)``, opened wide enough to be sampled from."""
    _, information = _linearised(problem, modes, 0.0)
    values, vectors = np.linalg.eigh(information)
    # No direction is wider than a kilometre, nor narrower than a centimetre.
    spread = np.sqrt(np.clip(1.0 / np.maximum(values, 1e-12), 1e-12, 1e6))
    return np.asarray(vectors * spread[:, None, :])


def _log_t3(points: Array, mode: Array, factor: Array) -> Array:
    """Log density, up to a constant, of the three-dimensional t distribution with three degrees of freedom."""
    scaled = np.linalg.solve(factor, (points - mode).T).T
    _, determinant = np.linalg.slogdet(factor)
    return np.asarray(-3.0 * np.log1p(np.sum(scaled**2, axis=1) / 3.0) - determinant)


def _clusters(owner: npt.NDArray[np.intp], weight: Array, modes: list[Array]) -> list[npt.NDArray[np.bool_]]:
    """Samples by the mode that they belong to, ``owner``; modes that are near each other are one."""
    share = np.array([weight[owner == k].sum() for k in range(len(modes))])
    label = list(range(len(modes)))
    for k in np.argsort(-share):
        for other in np.argsort(-share):
            near = np.hypot(*(modes[k] - modes[other])[:2])
            if share[other] >= share[k] and other != k and near < 10.0:
                label[int(k)] = label[int(other)]
                break
    kept = [mark for mark in dict.fromkeys(label) if sum(share[k] for k in range(len(modes)) if label[k] == mark) > 0.01]
    labels = np.asarray(label)[owner]
    return [labels == mark for mark in kept]


def _place(problem: _Problem, points: Array, weight: Array, trust: Array) -> Place:
    share = float(weight.sum())
    inside = weight / share
    mean = inside @ points
    centred = points[:, :2] - mean[:2]
    covariance = (inside[:, None] * centred).T @ centred
    return Place(
        x_m=float(mean[0]),
        y_m=float(mean[1]),
        time_s=float(mean[2]) + problem.origin_s,
        covariance_m2=((float(covariance[0, 0]), float(covariance[0, 1])), (float(covariance[1, 0]), float(covariance[1, 1]))),
        share=min(share, 1.0),
        trusted=tuple(float(value) for value in inside @ trust),
    )
