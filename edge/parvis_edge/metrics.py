"""How a unit is, for Prometheus: read when it is asked for, by whoever may reach the address. Counts and states; nothing of anybody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parvis_contract import Clock, StatusReason, StreamState, UnitState, UnitStatus
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from .delivery.deliverer import Deliverer
from .delivery.health import memory_bytes, temperature_c
from .delivery.outbox import Outbox, OutboxError
from .delivery.speech import Kept
from .perceive import Perceiver


@dataclass(frozen=True, slots=True)
class Vitals:
    """Where the figures come from.

    Attributes:
        perceivers: One for each sense.
        status: What the unit says of itself; None before it has said anything.
        said: How many messages were made, by type and phase.
        clock: What its times are worth.
        outbox, kept, deliverer: None where messages are printed.
    """

    perceivers: Sequence[Perceiver]
    status: Callable[[], UnitStatus | None]
    said: Mapping[tuple[str, str], int]
    clock: Callable[[], Clock]
    outbox: Outbox | None = None
    kept: Kept | None = None
    deliverer: Deliverer | None = None


class UnitCollector(Collector):
    """Reads a unit's vitals whenever it is asked."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._begun_s = time.time()

    def collect(self) -> Iterator[Metric]:
        """All there is to know."""
        yield _gauge("start_time_seconds", "When the program started, Unix time.", self._begun_s)
        yield from self._senses()
        yield from self._states()
        yield from self._delivery()
        yield from self._body()

    def _senses(self) -> Iterator[Metric]:
        counters: tuple[tuple[str, str, Callable[[Perceiver], int]], ...] = (
            ("captured_items", "Pictures, or blocks of a tenth of a second of sound, that came.", lambda each: each.feed.tally.items),
            ("analysed_items", "Runs of the model.", lambda each: each.analysed),
            ("dropped_items", "Pictures or blocks dropped because judging could not keep up.", lambda each: each.queue.dropped),
            ("unreadable_items", "Packets and pictures that could not be used.", lambda each: each.feed.tally.corrupt),
            ("gaps", "Jumps in the sound.", lambda each: each.feed.tally.gaps),
            ("source_openings", "How often the source was opened; all but the first after it was lost.", lambda each: each.feed.openings),
        )
        for name, words, of in counters:
            family = CounterMetricFamily(f"parvis_edge_{name}", words, labels=["sense"])
            for each in self._vitals.perceivers:
                family.add_metric([each.sense_name], of(each))
            yield family
        judging = HistogramMetricFamily(
            "parvis_edge_judging_seconds", "Time from one picture or block to what is judged of it, model included.", labels=["sense"]
        )
        age = GaugeMetricFamily("parvis_edge_last_item_age_seconds", "How long ago the last picture or block came.", labels=["sense"])
        for each in self._vitals.perceivers:
            buckets, sum_s = each.judging.cumulated()
            judging.add_metric([each.sense_name], buckets, sum_s)
            age_s = each.feed.liveness.age_s(time.monotonic())
            if age_s is not None:
                age.add_metric([each.sense_name], age_s)
        yield judging
        yield age

    def _states(self) -> Iterator[Metric]:
        status = self._vitals.status()
        state = GaugeMetricFamily("parvis_edge_state", "1 for the state that the unit is in.", labels=["state"])
        reason = GaugeMetricFamily("parvis_edge_reason", "1 for the reason of the unit's state; all 0 if it is well.", labels=["reason"])
        for one in UnitState:
            state.add_metric([one], float(status is not None and status.state is one))
        for why in StatusReason:
            reason.add_metric([why], float(status is not None and status.reason is why))
        stream = GaugeMetricFamily("parvis_edge_stream_state", "1 for the state that a stream is in.", labels=["sense", "state"])
        stream_reason = GaugeMetricFamily(
            "parvis_edge_stream_reason", "1 for the reason of a stream's state; all 0 if it is well.", labels=["sense", "reason"]
        )
        for name in (each.sense_name for each in self._vitals.perceivers):
            sense = getattr(status, name, None)
            for how in StreamState:
                stream.add_metric([name, how], float(sense is not None and sense.state is how))
            for why in StatusReason:
                stream_reason.add_metric([name, why], float(sense is not None and sense.reason is why))
        yield from (state, reason, stream, stream_reason)
        said = CounterMetricFamily("parvis_edge_messages", "Messages made, by type and phase.", labels=["type", "phase"])
        for (name, phase), count in sorted(dict(self._vitals.said).items()):
            said.add_metric([name, phase], count)
        yield said

    def _delivery(self) -> Iterator[Metric]:
        outbox, kept, deliverer = self._vitals.outbox, self._vitals.kept, self._vitals.deliverer
        if outbox is None or kept is None or deliverer is None:
            return
        yield _counter("published", "Messages of the outbox that the broker has taken; some more than once.", deliverer.published)
        yield _counter("refused", "Times that the broker refused a message.", deliverer.refused)
        yield _counter("connections", "Connections to the broker; all but the first after one was lost.", deliverer.connections)
        yield _gauge("memory_messages", "Messages kept in memory because the disk takes none.", kept.waiting)
        try:
            fill = outbox.fill()
        except OutboxError:
            return
        yield _gauge("outbox_messages", "Messages that the broker has not taken.", fill.messages)
        yield _gauge("outbox_refused_messages", "Of these, set apart because the broker refused them.", fill.refused)
        yield _gauge("outbox_oldest_seconds", "Age of the oldest of them.", fill.oldest_s)
        yield _counter("shed", "Messages given up for want of room, ever.", fill.shed + kept.shed)

    def _body(self) -> Iterator[Metric]:
        clock = self._vitals.clock()
        family = GaugeMetricFamily("parvis_edge_clock_uncertainty_seconds", "1-sigma uncertainty of the clock.", labels=["source"])
        family.add_metric([clock.source], clock.uncertainty_ms / 1_000.0)
        yield family
        memory, heat_c = memory_bytes(), temperature_c()
        if memory is not None:
            yield _gauge("memory_bytes", "Resident memory of the program.", memory)
        if heat_c is not None:
            yield _gauge("temperature_celsius", "Of the hottest thermal zone.", heat_c)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"parvis_edge_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"parvis_edge_{name}", words, value=value)


def serve(address: tuple[str, int], vitals: Vitals) -> Callable[[], None]:
    """Serves them at ``http://HOST:PORT/metrics``, in a thread of its own.

    Returns:
        Ends it.

    Raises:
        OSError: The address is taken, or not this machine's.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(UnitCollector(vitals))
    server, thread = start_http_server(address[1], address[0], registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
