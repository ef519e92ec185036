"""`make chaos`: kills units, hub and broker in turn, fifty times, and says whether anything was lost or counted twice.

`--accidents all` has everything else happen, too: what hangs, a full disk, a clock that jumps, a dead line, a broker that has forgotten,
a database that is killed.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.accidents import KINDS
from tests.chaos.kill import KillTest, Verdict
from tests.e2e.brokers import embedded_broker, mosquitto_broker


def main() -> int:
    """Exit status 1 if something was lost, there twice, or different."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many accidents")
    parser.add_argument(
        "--accidents",
        default="kill",
        help="which kinds, with commas between; or all. " + "; ".join(f"{kind}: {says}" for kind, says in KINDS.items()),
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's instants; printed by every run")
    parser.add_argument("--broker", choices=("mosquitto", "iotcore"), default="mosquitto")
    parser.add_argument("--autosave-s", type=int, default=30, help="how often mosquitto writes to disk; what it writes is soon out of date")
    parser.add_argument("--keep", type=Path, help="keep data and logs in this folder")
    options = parser.parse_args()
    kinds = tuple(KINDS) if options.accidents == "all" else tuple(options.accidents.split(","))
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        parser.error(f"no such accidents: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="parvis-chaos-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.broker == "mosquitto":
        program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/bin:/bin")
        if program is None:
            sys.stderr.write("mosquitto is missing: apt install mosquitto, or take --broker iotcore\n")
            return 2
        broker = mosquitto_broker(Path(program), folder / "broker", autosave_s=options.autosave_s)
    else:
        broker = embedded_broker()
    say(f"{options.kills} accidents ({', '.join(kinds)}), seed {seed}, broker {broker.name}")
    begun_s = time.monotonic()
    verdict = KillTest(folder, broker, seed, say, kinds).run(options.kills)
    say(told(verdict))
    say(f"{time.monotonic() - begun_s:.0f} s")
    if options.keep is None and verdict.flawless:
        shutil.rmtree(folder)
    else:
        say(f"data and logs: {folder}")
    return 0 if verdict.flawless else 1


def told(verdict: Verdict) -> str:
    """What was found, in words."""
    lines = [f"{count:5d} times {what}" for what, count in sorted(verdict.accidents.items())]
    lines.append(f"{verdict.expected:5d} messages expected")
    for what, found in (
        ("lost", verdict.missing),
        ("stored twice", verdict.twice),
        ("unexplained", verdict.unexplained),
        ("believed missing", verdict.gaps),
        ("incidents that differ from an undisturbed hub's", verdict.differing),
        ("retained incidents that differ from the hub's", verdict.retained),
    ):
        lines.append(f"{len(found):5d} {what}{': ' + ', '.join(map(str, found[:5])) if found else ''}")
    return "\n".join(lines)


def say(line: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
