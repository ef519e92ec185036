"""The hub's counters for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from parvis_contract import EVENT_TYPES, RefusalReason, UnitState, Verdict
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from parvis_hub.fleet.endings import certificate_endings, repository_endings
from parvis_hub.store import Desk


class FleetCollector(Collector):
    """Reads when certificates and signatures end whenever it is asked.

    Args:
        desk: The hub's.
        now: The time.
        repository: Folder that units take models from; None for none.
    """

    def __init__(self, desk: Desk, now: Callable[[], datetime], repository: Path | None) -> None:
        self._desk, self._now, self._repository = desk, now, repository

    def collect(self) -> Iterator[Metric]:
        """Unix times: of the certificates that are in force, and of the repository's roles."""
        now = self._now()
        with self._desk.database.read() as connection:
            endings = certificate_endings(connection, now)
        certificates = GaugeMetricFamily(
            "parvis_hub_certificate_end_time_seconds",
            "When the certificate of a unit, or of somebody else that the broker lets in, ends; Unix time.",
            labels=["name", "kind"],
        )
        for (name, kind), ending in endings.items():
            if ending.until is not None and not ending.revoked:
                certificates.add_metric([name, kind.value], ending.until.timestamp())
        yield certificates
        signatures = GaugeMetricFamily(
            "parvis_hub_repository_end_time_seconds",
            "When what a role of the models' repository has signed ends; Unix time, 0 where it cannot be read.",
            labels=["role"],
        )
        for role, ending in repository_endings(self._repository, now).items() if self._repository else ():
            signatures.add_metric([role], ending.until.timestamp() if ending.until else 0.0)
        yield signatures


class DeskCollector(Collector):
    """Reads the desk whenever it is asked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        """The counters of the gate, the units by state, the open incidents."""
        counters = self._desk.counters()
        for name, value, words in (
            ("received", counters.received, "Messages that reached the hub."),
            ("stored", counters.stored, "Messages that were new and were kept."),
            ("duplicates", counters.duplicates, "Messages received before, and passed over."),
            ("too_late", counters.too_late, "Events older than the bounded lateness allows."),
        ):
            yield CounterMetricFamily(f"parvis_hub_{name}", words, value=value)
        refused = CounterMetricFamily("parvis_hub_refused", "Messages that were refused, by reason.", labels=["reason"])
        for reason in RefusalReason:
            refused.add_metric([reason.value], counters.refused.get(reason, 0))
        yield refused
        units = self._desk.units()
        states = Counter("silent" if unit.silent else unit.state.value if unit.state else "unknown" for unit in units)
        gauge = GaugeMetricFamily("parvis_hub_units", "Units of the site plan, by state.", labels=["state"])
        for state in (*(state.value for state in UnitState), "silent", "unknown"):
            gauge.add_metric([state], states[state])
        yield gauge
        open_ones = GaugeMetricFamily(
            "parvis_hub_open_incidents", "Open incidents, by type and by what a person has said of them.", labels=["type", "verdict"]
        )
        counted = self._desk.open_incidents()
        for name in EVENT_TYPES:
            for verdict in Verdict:
                open_ones.add_metric([name, verdict.value], counted.get((name, verdict), 0))
        yield open_ones
        missing = GaugeMetricFamily("parvis_hub_missing_messages", "Sequence numbers of a unit that were not received.", labels=["unit"])
        for unit in units:
            missing.add_metric([unit.name], unit.missing)
        yield missing
        clocks = GaugeMetricFamily(
            "parvis_hub_clock_off_seconds",
            "Units whose clock was found wrong by a located sound in the last day: by how much it is ahead of the others'.",
            labels=["unit"],
        )
        for unit in units:
            if unit.wrong_clock:
                clocks.add_metric([unit.name], unit.wrong_clock.off_s)
        yield clocks


def registry(desk: Desk, now: Callable[[], datetime], repository: Path | None) -> CollectorRegistry:
    """A registry of its own, so that two hubs in one process do not mix."""
    made = CollectorRegistry(auto_describe=False)
    made.register(DeskCollector(desk))
    made.register(FleetCollector(desk, now, repository))
    return made
