"""Which of a unit's sequence numbers have come, and which are missing."""

from __future__ import annotations

from bisect import bisect_right

#: A unit whose numbers have more holes than this has lost its outbox; the oldest holes are then written off as one.
MAX_GAPS = 1_000


class Sequence:
    """The numbers received of one unit, kept as what is missing.

    Attributes:
        next: One more than the highest received; None before the first. What a unit sent before the hub knew it is not missing.
        gaps: Ranges of missing numbers, both ends included, ascending.
    """

    def __init__(self, next: int | None = None, gaps: list[tuple[int, int]] | None = None) -> None:
        self.next = next
        self.gaps = list(gaps or ())

    def take(self, number: int) -> bool:
        """Takes note of a number, one that has come before changes nothing; returns whether what is missing has changed."""
        if self.next is None or number == self.next:
            self.next = number + 1
            return False
        if number > self.next:
            self.gaps.append((self.next, number - 1))
            self.next = number + 1
            if len(self.gaps) > MAX_GAPS:
                self.gaps[:2] = [(self.gaps[0][0], self.gaps[1][1])]
            return True
        return self._fill(number)

    def _fill(self, number: int) -> bool:
        at = bisect_right(self.gaps, number, key=lambda gap: gap[0]) - 1
        if at < 0 or self.gaps[at][1] < number:
            return False
        first, last = self.gaps[at]
        self.gaps[at : at + 1] = [gap for gap in ((first, number - 1), (number + 1, last)) if gap[0] <= gap[1]]
        return True
