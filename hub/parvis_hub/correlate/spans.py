"""Spans of event time: which are together, which are not in others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

#: From a time until before another, microseconds since 1970.
Span = tuple[int, int]
#: Spans by the event type that they are of.
Spans = Mapping[str, Sequence[Span]]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same times in as few spans as there can be, in order."""
    whole: list[Span] = []
    for since, until in sorted(spans):
        if whole and since <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(whole[-1][1], until)
        else:
            whole.append((since, until))
    return whole


def without(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What of some spans is in none of others."""
    left = list(spans)
    for since, until in others:
        left = [part for first, last in left for part in ((first, min(last, since)), (max(first, until), last)) if part[0] < part[1]]
    return left


def common(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What of some spans is in others, too."""
    return merged((max(a, c), min(b, d)) for a, b in spans for c, d in others if max(a, c) < min(b, d))
