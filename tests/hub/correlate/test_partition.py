"""Grouping what reports say: never worse than all alone, by links only, and the same whichever of the choices are known already."""

from __future__ import annotations

import random
from itertools import combinations
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_hub.correlate.partition import Around, Group, in_order, jointly


class _Points:
    """Views on a line, in order; two of one unit are two things, and two far apart are as well."""

    def __init__(self, seed: int, count: int) -> None:
        rng = random.Random(seed)
        self.at_m = [rng.choice((0.0, 3.0, 9.0, 30.0)) + rng.gauss(0.0, 1.0) for _ in range(count)]
        self.units = [rng.choice("abcd") for _ in range(count)]
        self.links = [
            [other for other in range(count) if other != index and abs(self.at_m[other] - self.at_m[index]) < 6.0] for index in range(count)
        ]

    def worth(self, group: Group) -> float:
        """Three for each that is more than one thing says, less how far apart they are."""
        if len({self.units[index] for index in group}) < len(group):
            return -inf
        return 3.0 * max(0, len(group) - 1) - sum(abs(self.at_m[one] - self.at_m[other]) for one, other in combinations(group, 2)) / max(
            1, len(group) - 1
        )

    def joins(self, group: Group, index: int) -> float:
        """How much more a group is worth with one more."""
        return self.worth((*group, index)) - self.worth(group)


_points = st.builds(_Points, seed=st.integers(0, 10_000), count=st.integers(1, 14))


@settings(deadline=None)
@given(points=_points)
def test_each_is_in_one_group_and_no_single_move_gains(points: _Points) -> None:
    content = set[Around]()
    groups = jointly(points.units, points.links, points.worth, range(len(points.units)), content)
    assert sorted(index for group in groups for index in group) == list(range(len(points.units)))
    assert groups == sorted(groups)
    assert jointly(points.units, points.links, points.worth, range(len(points.units)), content) == groups, "what is remembered changes it"
    assert all(points.worth(group) >= 0.0 for group in groups)
    for home in groups:
        for index in home:
            rest = tuple(other for other in home if other != index)
            lost = points.worth(rest) - points.worth(home)
            assert lost <= 1e-6
            for target in groups:
                if target is not home and any(other in points.links[index] for other in target):
                    assert lost + points.worth(tuple(sorted((*target, index)))) - points.worth(target) <= 1e-6


def test_what_is_linked_with_nothing_is_alone() -> None:
    assert jointly("abc", [[1], [0], []], lambda group: float(len(group)), range(3), set()) == [(0, 1), (2,)]


def test_two_of_one_unit_change_places_where_both_gain_by_it() -> None:
    # The best pair is joined first, and leaves a poor one; no view alone may go elsewhere.
    worths = {(0, 3): 6.0, (1, 2): 2.0, (0, 2): 5.0, (1, 3): 5.0}

    def worth(group: Group) -> float:
        return 0.0 if len(group) < 2 else worths.get(group, -inf)

    assert jointly("aabb", [[2, 3], [2, 3], [0, 1], [0, 1]], worth, range(4), set()) == [(0, 2), (1, 3)]


@settings(deadline=None)
@given(points=_points, share=st.floats(0.0, 1.0))
def test_what_is_known_of_the_first_ones_makes_no_difference(points: _Points, share: float) -> None:
    groups, chosen = in_order(points.links, points.joins)
    assert sorted(index for group in groups for index in group) == list(range(len(points.units)))
    assert in_order(points.links, points.joins, chosen[: int(share * len(chosen))]) == (groups, chosen)
