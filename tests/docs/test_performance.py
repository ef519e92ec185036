"""The tables of docs/performance.md are such as the bench writes: whatever was changed by hand no longer adds up."""

from __future__ import annotations

import re

import pytest
from parvis_contract import EVENT_TYPES

from tests.bench.senses.__main__ import COUNTED, PARTS
from tests.bench.senses.page import PAGE, block, replaced, table
from tests.bench.senses.score import COLUMNS, Score, rate, share

TEXT = PAGE.read_text(encoding="utf-8")


def rows(part: str) -> list[list[str]]:
    """The lines of a part's first table, as cells."""
    lines = [line for line in (block(TEXT, part) or "").partition("\n\nHow sure")[0].splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_was_written_by_its_command(part: str) -> None:
    text = block(TEXT, part)
    assert text is not None
    assert re.match(rf"Written by `python -m tests\.bench\.senses {part}( --quick)? --write`\.\n\n", text)


@pytest.mark.parametrize("part", COUNTED)
def test_every_line_follows_from_its_counts(part: str) -> None:
    assert "| " + " | ".join(COLUMNS) + " |" in (block(TEXT, part) or "")
    for cells in rows(part):
        assert list(Score.of_cells(cells).cells()) == cells
        assert cells[0].strip("`") in {*EVENT_TYPES, "flow.count", "tag.sighting"}


def test_what_was_changed_by_hand_is_noticed() -> None:
    cells = list(Score("zone.intrusion", "visits", "real", found=5, truths=6, false=1, hours=0.5).cells())
    assert list(Score.of_cells(cells).cells()) == cells
    cells[4] = cells[4].replace("0.83", "0.93")
    assert list(Score.of_cells(cells).cells()) != cells


@pytest.mark.parametrize(
    ("score", "cells"),
    [
        (
            Score("a", "b", "real", found=5, truths=6, false=1, hours=2.0),
            (
                "`a`",
                "b",
                "real",
                "as recorded",
                "5 of 6: 0.83 (0.44 to 0.97)",
                "5 of 6: 0.83 (0.44 to 0.97)",
                "1 in 2.00 h: 0.5 (0.013 to 2.8)",
            ),
        ),
        (Score("a", "b", "composed", "night", hours=0.25), ("`a`", "b", "composed", "night", "–", "–", "0 in 0.250 h: 0 (0 to 15)")),
        (
            Score("a", "b", "simulated", "", found=99, truths=100, hours=None),
            ("`a`", "b", "simulated", "", "99 of 100: 0.99 (0.95 to 1.00)", "99 of 99: 1.00 (0.96 to 1.00)", "–"),
        ),
    ],
)
def test_counts_become_shares_and_rates_with_their_intervals(score: Score, cells: tuple[str, ...]) -> None:
    # By tables: Wilson's intervals of 5 of 6 and 99 of 100, and Garwood's of a count of 1 (0.0253 to 5.572) and of 0 (to 3.689).
    assert score.cells() == cells
    assert Score.of_cells(cells).cells() == cells


def test_each_truth_is_found_once() -> None:
    score = Score("a", "b", "real")
    score.add([(4.0, 0.9), (4.5, 0.8), (20.0, 0.7)], [(3.0, 5.0), (30.0, 31.0)], 3600.0)
    assert (score.found, score.truths, score.false, score.hours) == (1, 2, 2, 1.0)
    assert score.said == [(0.9, True), (0.8, False), (0.7, False)]
    score.join(Score("", "", "real", found=1, truths=1, hours=0.5))
    assert (score.found, score.truths, score.false, score.hours) == (2, 3, 2, 1.5)


def test_no_count_is_no_share_and_no_event_is_a_rate() -> None:
    assert share(0, 0) == "–"
    assert rate(0, 1.0) == "0 in 1.00 h: 0 (0 to 3.7)"


def test_only_what_is_between_a_parts_marks_is_replaced() -> None:
    page = "a\n<!-- senses: seen -->\nold\n<!-- /senses -->\nb\n<!-- senses: heard -->\nkept\n<!-- /senses -->\n"
    new = replaced(page, "seen", table(("x", "y"), [("1", r"\2")]))
    assert block(new, "seen") == "| x | y |\n| --- | --- |\n| 1 | \\2 |"
    assert block(new, "heard") == "kept"
    assert new.startswith("a\n")
    with pytest.raises(ValueError, match="<!-- senses: smelt -->"):
        replaced(page, "smelt", "")
