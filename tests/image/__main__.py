"""``make image-test``: a card in an emulated machine, from the flash to its updates. Needs root's rights.

python -m tests.image --image .parvis/image/parvis-generic-0.1.0.img.zst
python -m tests.image --image … --keep /tmp/trial --only bad-update

With --keep, a step goes on with what the steps before have left there; first-event begins anew.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.image.machine import say
from tests.image.steps import STEPS
from tests.image.trial import Trial


def main() -> None:
    """Runs the steps, and says how long each took."""
    steps = "\n".join(f"  {name:12} {step.__doc__}" for name, step in STEPS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.image", description=__doc__, epilog=f"steps:\n{steps}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path, required=True, help="the generic image, with roots/ beside it, as `make image` leaves them")
    parser.add_argument("--only", action="append", choices=STEPS, metavar="STEP", help="this step; repeated; all unless told")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder to work in, and to leave; 15 GB")
    asked = parser.parse_args()
    folder = (asked.keep or Path(tempfile.mkdtemp(prefix="parvis-image-"))).resolve()
    # So that whoever ends it ends what it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    trial = Trial(asked.image.resolve(), folder)
    wanted = asked.only or list(STEPS)
    if not trial.card.exists() and "first-event" not in wanted:
        wanted = ["first-event", *wanted]
    took: dict[str, float] = {}
    try:
        trial.hub.start()
        for name in (each for each in STEPS if each in wanted):
            say(f"{name}: {STEPS[name].__doc__}")
            begun_s = time.monotonic()
            STEPS[name](trial)
            took[name] = time.monotonic() - begun_s
            say(f"  {name}: {took[name]:.0f} s")
    finally:
        trial.close()
        if asked.keep is None:
            shutil.rmtree(folder)
    say(f"all of it: {', '.join(f'{name} {seconds:.0f} s' for name, seconds in took.items())}")


if __name__ == "__main__":
    main()
