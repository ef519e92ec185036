"""From a walk on the network to the route that is told: what was seen, what must have been taken, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TypeVar

from parvis_contract import MAX_LARGE_BYTES, RefusedSighting, Route, RouteSegment, to_datetime

from .matching import BRISK_M_S, Matched, Sighting, Walk, match, pace_m_s, slack_m
from .walkways import Spot, Walkways, Way

#: Who passes where units see is seen so often, away from the stretch's ends: then no pass goes unseen by mere chance (Poisson: 1 in 150).
_SEEN_OFTEN = 5
#: Not to have been seen there says something only where no more than this share of those who pass is missed.
_MISSED_SHARE = 1.0 / 10.0
#: A stretch entered and left by the same end, less deep than this, is the noise of a place near its junction.
_SPUR_M = 4.0
#: A sighting accounts for the time to the next one, but for no longer than this: a dozen steps.
_ACCOUNTS_FOR_S = 10.0
#: Of the contract: the longest lists that a route may have, and what its message has around them.
_MOST_SEGMENTS, _MOST_REFUSED, _AROUND_BYTES = 800, 1_000, 1_024

Item = TypeVar("Item", RouteSegment, RefusedSighting)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the walk on one stretch.

    Attributes:
        stretch: Its number.
        from_m, to_m: Where it begins and ends, along the stretch.
        low_m, high_m: How far it reached, for a walker who turned round.
        entered_s, left_s: When.
        observed: A sighting was on it.
        sigma_m: The largest of its sightings'.
        inside: How many steps begin or end on it, away from its junctions: two for each sighting there.
    """

    stretch: int
    from_m: float
    to_m: float
    low_m: float
    high_m: float
    entered_s: float
    left_s: float
    observed: bool
    sigma_m: float = 0.0
    inside: int = 0


def seen_stretches(walks: Collection[Walk], walkways: Walkways) -> frozenset[int]:
    """The stretches on which units see tags, if who walks there unseen is the exception; none if it is not, or not known to be.

    Whoever can only have passed one of them, and was not seen there, was missed. Of those who were seen count the ones who would have been
    known to be missed.
    """
    sightings: Counter[int] = Counter()
    passes: Counter[int] = Counter()
    for walk in walks:
        inside = [matched.spot.stretch for matched in walk.spots if _is_inside(matched, walkways)]
        sightings.update(inside)
        passes.update(stretch for stretch, _ in groupby(inside))
    often = frozenset(stretch for stretch, count in sightings.items() if count >= _SEEN_OFTEN * passes[stretch])
    missed = seen = 0
    for walk in walks:
        fastest_m_s = _fastest_m_s(walk.spots, walkways)
        for before, after in pairwise(walk.spots):
            way, closed, _ = _way(before, after, walkways, often, fastest_m_s)
            missed += not closed and any(
                stretch in often for stretch, _, _ in _marks(before.spot, after.spot, way.junctions, walkways)[1:-1]
            )
        seen += sum(_would_be_missed(*each, walkways, fastest_m_s) for each in _passes(walk, walkways) if each[1] in often)
    # Of some that were seen, the next is missed as often as the rule of succession says.
    return often if missed + 1 <= _MISSED_SHARE * (missed + seen + 2) else frozenset()


def _passes(walk: Walk, walkways: Walkways) -> Iterator[tuple[Matched, int, Matched]]:
    """Stretches that were passed in view, each with the sightings before and after it on others."""
    inside = [matched for matched in walk.spots if _is_inside(matched, walkways)]
    runs = [list(run) for _, run in groupby(inside, key=lambda matched: matched.spot.stretch)]
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        yield before[-1], run[0].spot.stretch, after[0]


def _would_be_missed(before: Matched, stretch: int, after: Matched, walkways: Walkways, fastest_m_s: float) -> bool:
    """Whether one who was not seen on a stretch would be known to have passed it, there being no other way in the time."""
    reach_m = fastest_m_s * (after.sighting.time_s - before.sighting.time_s) + slack_m(before.sighting, after.sighting)
    around = walkways.between(before.spot, after.spot, without=frozenset((stretch,)))
    return around is None or around.length_m > reach_m


def route(tag: int, sightings: Sequence[Sighting], walkways: Walkways) -> Route:
    """Reconstructs the route of one tag from its own sightings alone.

    Args:
        tag: Its number.
        sightings: All of it, in any order.
        walkways: Of the site.

    Returns:
        As :func:`told`.
    """
    walk = match(sightings, walkways)
    return told(tag, walk, walkways, seen_stretches([walk], walkways))


def told(tag: int, walk: Walk, walkways: Walkways, seen: frozenset[int]) -> Route:
    """The route that a walk is.

    Args:
        tag: Its number.
        walk: Its sightings, as they were matched.
        walkways: Of the site.
        seen: Stretches on which units see tags.

    Returns:
        Walkways in order of travel. One that nobody saw is in it only if every way that could be walked in the time takes it. A way
        through stretches that are seen, and on which the tag was not, counts only where there is no other. Of more than fit in one
        message, the newest.
    """
    pieces = _without_spurs(_joined(_pieces(walk.spots, walkways, seen)), walkways)
    segments: list[RouteSegment] = []
    for piece in pieces:
        name = walkways.stretches[piece.stretch].walkway
        entered, left = to_datetime(piece.entered_s), to_datetime(max(piece.left_s, piece.entered_s))
        last = segments[-1] if segments else None
        if (
            last is not None
            and last.walkway == name
            and last.observed == piece.observed
            and abs((entered - last.left).total_seconds()) < 1e-3
        ):
            segments[-1] = last.model_copy(update={"left": max(left, last.left)})
        else:
            segments.append(RouteSegment(walkway=name, entered=entered, left=left, observed=piece.observed))
    refused = [RefusedSighting(id=sighting.id, reason=reason) for sighting, reason in walk.refused]
    kept, left_bytes = _newest(segments, _MOST_SEGMENTS, MAX_LARGE_BYTES - _AROUND_BYTES)
    return Route(tag=tag, coverage=_coverage(walk), segments=kept, refused=_newest(refused, _MOST_REFUSED, left_bytes)[0])


def _newest(items: Sequence[Item], most: int, within_bytes: int) -> tuple[tuple[Item, ...], int]:
    """The last of them that fit, and how many bytes they leave."""
    kept: list[Item] = []
    for item in reversed(items):
        left_bytes = within_bytes - len(item.model_dump_json()) - 1
        if left_bytes < 0 or len(kept) == most:
            break
        kept.append(item)
        within_bytes = left_bytes
    return tuple(reversed(kept)), within_bytes


def _coverage(walk: Walk) -> float:
    """Share of the time between the first and the last sighting for which sightings account."""
    times_s = sorted([matched.sighting.time_s for matched in walk.spots] + [sighting.time_s for sighting in walk.about])
    if not times_s:
        return 0.0
    total_s = times_s[-1] - times_s[0]
    seen_s = sum(min(after - before, _ACCOUNTS_FOR_S) for before, after in pairwise(times_s))
    return round(seen_s / total_s, 4) if total_s > 0.0 else 1.0


def _fastest_m_s(walk: list[Matched], walkways: Walkways) -> float:
    """How fast this walker may have gone where nobody saw: at their pace, or as fast as they must have gone."""
    fastest_m_s = pace_m_s(walk, walkways)
    for before, after in pairwise(walk):
        elapsed_s = after.sighting.time_s - before.sighting.time_s
        if elapsed_s > 5.0 and (way := walkways.between(before.spot, after.spot)) is not None:
            fastest_m_s = max(fastest_m_s, 1.1 * (way.length_m - slack_m(before.sighting, after.sighting)) / elapsed_s)
    return fastest_m_s


def _pieces(walk: list[Matched], walkways: Walkways, seen: frozenset[int]) -> list[_Piece]:
    fastest_m_s = _fastest_m_s(walk, walkways)
    pieces: list[_Piece] = []
    for index, matched in enumerate(walk):
        if index == 0:
            time_s, along_m = matched.sighting.time_s, matched.spot.along_m
            pieces.append(
                _Piece(
                    matched.spot.stretch,
                    along_m,
                    along_m,
                    along_m,
                    along_m,
                    time_s,
                    time_s,
                    observed=True,
                    sigma_m=matched.sighting.sigma_m,
                )
            )
        else:
            pieces += _leg(walk[index - 1], matched, walkways, seen, fastest_m_s)
    return pieces


def _leg(before: Matched, after: Matched, walkways: Walkways, seen: frozenset[int], fastest_m_s: float) -> list[_Piece]:
    """What is known of the way between two sightings that follow each other."""
    start_s, end_s = before.sighting.time_s, after.sighting.time_s
    way, closed, reach_m = _way(before, after, walkways, seen, fastest_m_s)
    marks = _marks(before.spot, after.spot, way.junctions, walkways)
    pieces, gone_m = [], 0.0
    for number, (stretch, from_m, to_m) in enumerate(marks):
        at_s = [start_s + (end_s - start_s) * min(1.0, part / max(way.length_m, 1e-9)) for part in (gone_m, gone_m + abs(to_m - from_m))]
        gone_m += abs(to_m - from_m)
        here = [matched for matched, index in ((before, 0), (after, len(marks) - 1)) if index == number]
        sigma_m = max((matched.sighting.sigma_m for matched in here), default=0.0)
        inside = sum(_is_inside(matched, walkways) for matched in here)
        observed = inside > 0
        if not observed:
            around = walkways.between(before.spot, after.spot, without=closed | {stretch}, touching_m=_margin_m(sigma_m))
            if around is not None and around.length_m <= reach_m:
                continue
            # A stretch too short to have an inside is observed if a sighting lies on it and no other way was possible.
            observed = bool(here) and walkways.stretches[stretch].length_m < 2.5 * _margin_m(sigma_m)
        pieces.append(_Piece(stretch, from_m, to_m, min(from_m, to_m), max(from_m, to_m), at_s[0], at_s[1], observed, sigma_m, inside))
    return pieces


def _way(
    before: Matched, after: Matched, walkways: Walkways, seen: frozenset[int], fastest_m_s: float
) -> tuple[Way, frozenset[int], float]:
    """The shortest way past where units see, and those stretches; or the shortest of all, and none. And how long a way can be."""
    reach_m = fastest_m_s * (after.sighting.time_s - before.sighting.time_s) + slack_m(before.sighting, after.sighting)
    closed = seen - {before.spot.stretch, after.spot.stretch}
    way = walkways.between(before.spot, after.spot, without=closed)
    if way is None or way.length_m > reach_m:
        closed, way = frozenset(), walkways.between(before.spot, after.spot)
    assert way is not None  # noqa: S101 - the walk took it
    return way, closed, max(reach_m, way.length_m)


def _margin_m(sigma_m: float) -> float:
    return max(_SPUR_M, 3.0 * sigma_m)


def _is_inside(matched: Matched, walkways: Walkways) -> bool:
    """Whether a sighting can only have been on its own stretch, being away from both its junctions."""
    margin_m = _margin_m(matched.sighting.sigma_m)
    return margin_m < matched.spot.along_m < walkways.stretches[matched.spot.stretch].length_m - margin_m


def _marks(origin: Spot, target: Spot, junctions: tuple[int, ...], walkways: Walkways) -> list[tuple[int, float, float]]:
    """A way as stretches with where it enters and leaves each, in metres along it."""
    if not junctions:
        return [(origin.stretch, origin.along_m, target.along_m)]
    marks = [(origin.stretch, origin.along_m, _along(origin.stretch, junctions[0], origin.along_m, walkways))]
    for start, end in pairwise(junctions):
        stretch = walkways.stretch_between(start, end)
        forward = walkways.stretches[stretch].start == start
        length_m = walkways.stretches[stretch].length_m
        marks.append((stretch, 0.0 if forward else length_m, length_m if forward else 0.0))
    marks.append((target.stretch, _along(target.stretch, junctions[-1], target.along_m, walkways), target.along_m))
    return marks


def _along(stretch: int, junction: int, near_m: float, walkways: Walkways) -> float:
    """Where a junction is on a stretch; of a loop, the end that is nearer."""
    here = walkways.stretches[stretch]
    if here.start == here.end:
        return 0.0 if near_m < here.length_m / 2.0 else here.length_m
    return 0.0 if here.start == junction else here.length_m


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    """Pieces that go on along the same stretch, as one."""
    joined: list[_Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and last.stretch == piece.stretch and abs(last.to_m - piece.from_m) < 1e-6:
            joined[-1] = replace(
                last,
                to_m=piece.to_m,
                low_m=min(last.low_m, piece.low_m),
                high_m=max(last.high_m, piece.high_m),
                left_s=piece.left_s,
                observed=last.observed or piece.observed,
                sigma_m=max(last.sigma_m, piece.sigma_m),
                inside=last.inside + piece.inside,
            )
        else:
            joined.append(piece)
    return joined


def _without_spurs(pieces: list[_Piece], walkways: Walkways) -> list[_Piece]:
    """Leaves out stretches that were only touched: a place beside a junction lies on each of its stretches, and on none for sure."""
    kept: list[_Piece] = []
    for number, piece in enumerate(pieces):
        length_m = walkways.stretches[piece.stretch].length_m
        margin_m = _margin_m(piece.sigma_m)
        through = piece.low_m < margin_m and piece.high_m > length_m - margin_m
        # Away from both junctions a place can only be on this stretch; at the walk's ends that is all there is to go by.
        away = piece.high_m > margin_m and piece.low_m < length_m - margin_m
        depth_m = piece.high_m - piece.low_m
        # And there and back on the word of one sighting, sooner than one walks, is a misread number.
        walked = piece.inside > 2 or 2.0 * depth_m <= BRISK_M_S * (piece.left_s - piece.entered_s)
        deep = (depth_m > margin_m and walked) or number in (0, len(pieces) - 1)
        if not piece.observed or through or (away and deep) or len(pieces) == 1:
            kept.append(piece)
    return kept
