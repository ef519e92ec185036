"""Which of some impulses were one sound: by the places and times of origin that together explain best when they were heard.

The best sound is found (:mod:`.seeking`) and its arrivals taken away, until none is left that explains two; then each unit's arrivals
are dealt out again among all the sounds that were found (:mod:`.dealing`), and the sounds placed again. Sounds that were missed are
sought from where the surest ones were, and from what is explained poorly. What that is worth says :mod:`.evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np

from .dealing import deal
from .evidence import Evidence, Heard, Indices, Sound
from .seeking import Seeker

__all__ = ["Explained", "Heard", "explain"]

#: A sound of no more arrivals than this may be none; one that explains less than this share of what the best does may be mixed.
_WEAK, _GOOD_SHARE = 4, 0.7
#: So many arrivals explained poorly may be a sound that was missed; one that explains everything better by so much is one.
_POOR, _BETTER = 3, 1e-6
#: So often at most is a missed sound sought.
_MISSED = 8
#: What is spared by one sound less is no more than this: that there is one at all.
_SPARED = 20.0
#: From so many places at most, the surest first, all that was fired is sought; so near each other places are one, and sounds from there.
_PLACES, _ONE_PLACE_M, _ONE_SOUND_S = 2, 10.0, 0.01


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
    order = sorted(range(len(heard)), key=lambda index: (heard[index].unit, index))
    evidence = Evidence([heard[index] for index in order], sound_m_s)
    found: list[Explained] = []
    of: dict[int, list[int]] = {}
    for sound in _explained(evidence):
        members = [order[index] for index in sound.members.tolist()]
        found.append(Explained(members, *(float(value) for value in sound.state)))
        of |= dict.fromkeys(members, members)
    echo_of = {order[index]: order[before] for index, before in enumerate(evidence.echo_of.tolist()) if before >= 0}
    for index, each in enumerate(heard):
        if index in of:
            continue
        group = of.get(echo_of.get(index, -1))
        if group is None:
            group = []
            found.append(Explained(group, each.east_m, each.north_m, None))
        group.append(index)
        of[index] = group
    for explained in found:
        explained.members.sort()
    return found


def _explained(evidence: Evidence) -> list[Sound]:
    """The sounds that explain everything best, as far as is found by taking weak ones back and seeking again."""
    seeker = Seeker(evidence)
    sounds, value = deal(evidence, seeker.sought(np.arange(len(evidence.time_s)), []))
    # A few wrong clocks look like a sound of their own.
    weak = sorted((sound for sound in sounds if len(sound.members) <= _WEAK), key=lambda sound: len(sound.members))
    sounds, value = _thinned(evidence, sounds, value, weak)
    sounds, value = _fired_again(evidence, seeker, sounds, value)
    # Sounds mixed of several explain their arrivals worse than a true one does, and fewer of them.
    typical = max((sound.value for sound in sounds), default=0.0)
    good = [sound for sound in sounds if sound.value > _GOOD_SHARE * typical]
    if len(good) < len(sounds):
        again, other = deal(evidence, good + seeker.sought(_left(evidence, good), good), value)
        if other > value:
            sounds, value = again, other
    # One that was missed leaves arrivals that the others explain poorly; found, it may show that another is none.
    for _ in range(_MISSED):
        poor = _poor(evidence, sounds)
        if len(poor) < _POOR or (born := seeker.born(poor, sounds)) is None:
            break
        again, other = deal(evidence, [*sounds, born])
        again, other = _thinned(evidence, again, other, sorted(again, key=lambda sound: sound.value))
        if other <= value + _BETTER:
            break
        sounds, value = again, other
    return sounds


def _fired_again(evidence: Evidence, seeker: Seeker, sounds: list[Sound], value: float) -> tuple[list[Sound], float]:
    """Sounds, and what they are worth, with those that were missed from where one was: who fires once fires again.

    One shot's arrivals can be mixed with the next one's to a sound that never was, far away; a place that one shot made sure shows the
    others.
    """
    looked_at: list[Sound] = []
    for _ in range(_PLACES):
        surest = sorted(sounds, key=lambda sound: -sound.value)
        here = next((sound for sound in surest if not any(_apart_m(sound, other) < _ONE_PLACE_M for other in looked_at)), None)
        if here is None or len(sounds) < 2 or len(_poor(evidence, sounds)) < _POOR:
            break
        looked_at.append(here)
        missed = [sound for sound in seeker.fired(here.state[:2]) if not any(_are_one(sound, other) for other in sounds)]
        if not missed:
            continue
        again, other = deal(evidence, [*sounds, *missed], value - _SPARED * len(missed))
        if other <= value - _SPARED * len(missed):
            continue
        again, other = _thinned(evidence, again, other, sorted(again, key=lambda sound: sound.value))
        if other > value + _BETTER:
            sounds, value = again, other
    return sounds, value


def _apart_m(one: Sound, other: Sound) -> float:
    return hypot(one.state[0] - other.state[0], one.state[1] - other.state[1])


def _are_one(one: Sound, other: Sound) -> bool:
    return abs(one.state[2] - other.state[2]) < _ONE_SOUND_S and _apart_m(one, other) < _ONE_PLACE_M


def _thinned(evidence: Evidence, sounds: list[Sound], value: float, doubtful: Sequence[Sound]) -> tuple[list[Sound], float]:
    """Sounds, and what they are worth, less those of the doubtful without which everything is explained better."""
    for each in doubtful:
        rest = [sound for sound in sounds if sound.members[0] != each.members[0]]
        fewer, other = deal(evidence, rest, value)
        if other > value:
            sounds, value = fewer, other
    return sounds, value


def _left(evidence: Evidence, sounds: Sequence[Sound]) -> Indices:
    """The arrivals that are of none of some sounds."""
    left = np.ones(len(evidence.time_s), dtype=bool)
    for sound in sounds:
        left[sound.members] = False
    return np.flatnonzero(left)


def _poor(evidence: Evidence, sounds: Sequence[Sound]) -> Indices:
    """The arrivals that are no sound's, or no direct ones."""
    poor = np.ones(len(evidence.time_s), dtype=bool)
    for sound in sounds:
        poor[sound.members] = evidence.look(sound.state[None], sound.members).trust[0] < 0.5
    return np.flatnonzero(poor)
