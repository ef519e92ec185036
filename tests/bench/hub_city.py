"""The cities that the hub is measured with: what their units say, made at random."""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    FlowCount,
    ObjectClass,
    UnitTelemetry,
    dump_unchecked,
    make_message,
    to_datetime,
    to_posix_s,
    topic_of,
    unit_source,
)

from tests.bench.hub_processes import Message
from tests.hub.street import SITE, SPACING_M, Street, unit_name, write_site

#: Of cities with so many units: what they say in the last hour.
MESSAGES = 15_000
#: How often each thing happens in a city's hour, in parts of all: mostly what cameras say, a few sounds, a shot now and then.
HAPPENS = ("thing",) * 5 + ("crowd",) * 3 + ("tampered",) * 2 + ("alarm",)
SHOTS = 0.02
#: Of what happens, nothing lasts longer than this.
LONGEST_S = 130.0


@dataclass(slots=True)
class City:
    """A plan and what its units say, in order of time."""

    site: Path
    messages: list[Message] = field(default_factory=list)


def something(street: Street, at_s: float) -> None:
    """Something happens somewhere."""
    rng, span_m = street.rng, SPACING_M * (street.side - 1)
    what = "shot" if rng.random() < SHOTS else rng.choice(HAPPENS)
    if what == "tampered":
        street.tampered(at_s, rng.randrange(street.side**2))
    else:
        getattr(street, what)(at_s, (rng.uniform(0.0, span_m), rng.uniform(0.0, span_m)))


def as_sent(message: Envelope[Any], numbers: Counter[str]) -> Message:
    """A message with the next number of its unit, as units number what they send."""
    data = message.data.model_copy(update={"sequence": numbers[message.unit]})
    numbers[message.unit] += 1
    return topic_of(message), dump_unchecked(message.model_copy(update={"data": data}))


def city(folder: Path, units: int) -> City:
    """Of about so many units, on a square grid, whose messages end now."""
    side = max(2, round(units**0.5))
    site = folder / f"site-{units}.yaml"
    write_site(site, side, calibrated=units < 5_000)
    rng = random.Random(units)
    street = Street(rng, side)
    until_s = time.time()
    while len(street.messages) < MESSAGES:
        something(street, until_s - rng.uniform(200.0, 3_600.0))
    numbers: Counter[str] = Counter()
    return City(site, [as_sent(message, numbers) for message in street.sorted()[:MESSAGES]])


def quiet_city(of: City, units: int) -> City:
    """The same city on a usual day: of four messages one is of an event, two are counts, one is telemetry."""
    rng = random.Random(units)
    sequences = dict.fromkeys(range(units), 1_000_000)
    messages: list[Message] = []
    for topic, body in of.messages[::4]:
        at = to_datetime(time.time() - 300.0)
        for _ in range(2):
            unit = rng.randrange(units)
            sequences[unit] += 1
            counted = {"in": rng.randrange(40), "out": rng.randrange(40)}
            flow = FlowCount(sequence=sequences[unit], zone="square", object_class=ObjectClass.PERSON, period_s=60.0, **counted)
            said = make_message("flow.count", source=unit_source(SITE, unit_name(unit)), time=at, data=flow)
            messages.append((topic_of(said), dump_unchecked(said)))
        said = make_message("unit.telemetry", source=unit_source(SITE, unit_name(rng.randrange(units))), time=at, data=_TELEMETRY)
        messages += [(topic_of(said), dump_unchecked(said)), (topic, body)]
    return City(of.site, messages)


_TELEMETRY = UnitTelemetry(
    uptime_s=1e5,
    captured_fps=25.0,
    analysed_fps=5.0,
    vision_inference_ms=31.2,
    hearing_inference_ms=1.1,
    queue_frames=0,
    dropped_frames=17,
    outbox_messages=0,
    outbox_oldest_s=0.0,
    outbox_shed=0,
    memory_bytes=2**28,
    temperature_c=48.5,
    clock=Clock(source=ClockSource.NTP, uncertainty_ms=2.0),
)


def steady(side: int, begin_s: float, rate_per_s: float) -> Iterator[tuple[float, Message]]:
    """What a city says without end, in order of time, each with its time; so many messages a second on average."""
    rng = random.Random(side)
    street = Street(rng, side)
    numbers: Counter[str] = Counter()
    waiting: list[tuple[float, str, Envelope[Any]]] = []
    at_s, said, happened = begin_s, 0, 0
    while True:
        # The rate of what happens follows from how much is said of it.
        each = said / happened if happened else 6.0
        at_s += rng.expovariate(rate_per_s / each)
        something(street, at_s)
        said, happened = said + len(street.messages), happened + 1
        for message in street.messages:
            heapq.heappush(waiting, (to_posix_s(message.time), str(message.id), message))
        street.messages.clear()
        street.truth.clear()
        while waiting and waiting[0][0] < at_s:
            when_s, _, message = heapq.heappop(waiting)
            yield when_s, as_sent(message, numbers)
