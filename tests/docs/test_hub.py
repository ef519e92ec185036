"""The page about hubs: what it says that a row takes is what it takes."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from parvis_hub.store.schema import events, flows, incidents
from sqlalchemy import Table, insert, select, text

from tests.docs.pages import ROOT, text_of
from tests.hub.store.test_store import Keeping
from tests.hub.street import busy_street, write_site

ROWS = 4_000


@pytest.mark.parametrize(("named", "table"), [("event", events), ("count", flows), ("incident", incidents)])
def test_a_row_takes_what_the_page_says(named: str, table: Table, tmp_path: Path) -> None:
    (said_kb,) = map(float, re.findall(rf"([\d.]+) kB for each {named}[,;]", text_of(ROOT / "docs" / "hub.md")))
    keeping = Keeping(write_site(tmp_path / "site.yaml"), f"sqlite:///{tmp_path / 'hub.sqlite'}")
    keeping.keep(busy_street(3))
    with keeping.database.write() as connection:
        one = dict(connection.execute(select(incidents if table is incidents else events)).mappings().first() or {})
        # A count is a message like an event, without position, clock and model.
        row = {column.name: one[column.name] for column in table.columns if column.name != "row"} | (
            {"message": one["message"][:420]} if table is flows else {}
        )
        connection.execute(insert(table), [row | {"id": str(uuid.uuid4())} for _ in range(ROWS)])
    with keeping.database.read() as connection:
        pages = "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = :table)"
        found_kb = connection.execute(text(pages), {"table": table.name}).scalar_one() / ROWS / 1_000
    keeping.database.close()
    assert said_kb * 0.75 < found_kb < said_kb * 1.25
