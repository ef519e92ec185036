"""Reports of one thing."""

from __future__ import annotations

import uuid
from bisect import insort

from .report import Order, Report


class Cluster:
    """Reports of one thing.

    Attributes:
        founder: The one that began first; the incident bears its name.
        reports: All, in order.
        name: The incident's, once it has been worked out.
    """

    __slots__ = ("founder", "name", "reports")

    def __init__(self, founder: Report) -> None:
        self.founder = founder
        self.name: uuid.UUID | None = None
        self.reports: list[Report] = []

    def add(self, report: Report) -> None:
        """Puts a report where it stands."""
        insort(self.reports, report, key=_order)

    def remove(self, report: Report) -> None:
        """Takes a report out."""
        self.reports.remove(report)


def _order(report: Report) -> Order:
    return report.order
