"""What is generated from the models and checked in is what they give today."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_contract import ENVELOPES
from parvis_contract.cli import generated

ROOT = Path(__file__).resolve().parents[2]
FOLDER, PAGE = ROOT / "contract" / "generated", ROOT / "docs" / "contract.md"
FILES = generated(FOLDER, PAGE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], f"{path} is not what the models give; run `make schema`"


def test_no_file_is_left_of_a_type_that_is_gone() -> None:
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == {path for path in FILES if path != PAGE}
    assert len(FILES) == len(ENVELOPES) + 2


def test_the_page_names_every_type_and_every_field() -> None:
    page = PAGE.read_text(encoding="utf-8")
    from parvis_contract.envelope import FIELD_NAMES

    assert all(f"### `org.parvis.{name}.v1`" in page for name in ENVELOPES)
    missing = {name for name in FIELD_NAMES if f"`{name}`" not in page and f".{name}`" not in page and f".{name}[]" not in page}
    assert missing == set()
