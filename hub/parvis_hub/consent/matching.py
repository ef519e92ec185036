"""Which spot of the network each sighting of one tag was, and which sightings cannot be of one walker.

A hidden Markov model (Newson and Krumm 2009): the hidden state is the spot, a sighting its noisy observation, and one goes from spot
to spot along the network. Their model is widened by one choice: a sighting may be left out, at a price, since a misread number or a
second tag with the same number puts one walker into two places at once.
"""

from __future__ import annotations

import math
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from parvis_contract import SightingRefusal

from .walkways import Spot, Walkways

#: Nobody on foot is faster for longer than a second or two; service vehicles in a crowd are not either.
FASTEST_M_S = 3.5
#: A brisk walker, for want of a pace that was seen. Weidmann (1993): 1.34 m/s with a deviation of 0.26.
BRISK_M_S = 2.0
#: One who was seen to walk goes by so much faster where nobody sees him, at most: one person's pace varies less than people's do.
_HURRY = 1.35
#: A pace is measured over so many seconds, and so often, before it is believed.
_PACE_S, _PACES = (10.0, 20.0), 5
#: A walkway is drawn along its middle: this far from it still is on it.
_HALF_WIDTH_M = 4.0
#: How much longer than the straight line a way may be, per unit of log-probability. Newson and Krumm's beta, for steps of seconds; over a
#: longer time, half of what one walks in it: streets do not lead straight to where one is seen again.
_DETOUR_M, _DETOUR_M_S = 15.0, 0.65
#: Leaving one sighting out costs as much as an observation 3.2 sigma off, or a detour of 75 m.
_LEAVE_OUT = 5.0
#: A place and a minute, within which readings say much the same: a tag that was lost in view is read without end.
_CELL_M, _CELL_S = 10.0, 60.0
#: Before the last few sightings, the newest on so long a piece of a street stands for all on it.
_LOOK_BACK, _PIECE_M = 12, 10.0
_SIGMAS = 4.0
#: A place less sure than this lies on the next street as well: three sigma reach across half a block. A unit without calibration tells its
#: own place and its range, which is of this kind.
_VAGUE_M = 12.0
#: Readings no farther apart are of one pass; whoever is read so often on most passes is not read but once on another.
_AT_ONCE_S, _OFTEN = 5.0, 8
#: Who is seen in two places within so many seconds is two.
_SAME_TIME_S = 2.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """A sighting of the tag.

    Attributes:
        id: Of its message.
        time_s: POSIX.
        x_m, y_m: In the site's local plane.
        sigma_m: 1-sigma of the place.
        clock_s: 1-sigma of the time.
    """

    id: uuid.UUID
    time_s: float
    x_m: float
    y_m: float
    sigma_m: float
    clock_s: float


@dataclass(frozen=True, slots=True)
class Matched:
    """A sighting on its spot."""

    sighting: Sighting
    spot: Spot


@dataclass(frozen=True, slots=True)
class Walk:
    """What the sightings of one tag are.

    Attributes:
        spots: Those that are of the walk and tell a spot, in order of time.
        about: Those that are of the walk, but only say that its tag was thereabouts, in order of time.
        refused: All others, each with the reason, in order of time.
    """

    spots: list[Matched]
    about: list[Sighting]
    refused: list[tuple[Sighting, SightingRefusal]]


Seen = list[tuple[Sighting, list[tuple[Spot, float]]]]


def slack_m(first: Sighting, second: Sighting) -> float:
    """How much farther apart two sightings may seem than the walker went: places and clocks at 3 sigma."""
    place_m = math.hypot(first.sigma_m, second.sigma_m)
    clock_s = math.hypot(first.clock_s, second.clock_s)
    return 3.0 * (place_m + clock_s * FASTEST_M_S) + _HALF_WIDTH_M


def match(sightings: Sequence[Sighting], walkways: Walkways) -> Walk:
    """Finds the most probable walk.

    Args:
        sightings: Of one tag, in any order; duplicates already removed.
        walkways: Of the site.
    """
    refused: list[tuple[Sighting, SightingRefusal]] = []
    seen: Seen = []
    vague: list[Sighting] = []
    for sighting in sorted(sightings, key=_when):
        if sighting.sigma_m > _VAGUE_M:
            vague.append(sighting)
        elif spots := walkways.near(sighting.x_m, sighting.y_m, _HALF_WIDTH_M + _SIGMAS * sighting.sigma_m):
            seen.append((sighting, spots))
        else:
            refused.append((sighting, SightingRefusal.OFF_NETWORK))
    walk = _best_walk(seen, walkways, FASTEST_M_S)
    # One who was seen to walk did not run where nobody saw: a second tag of that number, far off, can be told by that.
    own_m_s = pace_m_s(walk, walkways)
    if any(
        _step(one.sighting, one.spot, next_.sighting, next_.spot, walkways, fastest_m_s=own_m_s) is None for one, next_ in pairwise(walk)
    ):
        walk = _best_walk(seen, walkways, own_m_s)
    kept = {matched.sighting.id for matched in walk}
    refused += [(sighting, _why(sighting, spots[0][0], walk, walkways)) for sighting, spots in seen if sighting.id not in kept]
    walk, about = _without_lone(walk)
    for sighting in vague:
        reason = _why_not_about(sighting, walk)
        if reason is None:
            about.append(sighting)
        else:
            refused.append((sighting, reason))
    return Walk(walk, sorted(about, key=_when), sorted(refused, key=lambda pair: _when(pair[0])))


def _without_lone(walk: list[Matched]) -> tuple[list[Matched], list[Sighting]]:
    """A walk without what was read but once, where the walker is read time and again; and that.

    It may be a misread number, in reach by chance: whoever passes where tags are read is read more often. So it says that the tag was
    thereabouts, and no walkway is told on its word alone.
    """
    runs: list[list[Matched]] = []
    for matched in walk:
        if runs and matched.sighting.time_s - runs[-1][-1].sighting.time_s <= _AT_ONCE_S:
            runs[-1].append(matched)
        else:
            runs.append([matched])
    if not runs or sorted(map(len, runs))[len(runs) // 2] < _OFTEN:
        return walk, []
    return [matched for run in runs if len(run) > 1 for matched in run], [run[0].sighting for run in runs if len(run) == 1]


def _when(sighting: Sighting) -> tuple[float, str]:
    return sighting.time_s, str(sighting.id)


def _best_walk(seen: Seen, walkways: Walkways, fastest_m_s: float) -> list[Matched]:
    """Viterbi, where the previous sighting may be one of long ago: a second tag of that number can be seen for long, and in turns."""
    scores: list[list[float]] = []
    # By sighting, the most that any up to it is ahead of who has left all of them out: how far back it is worth to look.
    ahead: list[float] = []
    # The newest on each piece of a street, the newest last: however long ago the walker was there.
    newest: dict[tuple[int, int], int] = {}
    previous: list[list[tuple[int, int] | None]] = []
    weights = _weights(seen)
    # What it costs to leave out all before each sighting.
    cost = [0.0]
    for index, (sighting, spots) in enumerate(seen):
        scores.append([])
        previous.append([])
        cost.append(cost[-1] + _LEAVE_OUT * weights[index])
        earlier = list(dict.fromkeys([*range(index - 1, max(index - _LOOK_BACK, 0) - 1, -1), *reversed(newest.values())]))
        for spot, distance_m in spots:
            off = max(distance_m - _HALF_WIDTH_M / 2.0, 0.0) / max(sighting.sigma_m, 0.5)
            best, came = _best_before(seen, scores, ahead, cost, earlier, spot, walkways, fastest_m_s=fastest_m_s)
            scores[index].append(best - 0.5 * weights[index] * off**2)
            previous[index].append(came)
        for spot, _ in spots:
            piece = spot.stretch, int(spot.along_m / _PIECE_M)
            newest.pop(piece, None)
            newest[piece] = index
        ahead.append(max([max(scores[index]) + cost[index + 1], *ahead[-1:]]))
    at: tuple[int, int] | None = None
    highest = float("-inf")
    for index, row in enumerate(scores):
        for k, score in enumerate(row):
            total = score - (cost[-1] - cost[index + 1])
            if total > highest:
                highest, at = total, (index, k)
    walk = []
    while at is not None:
        sighting, spots = seen[at[0]]
        walk.append(Matched(sighting, spots[at[1]][0]))
        at = previous[at[0]][at[1]]
    return walk[::-1]


def _weights(seen: Seen) -> list[float]:
    """What each sighting counts: many readings of one place within a minute say little more than few, and count as their number's root."""
    cells = [(int(each.x_m // _CELL_M), int(each.y_m // _CELL_M), int(each.time_s // _CELL_S)) for each, _ in seen]
    readings = Counter(cells)
    return [readings[cell] ** -0.5 for cell in cells]


def _best_before(  # noqa: PLR0917
    seen: Seen,
    scores: list[list[float]],
    ahead: list[float],
    cost: list[float],
    earlier: list[int],
    spot: Spot,
    walkways: Walkways,
    *,
    fastest_m_s: float,
) -> tuple[float, tuple[int, int] | None]:
    """The best score with which one comes to a spot, and from which sighting and spot; None: the walk begins here."""
    index = len(ahead)
    best, came = -cost[index], None
    for back in earlier:
        if ahead[back] - cost[index] <= best:
            break
        left_out = cost[index] - cost[back + 1]
        for k, (spot_before, _) in enumerate(seen[back][1]):
            if scores[back][k] - left_out <= best:
                continue
            step = _step(seen[back][0], spot_before, seen[index][0], spot, walkways, fastest_m_s=fastest_m_s)
            if step is not None and scores[back][k] - left_out + step > best:
                best, came = scores[back][k] - left_out + step, (back, k)
    return best, came


def _step(before: Sighting, spot_before: Spot, after: Sighting, spot: Spot, walkways: Walkways, *, fastest_m_s: float) -> float | None:
    """Log-probability of going from one spot to the next; None if it cannot be done in the time."""
    way = walkways.between(spot_before, spot)
    if way is None or way.length_m > fastest_m_s * (after.time_s - before.time_s) + slack_m(before, after):
        return None
    straight_m = math.hypot(before.x_m - after.x_m, before.y_m - after.y_m)
    return -abs(way.length_m - straight_m) / max(_DETOUR_M, _DETOUR_M_S * (after.time_s - before.time_s))


def pace_m_s(walk: list[Matched], walkways: Walkways) -> float:
    """How fast this walker may go where nobody sees: by the pace that was seen, or briskly where it was not seen enough."""
    paces, end = [], 0
    for start, before in enumerate(walk):
        while end < len(walk) and walk[end].sighting.time_s < before.sighting.time_s + _PACE_S[0]:
            end += 1
        if end == len(walk):
            break
        elapsed_s = walk[end].sighting.time_s - before.sighting.time_s
        # Over a gap nobody knows which way it was.
        together = all(
            later.sighting.time_s - earlier.sighting.time_s < _PACE_S[0] / 2 for earlier, later in pairwise(walk[start : end + 1])
        )
        way = walkways.between(before.spot, walk[end].spot) if together and elapsed_s <= _PACE_S[1] else None
        if way is not None:
            paces.append(way.length_m / elapsed_s)
    return min(FASTEST_M_S, _HURRY * sorted(paces)[int(0.75 * len(paces))]) if len(paces) >= _PACES else BRISK_M_S


def _why(sighting: Sighting, spot: Spot, walk: list[Matched], walkways: Walkways) -> SightingRefusal:
    """Why a sighting near the network is not of the walk."""
    around = [each for each in walk if abs(each.sighting.time_s - sighting.time_s) <= _SAME_TIME_S]
    if any(not _in_reach(each.sighting, sighting) for each in around):
        return SightingRefusal.DOUBLED_TAG
    earlier = [each for each in walk if each.sighting.time_s <= sighting.time_s]
    if earlier and walkways.between(earlier[-1].spot, spot) is None:
        return SightingRefusal.NOT_CONNECTED
    return SightingRefusal.TOO_FAR


def _why_not_about(sighting: Sighting, walk: list[Matched]) -> SightingRefusal | None:
    """Why a sighting that tells no spot is not of the walk; None if it may be."""
    after = bisect_left(walk, sighting.time_s, key=lambda each: each.sighting.time_s)
    beside = [each.sighting for each in walk[max(0, after - 1) : after + 1] if not _in_reach(each.sighting, sighting)]
    if not beside:
        return None
    at_once = any(abs(each.time_s - sighting.time_s) <= _SAME_TIME_S for each in beside)
    return SightingRefusal.DOUBLED_TAG if at_once else SightingRefusal.TOO_FAR


def _in_reach(first: Sighting, second: Sighting) -> bool:
    """Whether one walker can have been at both, as the crow flies."""
    apart_m = math.hypot(first.x_m - second.x_m, first.y_m - second.y_m)
    return apart_m <= FASTEST_M_S * abs(first.time_s - second.time_s) + slack_m(first, second)
