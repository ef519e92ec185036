"""A unit for the kill test: the real runtime, outbox and delivery, with a sense that has something to say ten times a second.

What a real microphone says in a day it says in a minute, so that a kill meets a message under way at every instant. Its words
follow from the recording alone: the same recording gives the same messages, however often it is begun again.

    python -m tests.chaos.unit --site SITE.yaml --unit u001 --audio FILE --start TIME… [--stdout | --broker HOST:PORT --data-dir DIR
        [--offset FILE]]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from parvis_contract import ImpulseClass, ModelRef, Phase, Site, SoundImpulse, SoundLevel, load_site
from parvis_edge.capture.source import parse_source
from parvis_edge.delivery.connection import Broker
from parvis_edge.perception import AudioBlock, Judgement, Sense
from parvis_edge.process import private_standard_output
from parvis_edge.unit import Watch, run

from tests.chaos.accidents import SHIFTED

#: Blocks of a tenth of a second: of each second, five impulses and, in turn, a noise that begins, goes on and ends.
_CYCLE = 20


class Talkative:
    """Says something of every block."""

    model = ModelRef(name="talkative", version="1.0.0")
    inference_ms: float | None = None

    def __init__(self) -> None:
        self.analysed = 0
        self._last_s = 0.0
        self._open = False

    def process(self, item: AudioBlock) -> list[Judgement]:
        """An impulse at every second block; a noise from the first to the last of a cycle."""
        at, self.analysed, self._last_s = self.analysed % _CYCLE, self.analysed + 1, item.time_s
        said = []
        if at % 2:
            measure = SoundImpulse(sound_class=ImpulseClass.CRASH, lcpeak_db=90.0 + at, onset_uncertainty_ms=1.0)
            said.append(Judgement("sound.impulse", Phase.INSTANT, None, item.time_s, 0.9, measure))
        phases = {1: Phase.START, 5: Phase.UPDATE, 9: Phase.UPDATE, 13: Phase.UPDATE, 17: Phase.END}
        if at in phases:
            said.append(self._noise(phases[at], item.time_s))
        return said

    def finish(self) -> list[Judgement]:
        """Ends the noise, if it is not over."""
        return [self._noise(Phase.END, self._last_s)] if self._open else []

    def _noise(self, phase: Phase, time_s: float) -> Judgement:
        self._open = phase is not Phase.END
        level_db = 70.0 + self.analysed % 7
        measure = SoundLevel(laeq_db=level_db, lafmax_db=level_db + 3.0, lcpeak_db=level_db + 12.0, period_s=1.0, limit_db=65.0)
        return Judgement("sound.level", phase, "noise", time_s, 0.95, measure)


def make(site: Site, unit: str, allowed: frozenset[str]) -> Sense[Any]:
    """A sense for the runtime."""
    del site, unit, allowed
    return Talkative()


def main() -> int:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--site", "--unit", "--audio"):
        parser.add_argument(name, required=True)
    parser.add_argument("--start", required=True, nargs="+", help="when the recording begins; it is played once for each")
    parser.add_argument("--stdout", action="store_true")
    parser.add_argument("--broker", default="127.0.0.1:1883")
    parser.add_argument("--data-dir", default=".")
    parser.add_argument("--offset", type=Path, help="file that says by how many seconds the clock is off")
    options = parser.parse_args()
    if options.offset:
        exec(SHIFTED.format(file=str(options.offset)), {})  # the same that the hub's process is begun with
    host, _, port = options.broker.rpartition(":")
    watch = Watch(
        site=load_site(options.site),
        unit=options.unit,
        sources={"microphone": parse_source(options.audio, "microphone")},
        standard_output=options.stdout,
        real_pace=not options.stdout,
        broker=Broker(host, int(port)),
        data_dir=Path(options.data_dir),
        drain_s=60.0,
    )
    descriptor = private_standard_output() if options.stdout else 1
    starts_s = [datetime.fromisoformat(start).timestamp() for start in options.start]
    return max(run(replace(watch, start_s=start_s), {"microphone": make}, descriptor=descriptor) for start_s in starts_s)


if __name__ == "__main__":
    sys.exit(main())
