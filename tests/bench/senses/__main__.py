"""`make bench-senses`: recall, precision and false alarms per hour of every type of event, with intervals of 95 %.

One part after another, on the development material beside the checkout; single-threaded. `--write` puts what was measured into
docs/performance.md, part by part as it comes, so that what was stopped half way is there too, with how far it came.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from tests.bench.senses.page import PAGE, replaced, table
from tests.bench.senses.score import COLUMNS, SAID_COLUMNS, Score, said

DEVELOPMENT = Path(__file__).resolve().parents[4] / "shared" / "data" / "dev"
#: Each is a module beside this file.
PARTS = {
    "seen": "real clips, as recorded and under other light, weather and coding",
    "heard": "real sounds, as recorded and changed; made hours",
    "composed": "what no real clip shows: things left, taken, marked; crowds",
    "simulated": "a camera that is tampered with, tags, months on a square",
    "position": "how far a position is off, and how often it is within what the unit says",
    "confidence": "how often what is told with a confidence is true",
}
#: Those whose lines are counts of events.
COUNTED = ("seen", "heard", "composed", "simulated")


def shown(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table for the terminal."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def written(scores: list[Score]) -> str:
    """The lines of a part for the page: what was counted, and how sure the unit was."""
    counts = table(COLUMNS, [score.cells() for score in scores])
    sure = said(scores)
    return f"{counts}\n\nHow sure the unit was of what it told, over all of these lines:\n\n{table(SAID_COLUMNS, sure)}" if sure else counts


def main(arguments: list[str]) -> int:
    """Measures the parts that are named, all unless one is."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.senses",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(("parts:", *(f"  {name:<11} {says}" for name, says in PARTS.items()))),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="which to measure")
    parser.add_argument("--quick", action="store_true", help="a share of the clips and scenes, in some minutes: says little")
    parser.add_argument("--write", action="store_true", help="put the result into docs/performance.md")
    parser.add_argument("--page", type=Path, default=PAGE, help="another page to write into")
    parser.add_argument("--material", type=Path, default=DEVELOPMENT, help="folder of the material; by default beside the checkout")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.parts if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if not (chosen.material / "coco").is_dir():
        parser.error(f"no development material at {chosen.material}; --material names its folder")
    # Before numpy and onnxruntime are loaded: one thread, and politely.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.nice(10)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console()
    for name in chosen.parts or PARTS:
        with console.status(name) as status:
            module = importlib.import_module(f"tests.bench.senses.{name}")

            def tell(what: str, name: str = name, status: object = status) -> None:
                status.update(f"{name}: {what}")  # type: ignore[attr-defined]

            if name in COUNTED:
                scores: list[Score] = []
                for scores in module.lines(chosen.material, quick=chosen.quick, tell=tell):
                    if chosen.write:
                        write(chosen.page, name, written(scores), quick=chosen.quick)
                console.print(shown(name, COLUMNS, [score.cells() for score in scores]))
                console.print(shown("how sure it was", SAID_COLUMNS, said(scores)))
            else:
                text = module.text(chosen.material, quick=chosen.quick, write=chosen.write, tell=tell)
                console.print(text)
                if chosen.write:
                    write(chosen.page, name, text, quick=chosen.quick)
    return 0


def write(page: Path, name: str, text: str, *, quick: bool) -> None:
    """Puts a part into a page."""
    command = f"`python -m tests.bench.senses {name}{' --quick' if quick else ''} --write`"
    page.write_text(replaced(page.read_text(encoding="utf-8"), name, f"Written by {command}.\n\n{text}"), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
