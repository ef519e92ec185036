"""Which of some impulses were one sound: by the places and times of origin that together explain best when they were heard.

A sound's marginal likelihood (its best place's, times the volume of what is as good: Laplace's approximation) says whether it
explains some arrivals better than as many strangers would. The best sound is found and its arrivals taken away, until none is left
that explains two; then each unit's arrivals are dealt out again among all the sounds that were found, and the sounds placed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

#: Shares of arrivals that are an echo, and an echo's mean delay: as in locating. Beyond a quarter of a second an echo is none.
_ECHO_SHARE, _ECHO_DELAY_S, _ECHO_MOST_S = 0.12, 0.06, 0.25
#: A stranger: an impulse that a unit hears and no other does, per second while others are heard.
_STRANGERS_PER_S = 0.02
#: Sounds per second and square metre there are to choose from where some are heard: one, within half a kilometre.
_SOUNDS_PER_S_M2 = 1.0 / (pi * 500.0**2)
#: A clock that is off by more than it says: how likely where it runs free, and where it says it does not; and by how much at most.
_LIE_SHARE_FREE, _LIE_SHARE, _LIE_S = 0.3, 0.03, 1.0
#: Lone strangers per second: a unit that cries wolf does so every few minutes.
_LONE_PER_S = 0.005
#: What the air and the map leave open of a direct arrival, even with perfect clocks.
_LEAST_SIGMA_S = 0.001
_SPEED_SHARE = 0.004
#: A unit's height above the source, as a street's lamp posts have it: without it, near arrivals do not fit.
_RISE_M = 3.0
#: Half of the net's mesh, as travel time.
_BLUR_S = 0.015
#: How many of the first arrivals a sound is sought from, and how many of the best places are climbed from.
_REFERENCES, _CLIMBED = 6, 6
#: A place off the net is no farther than this from the unit that heard it, one sigma.
_NEAR_M = 200.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One arrival.

    Attributes:
        unit: Who heard it.
        east_m, north_m: Where that is.
        time_s: When, from any origin common to all.
        sigma_s: 1-sigma of that time, as stated.
        free: Whether its clock follows no other.
    """

    unit: str
    east_m: float
    north_m: float
    time_s: float
    sigma_s: float
    free: bool


def _net() -> Array:
    """Where a sound may be, seen from a unit that heard it early, ``(k, 2)``: a mesh of 12 m nearby, rings farther out."""
    steps = np.arange(-16, 17) * 12.0
    mesh = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    near = mesh[np.hypot(mesh[:, 0], mesh[:, 1]) <= 16 * 12.0]
    turn = np.arange(36) * (2.0 * pi / 36)
    rings = [radius_m * np.column_stack([np.cos(turn), np.sin(turn)]) for radius_m in (220.0, 280.0, 400.0, 600.0)]
    return np.concatenate([near, *rings])


_NET_M = _net()


def explain(heard: Sequence[Heard], sound_m_s: float) -> list[list[int]]:
    """Groups arrivals by the sound that each is of.

    Args:
        heard: The arrivals in order of time, a few hundred at most.
        sound_m_s: Speed of sound.

    Returns:
        Indices into ``heard``, each in one group; a unit is in a group once.
    """
    if len(heard) == 1:
        return [[0]]
    return _Problem(heard, sound_m_s).groups()


@dataclass(slots=True)
class _Sound:
    """One explanation: east, north and time of origin, and how it does.

    Attributes:
        members: Its arrivals.
        value: How much better than strangers it explains them, as a logarithm.
    """

    state: Array
    members: Indices
    value: float


class _Problem:
    def __init__(self, heard: Sequence[Heard], sound_m_s: float) -> None:
        self._sound_m_s = sound_m_s
        self._place_m = np.array([(each.east_m, each.north_m) for each in heard])
        self._time_s = np.array([each.time_s for each in heard])
        self._sigma_s = np.hypot([each.sigma_s for each in heard], _LEAST_SIGMA_S)
        names = {name: number for number, name in enumerate(sorted({each.unit for each in heard}))}
        self._unit = np.array([names[each.unit] for each in heard])
        self._lie_share = np.array([_LIE_SHARE_FREE if each.free else _LIE_SHARE for each in heard])

    def groups(self) -> list[list[int]]:
        """The arrivals by sound."""
        sounds = self._deal(self._sounds())
        groups = [[int(index) for index in sound.members] for sound in sounds]
        self._lies(sounds, groups)
        return groups

    def _sounds(self) -> list[_Sound]:
        left = np.arange(len(self._time_s))
        sounds: list[_Sound] = []
        while len(left) > 1:
            best = self._best(left)
            if best is None:
                left = left[1:]
                continue
            sounds.append(best)
            left = np.setdiff1d(left, best.members)
        return sounds

    def _best(self, left: Indices) -> _Sound | None:
        """The sound that explains the arrivals left best, one of the first among them."""
        first = left[:_REFERENCES]
        window = left[self._time_s[left] <= self._time_s[first[-1]] + 2.0]
        starts = [self._starts(int(reference), window) for reference in first if self._time_s[reference] <= self._time_s[first[0]] + 0.5]
        values = np.concatenate([value for _, value in starts])
        states = np.concatenate([state for state, _ in starts])
        found: _Sound | None = None
        climbed: list[Array] = []
        for index in np.argsort(-values, kind="stable"):
            if len(climbed) == _CLIMBED or values[index] <= 0.0:
                break
            if any(np.hypot(*(states[index] - other)[:2]) < 20.0 and abs(states[index][2] - other[2]) < 0.05 for other in climbed):
                continue
            climbed.append(states[index])
            sound = self._climb(states[index], window)
            # Of explanations that are as good the earlier is the likelier, since all that is left is later.
            if sound is not None and (found is None or sound.value - 0.5 * sound.state[2] > found.value - 0.5 * found.state[2]):
                found = sound
        return found

    def _starts(self, reference: int, window: Indices) -> tuple[Array, Array]:
        """Places and times of origin, ``(k, 3)``, from which the reference is direct, with their values ``(k,)``."""
        place_m = self._place_m[reference] + _NET_M
        began_s = self._time_s[reference] - self._travel_s(place_m, np.array([reference]))[:, 0]
        late_s = self._time_s[window] - began_s[:, None] - self._travel_s(place_m, window)
        sigma_s = np.sqrt(self._sigma_s[window] ** 2 + self._sigma_s[reference] ** 2 + _BLUR_S**2)
        # Normal within three sigma, or an echo's delay: no better need be known to choose where to climb from.
        direct = 1.0 - _ECHO_SHARE
        density = direct / (np.sqrt(2.0 * pi) * sigma_s) * np.exp(-0.5 * (late_s / sigma_s) ** 2)
        density += np.where((late_s > 0.0) & (late_s < _ECHO_MOST_S), _ECHO_SHARE / _ECHO_DELAY_S * np.exp(-late_s / _ECHO_DELAY_S), 0.0)
        gain = np.maximum(np.log(np.maximum(density, 1e-12) / _STRANGERS_PER_S), 0.0)
        # One arrival of each unit: of those of one unit the best.
        order = np.argsort(self._unit[window], kind="stable")
        units = self._unit[window][order]
        edges = np.flatnonzero(np.r_[True, units[1:] != units[:-1]])
        value = np.maximum.reduceat(gain[:, order], edges, axis=1).sum(axis=1)
        return np.column_stack([place_m, began_s]), value

    def _travel_s(self, place_m: Array, indices: Indices) -> Array:
        """``(..., 2)`` → ``(..., n)``."""
        offset = place_m[..., None, :] - self._place_m[indices]
        return np.asarray(np.sqrt(np.sum(offset**2, axis=-1) + _RISE_M**2) / self._sound_m_s)

    def _gains(self, state: Array, indices: Indices, extra_s: float = 0.0) -> tuple[Array, Array]:
        """Per arrival ``(n,)``: how much better a sound explains it than a stranger does, as a logarithm; and that it is direct."""
        travel_s = self._travel_s(state[:2], indices)
        late_s = self._time_s[indices] - state[2] - travel_s
        sigma_s = np.sqrt(self._sigma_s[indices] ** 2 + (_SPEED_SHARE * travel_s) ** 2 + extra_s**2)
        direct = (1.0 - _ECHO_SHARE) / (np.sqrt(2.0 * pi) * sigma_s) * np.exp(-0.5 * (late_s / sigma_s) ** 2)
        echo = np.where(
            (late_s > -sigma_s) & (late_s < _ECHO_MOST_S), _ECHO_SHARE / _ECHO_DELAY_S * np.exp(-np.abs(late_s) / _ECHO_DELAY_S), 0.0
        )
        density = np.maximum(direct + echo, 1e-30)
        return np.log(density / _STRANGERS_PER_S), direct / density

    def _members(self, gain: Array, indices: Indices) -> Indices:
        """The arrivals better explained by the sound than by strangers, one of each unit."""
        best: dict[int, int] = {}
        for position in np.flatnonzero(gain > 0.0):
            unit = int(self._unit[indices[position]])
            if unit not in best or gain[position] > gain[best[unit]]:
                best[unit] = int(position)
        return np.array(sorted(best.values()), dtype=np.intp)

    def _climb(self, start: Array, window: Indices) -> _Sound | None:
        """The best place and time near a start, with the arrivals that it explains."""
        state = start
        for extra_s in (0.015, 0.008, 0.004, 0.0, 0.0):
            gain, trust = self._gains(state, window, extra_s)
            chosen = self._members(gain, window)
            if len(chosen) < 2:
                return None
            state = self._step(state, start, window[chosen], trust[chosen], extra_s)[0]
        return self._valued(state, start, window)

    def _valued(self, state: Array, start: Array, window: Indices) -> _Sound | None:
        gain, trust = self._gains(state, window)
        chosen = self._members(gain, window)
        if len(chosen) < 2:
            return None
        information = self._step(state, start, window[chosen], trust[chosen], 0.0)[1]
        volume = 1.5 * log(2.0 * pi) - 0.5 * float(np.linalg.slogdet(information)[1])
        value = float(gain[chosen].sum()) + volume + log(_SOUNDS_PER_S_M2)
        return _Sound(state, window[chosen], value) if value > 0.0 else None

    def _step(self, state: Array, start: Array, members: Indices, trust: Array, extra_s: float) -> tuple[Array, Array]:
        """One step of Gauss and Newton, and the information ``(3, 3)``."""
        travel_s = self._travel_s(state[:2], members)
        late_s = self._time_s[members] - state[2] - travel_s
        weight = trust / (self._sigma_s[members] ** 2 + (_SPEED_SHARE * travel_s) ** 2 + extra_s**2)
        away = (state[:2] - self._place_m[members]) / (self._sound_m_s**2 * travel_s)[:, None]
        slope = np.column_stack([away, np.ones(len(members))])
        prior = np.array([_NEAR_M**-2, _NEAR_M**-2, 1.0])
        information = (slope * weight[:, None]).T @ slope + np.diag(prior)
        gradient = slope.T @ (weight * late_s) + prior * (start - state)
        step = np.linalg.solve(information, gradient)
        longest_m = float(np.hypot(step[0], step[1]))
        return state + step * min(1.0, 60.0 / max(longest_m, 1e-9)), information

    def _deal(self, sounds: list[_Sound]) -> list[_Sound]:
        """Deals each unit's arrivals out among the sounds, so that together they are explained best; the rest are alone."""
        everything = np.arange(len(self._time_s))
        for _ in range(3):
            if not sounds:
                break
            gains = np.stack([self._gains(sound.state, everything)[0] for sound in sounds])
            members: list[list[int]] = [[] for _ in sounds]
            for unit in range(int(self._unit.max()) + 1):
                own = np.flatnonzero(self._unit == unit)
                worth = np.maximum(gains[:, own], 0.0)
                for row, column in zip(*linear_sum_assignment(-worth), strict=True):
                    if worth[row, column] > 0.0:
                        members[row].append(int(own[column]))
            again: list[_Sound] = []
            for sound, indices in zip(sounds, members, strict=True):
                if len(indices) < 2:
                    continue
                own = np.array(sorted(indices), dtype=np.intp)
                state = self._step(sound.state, sound.state, own, self._gains(sound.state, own)[1], 0.0)[0]
                again.append(_Sound(state, own, sound.value))
            if [tuple(sound.members) for sound in again] == [tuple(sound.members) for sound in sounds]:
                return again
            sounds = again
        return sounds

    def _lies(self, sounds: list[_Sound], groups: list[list[int]]) -> None:
        """Gives arrivals that no sound explains to one that their unit did not hear, if a wrong clock is likelier than a stranger."""
        taken = {index for group in groups for index in group}
        strangers = [index for index in range(len(self._time_s)) if index not in taken]
        choices: list[tuple[float, float, int, int]] = []
        for number, sound in enumerate(sounds):
            units = set(self._unit[sound.members].tolist())
            farthest_s = float(self._travel_s(sound.state[:2], sound.members).max())
            for index in strangers:
                travel_s = float(self._travel_s(sound.state[:2], np.array([index]))[0])
                late_s = abs(float(self._time_s[index]) - float(sound.state[2]) - travel_s)
                if int(self._unit[index]) in units or late_s > _LIE_S or travel_s > 1.2 * farthest_s:
                    continue
                worth = log(float(self._lie_share[index]) / (2.0 * _LIE_S) / _LONE_PER_S)
                if worth > 0.0:
                    choices.append((-worth, late_s, index, number))
        heard = {(int(self._unit[index]), number) for number, group in enumerate(groups) for index in group}
        for _, _, index, number in sorted(choices):
            if index not in taken and (int(self._unit[index]), number) not in heard:
                taken.add(index)
                heard.add((int(self._unit[index]), number))
                groups[number].append(index)
        groups.extend([index] for index in strangers if index not in taken)
        for group in groups:
            group.sort()
