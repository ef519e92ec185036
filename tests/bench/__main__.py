"""`make bench`: speed and memory beside the bare parts, as one table. It writes no file and judges nothing by itself.

Each module named here has a function ``rows()`` that measures and gives its lines. `python -m tests.bench hub` runs one alone.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.bench.report import Row

MODULES = ("vision", "hearing", "contract", "hub")


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


def main(chosen: list[str]) -> int:
    """Runs the chosen modules, all if none is named; 2 where there is no such module."""
    unknown = [name for name in chosen if name not in MODULES]
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(MODULES)}\n")
        return 2
    # Before numpy and onnxruntime are loaded: every figure is of one core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    console = Console()
    for name in chosen or MODULES:
        console.print(table(name, list(rows_of(name))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
