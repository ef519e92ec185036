"""From the tags of those who asked for a route to the ranges that a signed allowlist holds. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from parvis_contract import TagRange

#: A command fits into 1,024 bytes: so many ranges, and no more.
MOST_RANGES = 16
#: The last of AprilTag 36h11.
LAST_TAG = 586


def ranges(tags: Iterable[int]) -> tuple[TagRange, ...]:
    """The fewest ranges that hold these tags and no other.

    Raises:
        ValueError: They need more ranges than a command has room for.
    """
    spans: list[TagRange] = []
    for _, group in itertools.groupby(enumerate(sorted(set(tags))), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in group]
        spans.append(TagRange(first=numbers[0], last=numbers[-1]))
    if len(spans) > MOST_RANGES:
        raise ValueError(
            f"these tags are {len(spans)} ranges and a list holds {MOST_RANGES}; give out tags whose numbers follow each other"
        )
    return tuple(spans)


def parse_tags(text: str) -> frozenset[int]:
    """``1-30,42`` → the numbers.

    Raises:
        ValueError: It is not such a list.
    """
    tags: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        numeric = all(each.isascii() and each.isdigit() for each in (first, last or first))
        if not numeric or not int(first) <= int(last or first) <= LAST_TAG:
            raise ValueError(f"{text}: expected tags of 0 to {LAST_TAG}, such as 1-30 or 1,2,17")
        tags.update(range(int(first), int(last or first) + 1))
    return frozenset(tags)
