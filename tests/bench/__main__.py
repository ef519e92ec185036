"""`make bench`: speed and memory beside the bare parts, as one table. It writes no file and judges nothing by itself.

Each ``NAME_bench.py`` beside this file has a function ``rows()`` that measures and gives its lines: `python -m tests.bench hub` runs
one alone, and `python -m tests.bench --help` says what there is.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.report import Row

#: What `make bench` runs; the others take long, and are asked for by name.
USUAL = ("vision", "hearing", "contract", "hub")
#: All there are, with the first line of what each says of itself.
THERE_ARE = {
    path.stem.removesuffix("_bench"): (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    for path in sorted(Path(__file__).parent.glob("*_bench.py"))
}


def rows_of(name: str) -> Iterator[Row]:
    """Measures one module's lines."""
    yield from importlib.import_module(f"tests.bench.{name}_bench").rows()


def table(title: str, rows: list[Row]) -> Table:
    """The lines of one module."""
    shown = Table(title=title, title_justify="left", header_style="bold")
    for column, justify in (
        ("measured", "left"),
        ("", "right"),
        ("compared to", "left"),
        ("", "right"),
        ("ratio", "right"),
        ("wanted", "left"),
    ):
        shown.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        mark = "" if row.holds is None else " ✓" if row.holds else " ✗"
        reference = "" if row.reference is None else f"{number(row.reference)} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        shown.add_row(row.what, f"{number(row.value)} {row.unit}", row.against, reference, ratio, row.limit + mark)
    return shown


def number(value: float) -> str:
    """Three or more digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main(arguments: list[str]) -> int:
    """Runs the chosen benchmarks, the usual ones if none is named."""
    lines = (f"  {name:<10} {says}" for name, says in THERE_ARE.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures speed and memory beside something to compare with, in one run. Judges nothing by itself.",
        epilog="\n".join(("benchmarks:", *lines, "", f"without a name: {', '.join(USUAL)}")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run, in this order")
    chosen = parser.parse_args(arguments).names or USUAL
    if unknown := [name for name in chosen if name not in THERE_ARE]:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(THERE_ARE)}")
    # Before numpy and onnxruntime are loaded: every figure is of one core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    console = Console()
    for name in chosen:
        console.print(table(name, list(rows_of(name))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
