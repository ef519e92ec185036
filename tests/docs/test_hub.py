"""The page about hubs: services are installed as it says, and what it says that a row takes is what it takes."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from parvis_hub.store.schema import events, flows, incidents
from sqlalchemy import Table, insert, select, text

from tests.docs.pages import ROOT, blocks, text_of
from tests.hub.store.test_store import Keeping
from tests.hub.street import busy_street, write_site

ROWS = 4_000
PAGE = ROOT / "docs" / "hub.md"
#: What needs a machine of its own: packages from elsewhere, users, and a systemd that runs. Followed by hand, as the page says.
ELSEWHERE = ("sudo apt ", "sudo systemctl ", "sudo useradd ", "sudo python3 -m venv ", "sudo /opt/uv/bin/")


def services() -> list[str]:
    (found,) = [block.text.strip().splitlines() for block in blocks(PAGE) if block.text.startswith("sudo apt install mosquitto")]
    return found


def test_services_have_what_the_page_puts_where_they_look(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site.yaml")
    for line in services():
        if line.startswith(ELSEWHERE):
            continue
        here = line.replace("/opt/parvis/bin/", f"{Path(sys.executable).parent}/").replace("deploy/", f"{ROOT}/deploy/")
        for place in ("/etc/", "/var/lib/", "/usr/local/"):
            here = here.replace(f" {place}", f" {tmp_path}{place}")
        # Nobody but the user of the test is there.
        here = re.sub(r"sudo( -u parvis-hub)? |-[og] parvis-hub ", "", here)
        (tmp_path / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["sh", "-c", here], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{here}\n{done.stderr}"
    (options,) = (tmp_path / "etc/parvis/hub.env").read_text().splitlines()
    starts = text_of(ROOT / "deploy/systemd/parvis-hub.service") + text_of(ROOT / "deploy/systemd/parvis-broker.service") + options
    named = set(re.findall(r"[ =](/(?:etc|var/lib/parvis-hub|usr/local)[\w/-]*(?:\.\w+)*)", starts))
    assert len(named) > 5
    assert [each for each in sorted(named) if not (tmp_path / each[1:]).exists()] == []
    assert {path.name for path in (tmp_path / "etc/systemd/system").iterdir()} == {"parvis-broker.service", "parvis-hub.service"}
    assert site.site in (tmp_path / "etc/parvis/site.yaml").read_text()


def test_the_hub_is_installed_to_the_checksum_and_as_in_its_containers() -> None:
    lines = [line.removeprefix("sudo ") for line in services() if "/opt/uv" in line]
    assert [line.split()[1] for line in lines] == ["-m", "install", "venv", "pip"]
    assert "--require-hashes --requirement deploy/uv.lock" in lines[1]
    assert "--constraint requirements.lock --build-constraint requirements.lock" in lines[3]
    # The same commands, but for what a layer of an image need not keep and a database that the page has not.
    image = (
        text_of(ROOT / "deploy/compose/Dockerfile")
        .replace("--no-cache-dir ", "")
        .replace("--no-cache ", "")
        .replace("'./hub[postgresql]'", "./hub")
    )
    assert [line for line in lines if line not in image] == []


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
