"""Which of some impulses were one sound: by the places and times of origin that together explain best when they were heard.

A sound's marginal likelihood (its best place's, times the volume of what is as good: Laplace's approximation) says whether it
explains some arrivals better than as many strangers would. The best sound is found and its arrivals taken away, until none is left
that explains two; then each unit's arrivals are dealt out again among all the sounds that were found, and the sounds placed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

#: Shares of arrivals that are an echo, and an echo's mean delay: as in locating. Beyond a quarter of a second an echo is none.
_ECHO_SHARE, _ECHO_DELAY_S, _ECHO_MOST_S = 0.12, 0.06, 0.25
#: A stranger: an impulse that a unit hears and no other does, per second while others are heard.
_STRANGERS_PER_S = 0.01
#: How often a unit tells of an echo beside the direct sound: at any time until then, for one that follows at once is no onset of its own.
_ECHO_TOO_SHARE = 0.12
#: Sounds per second and square metre there are to choose from where some are heard: one in five seconds, within half a kilometre.
_SOUNDS_PER_S_M2 = 0.2 / (pi * 500.0**2)
#: A clock that is off by more than it says: how likely where it runs free, and where it says it does not; and by how much at most.
_LIE_SHARE_FREE, _LIE_SHARE, _LIE_S = 0.5, 0.03, 1.0
#: What the air and the map leave open of a direct arrival, even with perfect clocks.
_LEAST_SIGMA_S = 0.001
_SPEED_SHARE = 0.002
#: A unit nearer than another that hears a sound hears it too, all but this share: screened, or its onset lost in another's.
_MISSED_SHARE = 0.12
#: And one farther away than all but a few that hear it hears it too: by a street that leads there.
_BEYOND_SHARE = 0.03
#: A unit whose clock is wrong is asked for sounds no farther than this share of what the farthest that heard it is.
_FARTHER = 1.2
#: What a clock's error is found to, from one arrival: a few milliseconds.
_OFFSET_SIGMA_S = 0.003
#: A unit's height above the source, as a street's lamp posts have it: without it, near arrivals do not fit.
RISE_M = 3.0
#: A sound from where another was explains at least this share of what that one does; and how well its place is known.
_AGAIN_SHARE, _BLUR_S = 0.5, 0.002
#: The net in which a sound is sought: so many meshes to either side, six to the units' spacing, which is no less and no more than this.
_MESHES, _MESHES_PER_SPACING = 9, 6
_SPACING_M = (30.0, 150.0)
#: How many of the first arrivals a sound is sought from, and how many of the best places are climbed from.
_REFERENCES, _CLIMBED = 4, 10
#: A sound of no more arrivals than this may be none; one that explains less than these shares of what the best does may be mixed.
_WEAK, _GOOD_SHARES = 4, (0.5, 0.7, 0.85)
#: So many arrivals explained poorly may be a sound that was missed; one that explains everything better by so much is one.
_POOR, _BETTER = 3, 1e-6
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
        level_db: How loud.
    """

    unit: str
    east_m: float
    north_m: float
    time_s: float
    sigma_s: float
    free: bool
    level_db: float


def _net() -> Array:
    """Where a sound may be, seen from a unit that heard it early, ``(k, 2)``, in units' spacings: a mesh nearby, rings farther out."""
    steps = np.arange(-_MESHES, _MESHES + 1) / _MESHES_PER_SPACING
    mesh = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    near = mesh[np.hypot(mesh[:, 0], mesh[:, 1]) <= _MESHES / _MESHES_PER_SPACING]
    turn = np.arange(36) * (2.0 * pi / 36)
    rings = [radius * np.column_stack([np.cos(turn), np.sin(turn)]) for radius in (2.0, 2.6, 3.5, 5.0, 7.0)]
    return np.concatenate([near, *rings])


_NET = _net()


@dataclass(frozen=True, slots=True)
class Explained:
    """Arrivals of one sound.

    Attributes:
        members: Their indices, in order.
        east_m, north_m, began_s: Where and when it began, about; of a single arrival, its unit's place and no time.
    """

    members: list[int]
    east_m: float
    north_m: float
    began_s: float | None


def explain(heard: Sequence[Heard], sound_m_s: float) -> list[Explained]:
    """Groups arrivals by the sound that each is of.

    Args:
        heard: The arrivals in order of time, a few hundred at most.
        sound_m_s: Speed of sound.

    Returns:
        The sounds; each arrival is of one. A unit is of a sound once, and with the echoes that it told of besides.
    """
    if len(heard) == 1:
        return [Explained([0], heard[0].east_m, heard[0].north_m, None)]
    return _Problem(heard, sound_m_s).explained()


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
        # How far apart units are: the median distance to the second nearest.
        apart_m = np.hypot(*(self._unit_m[:, None] - self._unit_m).transpose(2, 0, 1))
        self._spacing_m = float(np.clip(np.median(np.sort(apart_m, axis=1)[:, min(2, len(first) - 1)]), *_SPACING_M))
        self._free = np.array([each.free for each in heard])
        self._log_other = np.log(_STRANGERS_PER_S + self._echoed(np.array([each.level_db for each in heard])))
        self._lie_share = np.array([_LIE_SHARE_FREE if each.free else _LIE_SHARE for each in heard])

    def _echoed(self, level_db: Array) -> Array:
        """How likely it is, per second, that each arrival is an echo of one before it at its unit, told of besides."""
        self._echo_of = np.full(len(level_db), -1)
        density = np.zeros(len(level_db))
        for own in self._of_unit:
            for position, index in enumerate(own):
                for before in own[:position]:
                    later_s = self._time_s[index] - self._time_s[before]
                    if later_s <= _ECHO_MOST_S and level_db[index] < level_db[before]:
                        density[index] = _ECHO_TOO_SHARE / _ECHO_MOST_S
                        self._echo_of[index] = before
        return density

    def explained(self) -> list[Explained]:
        """The arrivals by sound."""
        found: list[Explained] = []
        of: dict[int, list[int]] = {}
        for sound in self._explained():
            members = [int(index) for index in sound.members]
            found.append(Explained(members, *(float(value) for value in sound.state)))
            of |= dict.fromkeys(members, members)
        for index in range(len(self._time_s)):
            if index in of:
                continue
            group = of.get(int(self._echo_of[index]))
            if group is None:
                group = []
                found.append(Explained(group, float(self._place_m[index][0]), float(self._place_m[index][1]), None))
            group.append(index)
            of[index] = group
        for each in found:
            each.members.sort()
        return found

    def _explained(self) -> list[_Sound]:
        """The sounds that explain everything best, as far as is found by taking weak ones back and seeking again."""
        everything = np.arange(len(self._time_s))
        sounds, value = self._deal(self._sought(everything, []))
        # A few wrong clocks look like a sound of their own.
        for weak in sorted((sound for sound in sounds if len(sound.members) <= _WEAK), key=lambda sound: len(sound.members)):
            fewer, other = self._deal([sound for sound in sounds if sound.members[0] != weak.members[0]])
            if other > value:
                sounds, value = fewer, other
        # Sounds mixed of several explain their arrivals worse than a true one does, and fewer of them.
        for share in _GOOD_SHARES:
            typical = max((sound.value for sound in sounds), default=0.0)
            good = [sound for sound in sounds if sound.value > share * typical]
            if len(good) == len(sounds):
                continue
            left = np.setdiff1d(everything, np.concatenate([everything[:0], *(sound.members for sound in good)]))
            again, other = self._deal(good + self._sought(left, good))
            if other > value:
                sounds, value = again, other
        # One that was missed leaves arrivals that the others explain poorly; found, it may show that another is none.
        while len(poor := self._poor(sounds)) >= _POOR and (born := self._born(sounds, poor)) is not None:
            again, other = self._deal([*sounds, born])
            for each in sorted(again, key=lambda sound: sound.value):
                fewer, without = self._deal([sound for sound in again if sound.members[0] != each.members[0]])
                if without > other:
                    again, other = fewer, without
            if other <= value + _BETTER:
                break
            sounds, value = again, other
        return sounds

    def _poor(self, sounds: list[_Sound]) -> Indices:
        """The arrivals that are no sound's, or no direct ones."""
        poor = np.ones(len(self._time_s), dtype=bool)
        for sound in sounds:
            poor[sound.members] = self._gains(sound.state, sound.members)[1] < 0.5
        return np.flatnonzero(poor)

    def _born(self, sounds: list[_Sound], poor: Indices) -> _Sound | None:
        """The sound that adds most to what the others explain; it is sought from what they explain poorly."""
        other = self._log_other
        self._log_other = other.copy()
        for sound in sounds:
            gain, _ = self._gains(sound.state, sound.members)
            self._log_other[sound.members] += np.maximum(gain, 0.0)
        try:
            return self._best(poor, [sound.state[:2] for sound in sounds], np.arange(len(self._time_s)))
        finally:
            self._log_other = other

    def _sought(self, left: Indices, known: list[_Sound]) -> list[_Sound]:
        """Sounds that explain some arrivals, beside those known."""
        sounds: list[_Sound] = []
        while len(left) > 1:
            best = self._best(left, [sound.state[:2] for sound in [*known, *sounds]])
            if best is None:
                left = left[1:]
                continue
            # Who fires once fires again: from the same place another sound is found at once and surely.
            again: _Sound | None = best
            while again is not None and again.value > _AGAIN_SHARE * best.value:
                sounds.append(again)
                left = np.setdiff1d(left, again.members)
                again = self._again(left, best.state[:2]) if len(left) > 1 else None
        return sounds

    def _best(self, left: Indices, places_m: list[Array], among: Indices | None = None) -> _Sound | None:
        """The sound that explains some arrivals best, of those left if no others are given; one of the first that are left is of it.

        It may be where others were.
        """
        first = self._references(left)
        window = left if among is None else among
        window = window[(self._time_s[window] >= self._time_s[first[0]] - 2.0) & (self._time_s[window] <= self._time_s[first[-1]] + 2.0)]
        window = window[np.argsort(self._unit[window], kind="stable")]
        states, values = self._starts(first, window, places_m)
        chosen: list[Array] = []
        for index in np.argsort(-values, kind="stable"):
            if len(chosen) == _CLIMBED or values[index] <= 0.0:
                break
            if not any(np.hypot(*(states[index] - other)[:2]) < 20.0 and abs(states[index][2] - other[2]) < 0.05 for other in chosen):
                chosen.append(states[index])
        if not chosen:
            return None
        found: _Sound | None = None
        for sound in self._climb(np.array(chosen), window):
            # Of explanations that are as good the earlier is the likelier, since all that is left is later.
            if found is None or sound.value - 0.5 * sound.state[2] > found.value - 0.5 * found.state[2]:
                found = sound
        return found

    def _again(self, left: Indices, place_m: Array) -> _Sound | None:
        """The sound from a place that explains the arrivals left best."""
        window = left[np.argsort(self._unit[left], kind="stable")]
        began_s = self._time_s[window] - self._travel_s(place_m, window)
        gain, _ = self._gains(np.column_stack([np.tile(place_m, (len(window), 1)), began_s]), window, _BLUR_S)
        value = np.maximum(np.maximum.reduceat(gain, self._edges(window), axis=1), 0.0).sum(axis=1)
        best = np.argsort(-value, kind="stable")[:2]
        found = self._climb(np.column_stack([np.tile(place_m, (len(best), 1)), began_s[best]]), window)
        return max(found, key=lambda sound: sound.value, default=None)

    def _references(self, left: Indices) -> Indices:
        """From which arrivals to seek a sound: the first of each of the first few units, of those whose clocks follow another if any."""
        kept = left[~self._free[left]]
        own = kept if len(kept) > 1 else left
        _, first = np.unique(self._unit[own], return_index=True)
        return own[np.sort(first)[:_REFERENCES]]

    def _starts(self, references: Indices, window: Indices, places_m: list[Array]) -> tuple[Array, Array]:
        """Places and times of origin, ``(k, 3)``, from which one of the references is direct, with their values ``(k,)``.

        Args:
            references: Arrivals.
            window: All arrivals that may be of the sound, in order of their units.
            places_m: Where others were.
        """
        known = np.array(places_m).reshape(-1, 2)
        place_m = np.concatenate([np.concatenate([self._place_m[each] + self._spacing_m * _NET, known]) for each in references])
        of = np.repeat(references, len(place_m) // len(references))
        # Half the digits do for this, and take half the time: it is the most that grouping costs.
        offset_m = (place_m[:, None] - self._unit_m).astype(np.float32)
        travel_s = np.sqrt(offset_m[..., 0] ** 2 + offset_m[..., 1] ** 2 + np.float32(RISE_M**2)) / np.float32(self._sound_m_s)
        began_s = self._time_s[of] - travel_s[np.arange(len(of)), self._unit[of]]
        late_s = (self._time_s[window] - began_s[:, None]).astype(np.float32) - travel_s[:, self._unit[window]]
        blur_s = 0.5 * self._spacing_m / _MESHES_PER_SPACING / self._sound_m_s
        sigma_s = np.sqrt(self._sigma_s[window] ** 2 + blur_s**2).astype(np.float32)
        # The better of direct and echo, without their sum: no better need be known to choose where to climb from.
        gain = np.log((1.0 - _ECHO_SHARE) / (np.float32(sqrt(2.0 * pi)) * sigma_s)) - np.float32(0.5) * (late_s / sigma_s) ** 2
        echo = np.float32(log(_ECHO_SHARE / _ECHO_DELAY_S)) - late_s / np.float32(_ECHO_DELAY_S)
        other = self._log_other[window].astype(np.float32)
        gain = np.maximum(gain, np.where(late_s > 0.0, echo, other)) - other
        # One arrival of each unit: of those of one unit the best.
        value = np.maximum(np.maximum.reduceat(gain, self._edges(window), axis=1), 0.0).sum(axis=1)
        return np.column_stack([place_m, began_s]), value

    def _edges(self, window: Indices) -> Indices:
        """Where each unit's arrivals begin among some that are in order of their units."""
        units = self._unit[window]
        return np.flatnonzero(np.r_[True, units[1:] != units[:-1]])

    def _travel_s(self, place_m: Array, indices: Indices) -> Array:
        """``(..., 2)`` → ``(..., n)``."""
        offset = place_m[..., None, :] - self._place_m[indices]
        return np.asarray(np.sqrt(np.sum(offset**2, axis=-1) + RISE_M**2) / self._sound_m_s)

    def _gains(self, state: Array, indices: Indices, extra_s: float = 0.0) -> tuple[Array, Array]:
        """Per arrival ``(..., n)``, of states ``(..., 3)``.

        How much better a sound explains it than a stranger does, as a logarithm; and that it is direct.
        """
        travel_s = self._travel_s(state[..., :2], indices)
        late_s = self._time_s[indices] - state[..., 2:] - travel_s
        sigma_s = np.sqrt(self._sigma_s[indices] ** 2 + (_SPEED_SHARE * travel_s) ** 2 + extra_s**2)
        direct = (1.0 - _ECHO_SHARE) / (np.sqrt(2.0 * pi) * sigma_s) * np.exp(-0.5 * (late_s / sigma_s) ** 2)
        echo = np.where(
            (late_s > -sigma_s) & (late_s < _ECHO_MOST_S), _ECHO_SHARE / _ECHO_DELAY_S * np.exp(-np.abs(late_s) / _ECHO_DELAY_S), 0.0
        )
        density = np.maximum(direct + echo, 1e-30)
        return np.log(density) - self._log_other[indices], direct / density

    def _climb(self, starts: Array, window: Indices) -> list[_Sound]:
        """The best place and time near each start, ``(k, 3)``, with the arrivals that it explains; those that explain two and more.

        Args:
            starts: Where to begin.
            window: All arrivals that may be of the sound, in order of their units.
        """
        edges = self._edges(window)
        sizes = np.diff(np.r_[edges, len(window)])
        states = starts
        for extra_s in (0.015, 0.008, 0.004, 0.0, 0.0):
            gain, trust = self._gains(states, window, extra_s)
            chosen = _best_of_each(gain, edges, sizes)
            states = self._steps(states, starts, window, np.where(chosen, trust, 0.0), extra_s)[0]
        gain, trust = self._gains(states, window)
        chosen = _best_of_each(gain, edges, sizes)
        information = self._steps(states, starts, window, np.where(chosen, trust, 0.0), 0.0)[1]
        sounds = []
        for state, own, each, known in zip(states, chosen, gain, information, strict=True):
            members = window[own]
            if len(members) < 2:
                continue
            value = float(each[own].sum()) + self._rarity(state, members, known)
            if value > 0.0:
                sounds.append(_Sound(state, np.sort(members), value))
        return sounds

    def _rarity(self, state: Array, members: Indices, information: Array) -> float:
        """The logarithm of how likely it is that there is such a sound at all, and that those who heard it did and no others."""
        volume = 1.5 * log(2.0 * pi) - 0.5 * float(np.linalg.slogdet(information)[1])
        return volume + log(_SOUNDS_PER_S_M2) + self._audible(state, members)[1]

    def _audible(self, state: Array, members: Indices) -> tuple[float, float]:
        """How far away a sound was heard, in metres, and the logarithm of how likely it is that just these heard it.

        Of the units that heard any, nearly all within that distance hear it, and few beyond.
        """
        distance_m = np.hypot(*(self._unit_m - state[:2]).T)
        order = np.argsort(distance_m, kind="stable")
        heard = np.isin(order, self._unit[members])
        missed = np.cumsum(np.where(heard, 0.0, log(_MISSED_SHARE)))
        beyond = np.where(heard, log(_BEYOND_SHARE), 0.0)
        worth = missed + np.cumsum(beyond[::-1])[::-1] - beyond
        best = int(worth.argmax())
        return float(distance_m[order[best]]), float(worth[best])

    def _steps(self, states: Array, starts: Array, indices: Indices, trust: Array, extra_s: float) -> tuple[Array, Array]:
        """One step of Gauss and Newton from each of some states ``(k, 3)``, and the information ``(k, 3, 3)``; ``trust`` is ``(k, n)``."""
        travel_s = self._travel_s(states[:, :2], indices)
        late_s = self._time_s[indices] - states[:, 2:] - travel_s
        weight = trust / (self._sigma_s[indices] ** 2 + (_SPEED_SHARE * travel_s) ** 2 + extra_s**2)
        away = (states[:, None, :2] - self._place_m[indices]) / (self._sound_m_s**2 * travel_s)[:, :, None]
        slope = np.concatenate([away, np.ones((*travel_s.shape, 1))], axis=2)
        prior = np.array([_NEAR_M**-2, _NEAR_M**-2, 1.0])
        weighted = np.swapaxes(slope * weight[:, :, None], 1, 2)
        information = weighted @ slope + np.diag(prior)
        gradient = (weighted @ late_s[:, :, None])[:, :, 0] + prior * (starts - states)
        step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        longest_m = np.hypot(step[:, 0], step[:, 1])
        return states + step * np.minimum(1.0, 60.0 / np.maximum(longest_m, 1e-9))[:, None], information

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
            farthest_s = np.array([self._audible(sound.state, sound.members)[0] for sound in sounds]) / self._sound_m_s
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
                (state,), (information,) = self._steps(sound.state[None], sound.state[None], own, trust[None], 0.0)
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
        # What the unit would have missed, if none of its arrivals were of a sound that others farther away heard.
        heard_too = np.where(travel_s <= farthest_s, -log(_MISSED_SHARE), 0.0)[:, None]
        best, chosen = _assigned(gain + heard_too)
        if len(chosen) == len(own) and best >= -float(self._log_other[own].sum()):
            return best, chosen
        sigma_s = float(self._sigma_s[own[0]])
        audible = (travel_s <= _FARTHER * farthest_s)[:, None]
        most_s = max(_LIE_S, 3.0 * sigma_s)
        for offset_s in np.unique(late_s[(np.abs(late_s) <= most_s) & audible]):
            stated = np.exp(-0.5 * (offset_s / sigma_s) ** 2) / (np.sqrt(2.0 * pi) * sigma_s)
            lie = self._lie_share[own[0]] / (2.0 * _LIE_S) if abs(offset_s) <= _LIE_S else 0.0
            prior = float(stated + lie) * np.sqrt(2.0 * pi) * _OFFSET_SIGMA_S
            shifted = np.where(audible, _log_density(late_s - offset_s, _OFFSET_SIGMA_S) - self._log_other[own] + heard_too, -1.0)
            value, pairs = _assigned(shifted)
            value += log(prior)
            if value > best + 1e-9:
                best, chosen = value, pairs
        return best, chosen


def _best_of_each(gain: Array, edges: Indices, sizes: Indices) -> npt.NDArray[np.bool_]:
    """Which arrivals, ``(k, n)``, are worth more than nothing and the most of their own unit's."""
    most = np.repeat(np.maximum.reduceat(gain, edges, axis=1), sizes, axis=1)
    return np.asarray((gain > 0.0) & (gain == most))


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
