"""The data protection officer's page names all that can be recorded."""

from __future__ import annotations

import re

from parvis_hub.governance import What

from tests.docs.pages import ROOT, rows, text_of


def test_the_page_has_each_kind_of_entry() -> None:
    page = text_of(ROOT / "docs" / "data-protection.md")
    named = [what for cell, *_ in rows(page, "what") for what in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(What)
