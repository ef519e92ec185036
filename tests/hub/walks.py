"""Walks through a city with known truth, seen where units are, misread now and then: ``python -m tests.hub.walks`` prints the score."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt
from parvis_contract import derived_id
from parvis_hub.consent.matching import Sighting, match
from parvis_hub.consent.route import seen_stretches, told
from parvis_hub.consent.walkways import Walkways

Array = npt.NDArray[np.float64]
START_S = 1_782_000_000.0


@dataclass
class Walk:
    """One walk: the names of the walkways taken, in order, and the sightings that there are of it."""

    taken: list[str]
    sightings: list[Sighting]


def make_walks(seed: int, *, side: int = 6, walks: int = 8, seen: float = 0.7, misreads: int = 3) -> tuple[Walkways, list[Walk]]:
    """A grid of streets, of which units see so large a share, and walks through it without turning back."""
    random = np.random.default_rng(seed)
    corners = {(i, j): np.array([70.0 * i, 70.0 * j]) + random.normal(0, 7, 2) for i in range(side) for j in range(side)}
    names: dict[frozenset[tuple[int, int]], str] = {}
    lines: dict[str, Array] = {}
    for (i, j), place in corners.items():
        for other in ((i + 1, j), (i, j + 1)):
            # Some streets are missing, as by a block or a quay.
            if other in corners and random.random() > 0.12:
                name = names[frozenset(((i, j), other))] = f"w{len(lines):03d}"
                lines[name] = np.array([place, corners[other]])
    covered = {name for name in lines if random.random() < seen}
    return Walkways(lines), [_walk(random, corners, names, covered, misreads) for _ in range(walks)]


def _walk(
    random: np.random.Generator,
    corners: dict[tuple[int, int], Array],
    names: dict[frozenset[tuple[int, int]], str],
    covered: set[str],
    misreads: int,
) -> Walk:
    around = {place: [other for other in corners if frozenset((place, other)) in names] for place in corners}
    steps = [list(corners)[int(random.integers(len(corners)))]]
    while len(steps) < 12:
        choices = [place for place in around[steps[-1]] if place not in steps[-2:]]
        if not choices:
            break
        steps.append(choices[int(random.integers(len(choices)))])
    taken, sightings, time_s = [], [], START_S + float(random.uniform(0, 600))
    pace_m_s = float(random.uniform(0.9, 1.7))
    for before, after in pairwise(steps):
        name = names[frozenset((before, after))]
        taken.append(name)
        origin, target = corners[before], corners[after]
        length_m, gone_m = float(np.hypot(*(target - origin))), 0.0
        own_m_s = pace_m_s * float(random.uniform(0.9, 1.1))
        while gone_m < length_m:
            if name in covered and random.random() < 0.9:
                sigma_m = float(random.uniform(0.4, 1.5))
                place = origin + (target - origin) * gone_m / length_m + random.normal(0, sigma_m, 2)
                sightings.append(_sighting(time_s, place, sigma_m))
            gone_m += own_m_s
            time_s += 1.0
    first_s, last_s = (sightings[k].time_s if sightings else START_S for k in (0, -1))
    wide_m = max(float(place.max()) for place in corners.values())
    sightings += [_sighting(float(random.uniform(first_s, last_s)), random.uniform(0, wide_m, 2), 1.0) for _ in range(misreads)]
    return Walk(taken, sightings)


def _sighting(time_s: float, place_m: Array, sigma_m: float) -> Sighting:
    x_m, y_m = map(float, place_m)
    return Sighting(derived_id(time_s, f"{x_m:.3f}", f"{y_m:.3f}"), time_s, x_m, y_m, sigma_m, 0.003)


@dataclass
class RouteScore:
    """Edges told, right, taken, and of those taken the ones that were seen, over some walks."""

    told: int = 0
    right: int = 0
    taken: int = 0
    found: int = 0

    def add(self, walk: Walk, names: list[str]) -> None:
        """Counts in order: an edge told is right as often as it was taken."""
        left = list(walk.taken)
        for name in names:
            self.told += 1
            if name in left:
                left.remove(name)
                self.right += 1
        seen_from, seen_to = _ends(walk, names)
        inner = walk.taken[seen_from : seen_to + 1]
        self.taken += len(inner)
        self.found += len(inner) - sum(1 for name in left if name in inner)

    @property
    def precision(self) -> float:
        return self.right / max(self.told, 1)

    @property
    def recall(self) -> float:
        """Of the edges from the first that was seen to the last: before and after nobody can know."""
        return self.found / max(self.taken, 1)


def _ends(walk: Walk, names: list[str]) -> tuple[int, int]:
    told_at = [k for k, name in enumerate(walk.taken) if name in names]
    return (told_at[0], told_at[-1]) if told_at else (0, -1)


def judge(seeds: range, **how: float) -> RouteScore:
    """Scores some cities."""
    score = RouteScore()
    for seed in seeds:
        walkways, walks = make_walks(seed, **how)  # type: ignore[arg-type]
        matched = [match(walk.sightings, walkways) for walk in walks]
        seen = seen_stretches(matched, walkways)
        for walk, way in zip(walks, matched, strict=True):
            segments = told(1, way, walkways, seen).segments
            score.add(walk, [name for name, _ in groupby(segment.walkway for segment in segments)])
    return score


def main() -> None:
    """Prints precision and recall of edges, by the share of the streets that is seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--cities", type=int, default=5)
    arguments = parser.parse_args()
    for seen in (1.0, 0.9, 0.8, 0.7, 0.5):
        score = judge(range(arguments.cities), seen=seen)
        sys.stdout.write(f"{seen:.0%} of the streets seen: edge precision {score.precision:.4f}, recall {score.recall:.4f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
