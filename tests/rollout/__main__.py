"""`make rollout`: brings versions and site plans, good and bad, to real units of a real hub, and prints what became of them.

It takes twenty minutes, most of which are spent waiting: an event rate is known after ten minutes, and a plan that a unit is not well on is
given back after five.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from parvis_edge.bundle import zoo_folder
from rich.console import Console
from rich.table import Table

from tests.edge.clips import write_film
from tests.rollout import accidents, scenarios
from tests.rollout.scenarios import Line
from tests.rollout.street import MODEL, SHIPPED, Street, street_sound

#: Longer than all of it takes.
LASTS_S = 3_600.0
#: Beyond the validity of everything but the root.
AWAY_DAYS = 200
SENSES = {
    **{f"u00{number}": ["microphone"] for number in (1, 2, 3, 4, 7)},
    "u005": ["camera"],
    "u006": ["camera", "microphone"],
}


def trials(street: Street) -> dict[str, Callable[[], Iterator[Line]]]:
    """Every trial by its name, in order; u004 is left alone until its rate is known, u007 is away until it is called."""
    since_s = time.monotonic()
    return {
        "good": lambda: scenarios.good(street, "1.2.0", "u002"),
        "events": lambda: iter([scenarios.complete(street, "u001"), scenarios.complete(street, "u002")]),
        "golden": lambda: scenarios.unlike(street, "1.2.1", "u001"),
        "damaged": lambda: scenarios.rotten(street, "1.2.2", "u003"),
        "pause": lambda: scenarios.paused(street, "1.2.3", "u001"),
        "hangs": lambda: scenarios.hangs(street, "1.2.4", "u001"),
        "killed": lambda: accidents.killed(street, "u002", ("1.3.0", "1.3.1")),
        "full": lambda: accidents.full(street, "u003", ("1.3.2", "1.3.3")),
        "away": lambda: accidents.away(street, "u007", "1.4.0", AWAY_DAYS),
        "clock": lambda: accidents.clockless(street, "u001", "1.4.1"),
        "jump": lambda: scenarios.jump(street, "1.5.0", "u004", since_s),
        "plan": lambda: scenarios.unwell_plan(street, "u005", "started 3 times"),
        "unwell": lambda: scenarios.unwell_plan(street, "u006", "not well within 300 s"),
        "missing": lambda: iter([scenarios.whole(street)]),
    }


def run(folder: Path, mosquitto: Path, chosen: list[str], say: Callable[[Line], None]) -> list[Line]:
    """Those that are chosen, or all; says each line as it comes."""
    rng = np.random.default_rng(1)
    film = write_film(folder / "film.mp4", [rng.integers(90, 110, (360, 640, 3), np.uint8)] * 3_600, range(0, 1_800_000, 500))
    sources = {"microphone": street_sound(folder / "street.wav", LASTS_S), "camera": film}
    lines = []
    with Street(folder, mosquitto, SENSES, sources, members=("u001", "u002", "u003"), days_ago=AWAY_DAYS) as street:
        accidents.seen_long_ago(street, "u007", AWAY_DAYS)
        # What the units are shipped with, so that there is something to go back to.
        street.publish(zoo_folder() / MODEL / SHIPPED)
        scenarios.begin(street, *(name for name in SENSES if name != "u007"))
        for name, trial in trials(street).items():
            if chosen and name not in chosen:
                continue
            try:
                for line in trial():
                    lines.append(line)
                    say(line)
            except (AssertionError, OSError, LookupError, subprocess.SubprocessError) as error:
                lines.append(Line(name, f"{type(error).__name__}: {error}"[:400], holds=False))
                say(lines[-1])
    return lines


def main(arguments: list[str]) -> int:
    """Runs it; 1 if something is not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.rollout", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="of trials; without any, all")
    parser.add_argument("--folder", type=Path, help="keep everything that is written here")
    asked = parser.parse_args(arguments)
    for program in ("mosquitto", "faketime"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
            parser.error(f"{program} is missing: apt install {program}")
    console, begun_s = Console(), time.monotonic()

    def say(line: Line) -> None:
        console.print(f"{time.monotonic() - begun_s:5.0f} s  {'✓' if line.holds else '✗'} {line.what}: {line.found}", soft_wrap=True)

    mosquitto = Path(shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        where = asked.folder or Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        lines = run(where, mosquitto, asked.names, say)
    table = Table("", "tried", "found", header_style="bold")
    for line in lines:
        table.add_row("✓" if line.holds else "✗", line.what, line.found)
    console.print(table)
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
