"""The correlator alone: messages a second of processor time, by what they are of; what a burst's incidents take, and a location."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from parvis_hub.correlate import Correlator
from parvis_hub.correlate.multilateration import Arrival, multilaterate
from parvis_hub.correlate.physics import speed_of_sound_m_s

from tests.bench.report import Row
from tests.hub.city import answer
from tests.hub.scenes import random_city
from tests.hub.street import SPACING_M, START_S, Street, write_site

#: Units along a side, happenings an hour in their quarter, and messages of one batch, as the hub has at most.
SIDE, HAPPENINGS, BATCH = 12, 400, 500
#: How many sounds are located, at fifteen degrees.
LOCATIONS, SOUND_M_S = 200, speed_of_sound_m_s(15.0)


def rows() -> Iterator[Row]:
    """Measures."""
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        site = write_site(Path(name) / "site.yaml", SIDE)
    for what in ("thing", "crowd", "tampered", "alarm"):
        rng, street = random.Random(1), Street(random.Random(2), SIDE)
        for _ in range(HAPPENINGS):
            at_s, place_m = START_S + rng.uniform(0, 3_600), (rng.uniform(0, SPACING_M * SIDE), rng.uniform(0, SPACING_M * SIDE))
            if what == "tampered":
                street.tampered(at_s, rng.randrange(SIDE**2))
            else:
                getattr(street, what)(at_s, place_m)
        messages, correlator = street.sorted(), Correlator(site)
        begun_s = time.process_time()
        for start in range(0, len(messages), BATCH):
            for message in messages[start : start + BATCH]:
                correlator.add(message)
            correlator.changes()
        yield Row(
            f"of what is {what}, {HAPPENINGS} an hour among {SIDE**2} units", len(messages) / (time.process_time() - begun_s), "messages/s"
        )
    for kind in ("shot", "burst"):
        city = random_city(1, kind, 6)
        # Once before, since the first location loads what it needs.
        answer(city)
        spent_s = []
        correlator = Correlator(city.site)
        for start in range(0, len(city.messages), 50):
            for message in city.messages[start : start + 50]:
                correlator.add(message)
            begun_s = time.process_time()
            correlator.changes()
            spent_s.append(time.process_time() - begun_s)
        yield Row(f"{kind}s heard by dozens, told every 50 messages: the slowest time", 1e3 * max(spent_s), "ms")
    yield Row("a sound located that twelve heard, an eighth of them an echo", _location_ms(), "ms")


def _location_ms() -> float:
    """Processor time of a location."""
    rng = random.Random(1)
    sounds = []
    for _ in range(LOCATIONS):
        source_m, *units_m = [(rng.uniform(-150, 150), rng.uniform(-150, 150)) for _ in range(13)]
        echoes_s = [rng.uniform(0.01, 0.2) if rng.random() < 0.125 else 0.0 for _ in units_m]
        sounds.append(
            [
                Arrival(*place, 4.4, math.hypot(math.dist(place, source_m), 3.0) / SOUND_M_S + late_s + rng.gauss(0, 0.002), 0.002)
                for place, late_s in zip(units_m, echoes_s, strict=True)
            ]
        )
    begun_s = time.process_time()
    for arrivals in sounds:
        multilaterate(arrivals, temperature_c=15.0)
    return 1e3 * (time.process_time() - begun_s) / LOCATIONS
