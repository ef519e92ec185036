"""Deals each unit's arrivals out among sounds, so that together they are explained best."""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
from scipy.optimize import linear_sum_assignment

from .evidence import MISSED_SHARE, Array, Evidence, Look, Mask, Sound, densities

#: A clock that is off by more than it says is so by this at most.
_LIE_S = 1.0
#: A unit whose clock is wrong is asked for sounds no farther than this share of what the farthest that heard it is.
_FARTHER = 1.2
#: What a clock's error is found to, from one arrival: a few milliseconds.
_OFFSET_SIGMA_S = 0.003
#: So often at most are sounds placed by their arrivals, and arrivals dealt out by the sounds' places.
_ROUNDS = 3

#: Which sound, and which of a unit's arrivals.
_Pairs = list[tuple[int, int]]


def deal(evidence: Evidence, sounds: list[Sound], than: float = -np.inf) -> tuple[list[Sound], float]:
    """Deals each unit's arrivals out among some sounds; the rest are alone.

    Args:
        evidence: The arrivals.
        sounds: Where to begin.
        than: What is no better than this when dealt out once is left as it is.

    Returns:
        The sounds, placed again, and how much better than strangers they explain everything, as a logarithm.
    """
    total = 0.0
    for _ in range(_ROUNDS):
        if not sounds:
            return sounds, 0.0
        again, total = _Round(evidence, sounds).dealt()
        settled = [each.members.tolist() for each in again] == [each.members.tolist() for each in sounds]
        sounds = again
        if settled or total <= than:
            break
    return sounds, total


class _Round:
    """All arrivals beside some sounds where they are."""

    def __init__(self, evidence: Evidence, sounds: list[Sound]) -> None:
        self._evidence = evidence
        self._states = np.array([sound.state for sound in sounds])
        self._look = evidence.look(self._states, slice(None))
        self._gain = np.log(self._look.ratio)
        reach_s = np.array([sound.reach_s for sound in sounds])[:, None]
        self._audible = self._look.travel_s <= _FARTHER * reach_s
        # What a unit would have missed, if none of its arrivals were of a sound that others farther away heard.
        self._heard_too = np.where(self._look.travel_s <= reach_s, -log(MISSED_SHARE), 0.0)

    def dealt(self) -> tuple[list[Sound], float]:
        """The sounds with what each unit heard of them, placed by that, and what they are worth."""
        evidence = self._evidence
        worth = np.maximum(self._gain + self._heard_too, 0.0)
        members = np.zeros(worth.shape, dtype=bool)
        stranger = (-np.add.reduceat(evidence.log_other, evidence.edges)).tolist()
        likeliest, most = worth.argmax(axis=0).tolist(), worth.max(axis=0).tolist()
        total = 0.0
        for unit, (since, until) in enumerate(zip(evidence.edges.tolist(), evidence.ends.tolist(), strict=True)):
            pairs = [(likeliest[column], column - since) for column in range(since, until) if most[column] > 0.0]
            value = sum(most[since:until])
            if len({row for row, _ in pairs}) < len(pairs):
                value, pairs = _assigned(worth[:, since:until])
            if len(pairs) < until - since or value < stranger[unit]:
                value, pairs = self._shifted(slice(since, until), value, pairs)
            total += value
            for row, column in pairs:
                members[row, since + column] = True
        return self._placed(members, total)

    def _shifted(self, own: slice, value: float, pairs: _Pairs) -> tuple[float, _Pairs]:
        """What a unit heard, if its clock is wrong by the same for all of it; as it was where that explains it no better."""
        evidence, late_s, audible = self._evidence, self._look.late_s[:, own], self._audible[:, own]
        sigma_s = float(evidence.sigma_s[own.start])
        offsets_s = np.unique(late_s[(np.abs(late_s) <= max(_LIE_S, 3.0 * sigma_s)) & audible])
        if not len(offsets_s):
            return value, pairs
        stated = np.exp(-0.5 * (offsets_s / sigma_s) ** 2) / (sqrt(2.0 * pi) * sigma_s)
        lie = np.where(np.abs(offsets_s) <= _LIE_S, evidence.lie_share[own.start] / (2.0 * _LIE_S), 0.0)
        prior = np.log(np.maximum((stated + lie) * sqrt(2.0 * pi) * _OFFSET_SIGMA_S, 1e-300))
        explained = np.log(densities(late_s - offsets_s[:, None, None], _OFFSET_SIGMA_S**2)[1]) - evidence.log_other[own]
        worth = np.maximum(np.where(audible, explained + self._heard_too[:, own], 0.0), 0.0)
        # As if one sound could be heard twice: what that leaves behind the best need not be looked at.
        at_most = worth.max(axis=1).sum(axis=1) + prior
        for k in np.argsort(-at_most, kind="stable").tolist():
            if at_most[k] <= value + 1e-9:
                break
            other, other_pairs = _assigned(worth[k])
            if other + prior[k] > value + 1e-9:
                value, pairs = other + float(prior[k]), other_pairs
        return value, pairs

    def _placed(self, members: Mask, total: float) -> tuple[list[Sound], float]:
        """Sounds of two arrivals and more, each a step nearer to where these say that it was."""
        enough = members.sum(axis=1) > 1
        if not enough.any():
            return [], total
        members, states, look = members[enough], self._states[enough], Look(*(each[enough] for each in self._look))
        states, information = self._evidence.step(states, states, slice(None), look, np.where(members, look.trust, 0.0))
        rarity, reach_s = self._evidence.rarity(states, members, information)
        value = np.where(members, np.maximum(self._gain[enough], 0.0), 0.0).sum(axis=1) + rarity
        found = [Sound(states[k], np.flatnonzero(members[k]), float(value[k]), float(reach_s[k])) for k in range(len(states))]
        return found, total + float(rarity.sum())


def _assigned(worth: Array) -> tuple[float, _Pairs]:
    """The assignment of columns to rows that is worth most, and what it is worth; what is worth nothing is left out."""
    rows, columns = (each.tolist() for each in linear_sum_assignment(-worth))
    pairs = [(row, column) for row, column in zip(rows, columns, strict=True) if worth[row, column] > 0.0]
    return float(sum(worth[pair] for pair in pairs)), pairs
