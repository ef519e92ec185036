"""Tags and the ranges of an allowlist: the same tags, in the fewest ranges."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_hub.consent.allowlist import MOST_RANGES, parse_tags, ranges

TAGS = st.frozensets(st.integers(0, 586), max_size=14) | st.builds(
    lambda a, b: frozenset(range(a, a + b)), st.integers(0, 500), st.integers(0, 86)
)


@given(TAGS)
def test_ranges_hold_the_tags_and_no_other_and_leave_a_gap_between_them(tags: frozenset[int]) -> None:
    spans = ranges(tags)
    assert [tag for span in spans for tag in range(span.first, span.last + 1)] == sorted(tags)
    assert all(later.first > earlier.last + 1 for earlier, later in itertools.pairwise(spans))
    if tags:
        assert parse_tags(",".join(f"{span.first}-{span.last}" for span in spans)) == tags


def test_more_ranges_than_a_command_holds_are_refused() -> None:
    assert len(ranges(range(0, 2 * MOST_RANGES, 2))) == MOST_RANGES
    with pytest.raises(ValueError, match="follow each other"):
        ranges(range(0, 2 * MOST_RANGES + 2, 2))


@pytest.mark.parametrize("text", ["", "587", "3-2", "-1", "1,,2", "a", "1-2-3", "٣", "1-٣"])
def test_what_is_no_list_of_tags_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="such as 1-30"):
        parse_tags(text)
