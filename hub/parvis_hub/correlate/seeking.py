"""Finds the sound that explains some arrivals best: from a net of places, the best of which are climbed from."""

from __future__ import annotations

from math import log, pi

import numpy as np

from .evidence import ECHO_DELAY_S, ECHO_SHARE, RISE_M, Array, Evidence, Indices, Mask, Sound

#: A sound from where another was explains at least this share of what that one does; and how well its place is known.
_AGAIN_SHARE, _BLUR_S = 0.5, 0.002
#: The net in which a sound is sought: so many meshes to either side, six to the units' spacing, which is no less and no more than this.
_MESHES, _MESHES_PER_SPACING = 9, 6
_SPACING_M = (30.0, 150.0)
#: How many of the first arrivals a sound is sought from, and how many of the best places are climbed from.
_REFERENCES, _CLIMBED = 4, 10
#: A place is chosen to climb from by the units around the first arrival: so many tell enough.
_AROUND = 16
#: How much less sure than they are arrivals are taken to be, step after step.
_STEPS_S = (0.015, 0.008, 0.004, 0.0, 0.0)
#: Places so near each other in space and time lead to the same.
_ALIKE_M, _ALIKE_S = 20.0, 0.05
#: Farther apart in time than this are no arrivals of one sound.
_LONGEST_S = 2.0


def _net() -> Array:
    """Where a sound may be, seen from a unit that heard it early, ``(k, 2)``, in units' spacings: a mesh nearby, rings farther out."""
    steps = np.arange(-_MESHES, _MESHES + 1) / _MESHES_PER_SPACING
    mesh = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    near = mesh[np.hypot(mesh[:, 0], mesh[:, 1]) <= _MESHES / _MESHES_PER_SPACING]
    turn = np.arange(36) * (2.0 * pi / 36)
    rings = [radius * np.column_stack([np.cos(turn), np.sin(turn)]) for radius in (2.0, 2.6, 3.5, 5.0, 7.0)]
    return np.concatenate([near, *rings])


_NET = _net()


class Seeker:
    """Seeks sounds among arrivals."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        # How far apart units are: the median distance to the second nearest.
        unit_m = evidence.unit_m
        self._apart_m = np.hypot(unit_m[:, None, 0] - unit_m[:, 0], unit_m[:, None, 1] - unit_m[:, 1])
        nearest_m = np.sort(self._apart_m, axis=1)[:, min(2, len(unit_m) - 1)]
        self._spacing_m = float(np.clip(np.median(nearest_m), *_SPACING_M))

    def sought(self, left: Indices, known: list[Sound]) -> list[Sound]:
        """Sounds that explain some arrivals, beside those known."""
        sounds: list[Sound] = []
        while len(left) > 1:
            first = self._references(left)
            best = self.best(first, left, [sound.state[:2] for sound in [*known, *sounds]])
            if best is None:
                left = np.setdiff1d(left, first, assume_unique=True)
                continue
            # Who fires once fires again: from the same place another sound is found at once and surely.
            again: Sound | None = best
            while again is not None and again.value > _AGAIN_SHARE * best.value:
                sounds.append(again)
                left = np.setdiff1d(left, again.members, assume_unique=True)
                again = self._again(left, best.state[:2]) if len(left) > 1 else None
        return sounds

    def born(self, poor: Indices, known: list[Sound]) -> Sound | None:
        """The sound that adds most to what others explain of all arrivals; it is sought from what they explain poorly."""
        evidence = self._evidence
        other, everything = evidence.log_other, np.arange(len(evidence.time_s))
        evidence.log_other = other.copy()
        for sound in known:
            ratio = evidence.look(sound.state[None], sound.members).ratio[0]
            evidence.log_other[sound.members] += np.maximum(np.log(ratio), 0.0)
        try:
            return self.best(self._references(poor), everything, [sound.state[:2] for sound in known])
        finally:
            evidence.log_other = other

    def best(self, first: Indices, among: Indices, places_m: list[Array]) -> Sound | None:
        """The sound that explains some arrivals best, of those that one of the first is direct of.

        Args:
            first: Of which one is of it.
            among: All that may be of it.
            places_m: Where others were: it may be there too.
        """
        time_s = self._evidence.time_s
        near = (time_s[among] >= time_s[first].min() - _LONGEST_S) & (time_s[among] <= time_s[first].max() + _LONGEST_S)
        window = among[near]
        states, values = self._starts(first, window, places_m)
        chosen: list[Array] = []
        for index in np.argsort(-values, kind="stable").tolist():
            if len(chosen) == _CLIMBED or values[index] <= 0.0:
                break
            east_m, north_m, began_s = states[index]
            if not any(
                abs(began_s - other[2]) < _ALIKE_S and (east_m - other[0]) ** 2 + (north_m - other[1]) ** 2 < _ALIKE_M**2
                for other in chosen
            ):
                chosen.append(states[index])
        # Of explanations that are as good the earlier is the likelier, since all that is left is later.
        found = self._climb(np.array(chosen), window) if chosen else []
        return max(found, key=lambda sound: sound.value - 0.5 * float(sound.state[2]), default=None)

    def fired(self, place_m: Array) -> list[Sound]:
        """The sounds from one place that explain all arrivals best, one after the other.

        What is an echo of one may be another's own, and is left to it.
        """
        left = np.arange(len(self._evidence.time_s))
        states, gain = self._from(place_m, left)
        sounds: list[Sound] = []
        while len(left) > 1 and (again := self._likeliest(left, states, gain, self._evidence.edges)) is not None:
            sounds.append(again)
            direct = self._evidence.look(again.state[None], again.members).trust[0] >= 0.5
            gone = again.members[direct] if direct.any() else again.members
            left = np.setdiff1d(left, gone, assume_unique=True)
            gain[:, gone] = 0.0
        return sounds

    def _again(self, left: Indices, place_m: Array) -> Sound | None:
        """The sound from a place that explains the arrivals left best."""
        return self._likeliest(left, *self._from(place_m, left), self._edges(left))

    def _from(self, place_m: Array, left: Indices) -> tuple[Array, Array]:
        """Sounds from a place of which each of some arrivals is direct, ``(n, 3)``; and what each gains of each arrival, ``(n, n)``."""
        began_s = self._evidence.time_s[left] - self._evidence.travel_s(place_m, left)
        states = np.column_stack([np.broadcast_to(place_m, (len(left), 2)), began_s])
        return states, np.maximum(np.log(self._evidence.look(states, left, _BLUR_S).ratio), 0.0)

    def _likeliest(self, left: Indices, states: Array, gain: Array, edges: Indices) -> Sound | None:
        """Of sounds, by what each gains of arrivals, and where each unit's begin among those: the one that explains those left best."""
        value = np.maximum.reduceat(gain, edges, axis=1).sum(axis=1)
        found = self._climb(states[np.argsort(-value, kind="stable")[:2]], left)
        return max(found, key=lambda sound: sound.value, default=None)

    def _references(self, left: Indices) -> Indices:
        """From which arrivals to seek a sound: the first of each of the first few units, of those whose clocks follow another if any."""
        kept = left[~self._evidence.free[left]]
        own = kept if len(kept) > 1 else left
        first = own[self._edges(own)]
        return first[np.argsort(self._evidence.time_s[first], kind="stable")[:_REFERENCES]]

    def _starts(self, first: Indices, window: Indices, places_m: list[Array]) -> tuple[Array, Array]:
        """Places and times of origin, ``(k, 3)``, from which one of the first arrivals is direct, with their values ``(k,)``."""
        evidence = self._evidence
        own = evidence.unit[first]
        apart_m = self._apart_m[own].min(axis=0)
        if len(apart_m) > _AROUND:
            around = apart_m <= np.partition(apart_m, _AROUND - 1)[_AROUND - 1]
            window = window[around[evidence.unit[window]]]
        net_m, known_m = self._spacing_m * _NET, np.array(places_m).reshape(-1, 2)
        starts_m = np.concatenate([np.concatenate([here_m + net_m, known_m]) for here_m in evidence.place_m[first]])
        of = np.repeat(first, len(starts_m) // len(first))
        from_m = starts_m - evidence.place_m[of]
        began_s = evidence.time_s[of] - np.sqrt(from_m[:, 0] ** 2 + from_m[:, 1] ** 2 + RISE_M**2) / evidence.sound_m_s
        # Half the digits do for this, and take half the time: it is the most that grouping costs.
        units, unit = np.unique(evidence.unit[window], return_inverse=True)
        offset_m = (starts_m[:, None] - evidence.unit_m[units]).astype(np.float32)
        travel_s = np.sqrt(offset_m[..., 0] ** 2 + offset_m[..., 1] ** 2 + np.float32(RISE_M**2)) * np.float32(1.0 / evidence.sound_m_s)
        since_s = float(evidence.time_s[first[0]])
        late_s = (
            (evidence.time_s[window] - since_s).astype(np.float32) - travel_s[:, unit] - (began_s - since_s).astype(np.float32)[:, None]
        )
        blur_s = 0.5 * self._spacing_m / _MESHES_PER_SPACING / evidence.sound_m_s
        variance_s2 = (evidence.sigma_s[window] ** 2 + blur_s**2).astype(np.float32)
        # The better of direct and echo, without their sum: no better need be known to choose where to climb from.
        other = evidence.log_other[window].astype(np.float32)
        gain = late_s**2 * (np.float32(-0.5) / variance_s2) + (np.log((1.0 - ECHO_SHARE) / np.sqrt(2.0 * pi * variance_s2)) - other)
        echo = late_s * np.float32(-1.0 / ECHO_DELAY_S) + (np.float32(log(ECHO_SHARE / ECHO_DELAY_S)) - other)
        np.maximum(gain, np.where(late_s > 0.0, echo, np.float32(0.0)), out=gain)
        # One arrival of each unit: of those of one unit the best.
        value = np.maximum(np.maximum.reduceat(gain, self._edges(window), axis=1), 0.0).sum(axis=1)
        return np.column_stack([starts_m, began_s]), value

    def _edges(self, window: Indices) -> Indices:
        """Where each unit's arrivals begin among some."""
        units = self._evidence.unit[window]
        return np.flatnonzero(np.r_[True, units[1:] != units[:-1]])

    def _climb(self, starts: Array, window: Indices) -> list[Sound]:
        """The best place and time near each start, ``(k, 3)``, with the arrivals that it explains; those that explain two and more.

        Args:
            starts: Where to begin.
            window: All arrivals that may be of the sound.
        """
        evidence = self._evidence
        edges = self._edges(window)
        sizes = np.diff(np.r_[edges, len(window)])
        states = starts
        for extra_s in _STEPS_S:
            look = evidence.look(states, window, extra_s)
            states = evidence.step(states, starts, window, look, np.where(_best_of_each(look.ratio, edges, sizes), look.trust, 0.0))[0]
        look = evidence.look(states, window)
        chosen = _best_of_each(look.ratio, edges, sizes)
        information = evidence.step(states, starts, window, look, np.where(chosen, look.trust, 0.0))[1]
        members = np.zeros((len(states), len(evidence.time_s)), dtype=bool)
        members[:, window] = chosen
        rarity, reach_s = evidence.rarity(states, members, information)
        value = np.where(chosen, np.log(look.ratio), 0.0).sum(axis=1) + rarity
        return [
            Sound(states[k], window[chosen[k]], float(value[k]), float(reach_s[k]))
            for k in np.flatnonzero((value > 0.0) & (chosen.sum(axis=1) > 1)).tolist()
        ]


def _best_of_each(ratio: Array, edges: Indices, sizes: Indices) -> Mask:
    """Which arrivals, ``(k, n)``, are likelier of the sound than of none, and the likeliest of their own unit's."""
    most = np.repeat(np.maximum.reduceat(ratio, edges, axis=1), sizes, axis=1)
    return np.asarray((ratio > 1.0) & (ratio == most))
