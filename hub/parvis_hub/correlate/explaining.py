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
_STRANGERS_PER_S = 0.01
#: Sounds per second and square metre there are to choose from where some are heard: one in five seconds, within half a kilometre.
_SOUNDS_PER_S_M2 = 0.2 / (pi * 500.0**2)
#: A clock that is off by more than it says: how likely where it runs free, and where it says it does not; and by how much at most.
_LIE_SHARE_FREE, _LIE_SHARE, _LIE_S = 0.5, 0.03, 1.0
#: What the air and the map leave open of a direct arrival, even with perfect clocks.
_LEAST_SIGMA_S = 0.001
_SPEED_SHARE = 0.004
#: A unit nearer than another that hears a sound hears it too, all but this share: screened, or its onset lost in another's.
_MISSED_SHARE = 0.3
#: A unit whose clock is wrong is asked for sounds no farther than this share of what the farthest that heard it is.
_FARTHER = 1.2
#: What a clock's error is found to, from one arrival: a few milliseconds.
_OFFSET_SIGMA_S = 0.003
#: A unit's height above the source, as a street's lamp posts have it: without it, near arrivals do not fit.
_RISE_M = 3.0
#: Half of the net's mesh, as travel time.
_BLUR_S = 0.015
#: How many of the first arrivals a sound is sought from, and how many of the best places are climbed from.
_REFERENCES, _CLIMBED = 6, 10
#: A sound of no more arrivals than this may be none; one that explains its arrivals less well than this share of the best may be mixed.
_WEAK, _GOOD_SHARE = 4, 0.6
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
        _, first = np.unique(self._unit, return_index=True)
        self._unit_m = self._place_m[first]
        self._of_unit = [np.flatnonzero(self._unit == unit) for unit in range(len(first))]
        self._lie_share = np.array([_LIE_SHARE_FREE if each.free else _LIE_SHARE for each in heard])

    def groups(self) -> list[list[int]]:
        """The arrivals by sound."""
        sounds = self._explained()
        groups = [[int(index) for index in sound.members] for sound in sounds]
        taken = {index for group in groups for index in group}
        return groups + [[index] for index in range(len(self._time_s)) if index not in taken]

    def _explained(self) -> list[_Sound]:
        """The sounds that explain everything best, as far as is found by taking weak ones back and seeking again."""
        everything = np.arange(len(self._time_s))
        sounds, value = self._deal(self._sought(everything, []))
        # A few wrong clocks look like a sound of their own.
        for weak in sorted((sound for sound in sounds if len(sound.members) <= _WEAK), key=lambda sound: len(sound.members)):
            fewer, other = self._deal([sound for sound in sounds if sound.members[0] != weak.members[0]])
            if other > value:
                sounds, value = fewer, other
        # Sounds mixed of several explain their arrivals worse than a true one does.
        typical = max((sound.value / len(sound.members) for sound in sounds), default=0.0)
        good = [sound for sound in sounds if sound.value / len(sound.members) > _GOOD_SHARE * typical]
        if len(good) < len(sounds):
            left = np.setdiff1d(everything, np.concatenate([everything[:0], *(sound.members for sound in good)]))
            again, other = self._deal(good + self._sought(left, good))
            if other > value:
                sounds = again
        return sounds

    def _sought(self, left: Indices, known: list[_Sound]) -> list[_Sound]:
        """Sounds that explain some arrivals, beside those known."""
        sounds: list[_Sound] = []
        while len(left) > 1:
            best = self._best(left, [sound.state[:2] for sound in [*known, *sounds]])
            if best is None:
                left = left[1:]
                continue
            sounds.append(best)
            left = np.setdiff1d(left, best.members)
        return sounds

    def _best(self, left: Indices, places_m: list[Array]) -> _Sound | None:
        """The sound that explains the arrivals left best, one of the first among them; it may be where others were."""
        first = left[:_REFERENCES]
        window = left[self._time_s[left] <= self._time_s[first[-1]] + 2.0]
        starts = [
            self._starts(int(reference), window, places_m) for reference in first if self._time_s[reference] <= self._time_s[first[0]] + 0.5
        ]
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

    def _starts(self, reference: int, window: Indices, places_m: list[Array]) -> tuple[Array, Array]:
        """Places and times of origin, ``(k, 3)``, from which the reference is direct, with their values ``(k,)``."""
        place_m = np.concatenate([self._place_m[reference] + _NET_M, *(each[None] for each in places_m)])
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
        value = float(gain[chosen].sum()) + self._rarity(state, window[chosen], information)
        return _Sound(state, window[chosen], value) if value > 0.0 else None

    def _rarity(self, state: Array, members: Indices, information: Array) -> float:
        """The logarithm of how likely it is that there is such a sound at all, and that those who heard it did and no others."""
        volume = 1.5 * log(2.0 * pi) - 0.5 * float(np.linalg.slogdet(information)[1])
        return volume + log(_SOUNDS_PER_S_M2) + log(_MISSED_SHARE) * self._missed(state, members)

    def _missed(self, state: Array, members: Indices) -> int:
        """How many units are nearer than the farthest that heard a sound and did not hear it, of those that heard any."""
        distance_m = np.hypot(*(self._unit_m - state[:2]).T)
        return int(np.sum(distance_m <= distance_m[self._unit[members]].max())) - len(members)

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

    def _deal(self, sounds: list[_Sound]) -> tuple[list[_Sound], float]:
        """Deals each unit's arrivals out among the sounds, so that together they are explained best; the rest are alone.

        Returns:
            The sounds, placed again, and how much better than strangers they explain everything.
        """
        total = 0.0
        for _ in range(3):
            if not sounds:
                return sounds, 0.0
            members: list[list[int]] = [[] for _ in sounds]
            total = 0.0
            farthest_s = np.array([float(self._travel_s(sound.state[:2], sound.members).max()) for sound in sounds])
            for own in self._of_unit:
                worth, pairs = self._dealt(own, sounds, farthest_s)
                total += worth
                for row, column in pairs:
                    members[row].append(int(own[column]))
            again: list[_Sound] = []
            for sound, indices in zip(sounds, members, strict=True):
                if len(indices) < 2:
                    continue
                own = np.array(sorted(indices), dtype=np.intp)
                gain, trust = self._gains(sound.state, own)
                state, information = self._step(sound.state, sound.state, own, trust, 0.0)
                rarity = self._rarity(state, own, information)
                total += rarity
                again.append(_Sound(state, own, float(np.maximum(gain, 0.0).sum()) + rarity))
            settled = [tuple(sound.members) for sound in again] == [tuple(sound.members) for sound in sounds]
            sounds = again
            if settled:
                break
        return sounds, total

    def _dealt(self, own: Indices, sounds: list[_Sound], farthest_s: Array) -> tuple[float, list[tuple[int, int]]]:
        """Which sound each of one unit's arrivals is of, as pairs of positions, and what that is worth.

        Its clock's error is the same for all of them.
        """
        late_s = np.empty((len(sounds), len(own)))
        travel_s = np.empty(len(sounds))
        gain = np.empty_like(late_s)
        for row, sound in enumerate(sounds):
            gain[row] = self._gains(sound.state, own)[0]
            travel_s[row] = self._travel_s(sound.state[:2], own[:1])[0]
            late_s[row] = self._time_s[own] - sound.state[2] - travel_s[row]
        best, chosen = _assigned(gain)
        if len(chosen) == len(own) and best >= len(own) * log(1.0 / _STRANGERS_PER_S):
            return best, chosen
        sigma_s = float(self._sigma_s[own[0]])
        audible = (travel_s <= _FARTHER * farthest_s)[:, None]
        for offset_s in np.unique(late_s[(np.abs(late_s) <= _LIE_S) & audible]):
            stated = np.exp(-0.5 * (offset_s / sigma_s) ** 2) / (np.sqrt(2.0 * pi) * sigma_s)
            prior = float(stated + self._lie_share[own[0]] / (2.0 * _LIE_S)) * np.sqrt(2.0 * pi) * _OFFSET_SIGMA_S
            shifted = np.where(audible, _log_density(late_s - offset_s, _OFFSET_SIGMA_S) - log(_STRANGERS_PER_S), -1.0)
            value, pairs = _assigned(shifted)
            value += log(prior)
            if value > best + 1e-9:
                best, chosen = value, pairs
        return best, chosen


def _log_density(late_s: Array, sigma_s: float) -> Array:
    """Of an arrival that is direct or an echo, from how much later than the direct path it is: per second."""
    direct = (1.0 - _ECHO_SHARE) / (np.sqrt(2.0 * pi) * sigma_s) * np.exp(-0.5 * (late_s / sigma_s) ** 2)
    echo = np.where(
        (late_s > -sigma_s) & (late_s < _ECHO_MOST_S), _ECHO_SHARE / _ECHO_DELAY_S * np.exp(-np.abs(late_s) / _ECHO_DELAY_S), 0.0
    )
    return np.asarray(np.log(np.maximum(direct + echo, 1e-30)))


def _assigned(worth: Array) -> tuple[float, list[tuple[int, int]]]:
    """The assignment of columns to rows that is worth most, and what it is worth; what is worth nothing is left out."""
    worth = np.maximum(worth, 0.0)
    if worth.shape[1] == 1:
        row = int(worth[:, 0].argmax())
        pairs = [(row, 0)]
    else:
        pairs = [(int(row), int(column)) for row, column in zip(*linear_sum_assignment(-worth), strict=True)]
    pairs = [(row, column) for row, column in pairs if worth[row, column] > 0.0]
    return float(sum(worth[pair] for pair in pairs)), pairs
