"""docs/performance.md: the parts of it that are written by a command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "performance.md"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def block(page: str, name: str) -> str | None:
    """What stands between the marks of a part; None where it has none."""
    found = re.search(_pattern(name), page)
    return None if found is None else found[2].strip()


def replaced(page: str, name: str, text: str) -> str:
    """The page with another text between the marks of a part.

    Raises:
        ValueError: The page has no such marks.
    """
    if block(page, name) is None:
        raise ValueError(f"{PAGE.name} has no `<!-- senses: {name} -->` … `<!-- /senses -->`; put both lines where the table belongs")
    return re.sub(_pattern(name), lambda found: f"{found[1]}\n\n{text.strip()}\n\n{found[3]}", page)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- senses: {re.escape(name)} -->)(.*?)(<!-- /senses -->)", re.DOTALL)
