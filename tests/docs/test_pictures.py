"""The pictures of the screens are those that `make pictures` takes, small enough for a page, each shown and said in words."""

from __future__ import annotations

import re

from PIL import Image

from tests.docs.pages import ROOT, text_of
from tests.pictures import FOLDER, MOST_BYTES


def test_each_picture_is_small_shown_and_said_in_words() -> None:
    shown = {}
    for page in (ROOT / "docs").glob("*.md"):
        shown |= {name: words for words, name in re.findall(r"!\[([^\]]*)\]\(pictures/([^)]+)\)", text_of(page))}
    there = {path.name for path in FOLDER.iterdir()}
    assert shown.keys() == there
    assert all(len(words) > 15 for words in shown.values())
    code = text_of(ROOT / "tests" / "pictures.py")
    for name in there:
        assert (FOLDER / name).stat().st_size <= MOST_BYTES
        with Image.open(FOLDER / name) as picture:
            assert picture.format == "WEBP"
        # It is one that the command takes.
        assert name in code or f'"{name.removesuffix(".webp")}"' in code
