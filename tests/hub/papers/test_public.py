"""What the hub shows everybody: the same papers as the commands write, the sign's digest, and reports of past months alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from parvis_contract import Site
from parvis_hub.console.guard import Guard
from parvis_hub.console.public import public
from parvis_hub.governance import digest_of_configuration
from parvis_hub.papers.facts import gather
from parvis_hub.papers.page import STYLE
from parvis_hub.papers.register import registration
from parvis_hub.papers.report import as_csv
from parvis_hub.store import Database, Desk, Notices, Store
from parvis_hub.store.tallies import bounds_us
from sqlalchemy import text

from tests.hub.papers.html import Page
from tests.hub.papers.site import ON, cards, said, write

MAY_S, JUNE_S = (bounds_us(month, "Europe/Paris")[0] / 1e6 for month in ("2026-05", "2026-06"))
PAGES = ("register.html", "sign.html", "reports.html", "report-2026-05.html")


class Served:
    """A hub's public addresses, at a time that can be set."""

    def __init__(self, folder: Path) -> None:
        self.now_s = MAY_S + 5.0
        self.site: Site = write(folder)
        self.database = Database(f"sqlite:///{folder / 'hub.sqlite'}", self.site.site)
        self.store = Store(self.database, self.site, lambda: int(self.now_s * 1e6))
        self.store.started()
        self.now_s = JUNE_S + 5.0
        self.store.purge()
        self.desk = Desk(self.store, self.site, Notices())
        self.controller = said(folder)
        app = FastAPI()
        app.add_middleware(Guard, hosts=("testserver",))
        app.include_router(public(self.desk, self.site, self.controller, cards(), lambda: datetime.fromtimestamp(self.now_s, UTC)))
        self.client = TestClient(app)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.database.close()


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_its_look_from_the_hub_and_nothing_else(served: Served, name: str, lang: str) -> None:
    answer = served.client.get(f"/public/{name}", params={"lang": lang})
    assert answer.status_code == 200
    page = Page(answer.text)
    assert page.lang == lang
    assert [address for element, address in page.loads if element != "a"] == ["paper.css"]
    # The console's policy allows no style inside a page.
    assert "style" not in page.elements
    assert "style-src 'self'" in answer.headers["content-security-policy"]
    for element, address in page.loads:
        if element == "a":
            assert served.client.get(f"/public/{address}").status_code == 200
    assert served.client.get("/public/paper.css").text == STYLE


def test_the_sign_s_digest_is_the_one_at_the_status(served: Served) -> None:
    status = served.client.get("/public/status.json").json()
    sign = Page(served.client.get("/public/sign.html?unit=u003").text)
    assert status["configuration"] in sign.text.replace(" ", "")
    log = digest_of_configuration(served.site)
    assert (status["site_plan"], status["profile"]["digest"]) == (log.site, log.profile)
    assert status["profile"]["in_force"] is True


def test_the_registration_is_the_command_s(served: Served) -> None:
    facts = gather(served.site, served.controller, cards(), ON)
    assert json.loads(served.client.get("/public/register.json?lang=fr").text) == registration(facts, "fr")


def test_a_report_is_of_a_month_that_is_over(served: Served) -> None:
    answer = served.client.get("/public/report-2026-05.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == as_csv(served.desk.month("2026-05"), served.site)
    for month in ("2026-06", "2026-04", "2026-5", "..", "2026-05%00"):
        assert served.client.get(f"/public/report-{month}.csv").status_code == 404
    assert "2026-06" not in served.client.get("/public/reports.html").text


def test_a_profile_that_ends_while_the_hub_runs_is_told_on_that_day(served: Served) -> None:
    assert "Sensed here" in served.client.get("/public/sign.html").text
    served.now_s = datetime(2036, 1, 2, tzinfo=UTC).timestamp()
    assert served.client.get("/public/status.json").json()["profile"]["in_force"] is False
    assert "Nothing is sensed here" in served.client.get("/public/sign.html").text


def test_a_report_is_not_made_anew_for_every_reader_and_follows_a_verdict_in_time(served: Served) -> None:
    def deleted() -> bool:
        return "flows" in served.client.get("/public/report-2026-05.csv").text

    assert not deleted()
    served.now_s = MAY_S + 60.0
    with served.database.write() as connection:
        connection.execute(text("INSERT INTO flows (id, unit, time_us, expires_us, message) VALUES ('a', 'u011', 1, 1, '')"))
    served.store.purge()
    served.now_s = JUNE_S + 10.0
    assert not deleted()
    served.now_s += 600.0
    assert deleted()


def test_a_log_that_cannot_be_read_is_told(served: Served) -> None:
    with served.database.write() as connection:
        connection.execute(text("UPDATE audit SET what = 'nothing'"))
    answer = served.client.get("/public/report-2026-05.html")
    assert answer.status_code == 503
    assert "parvis-hub audit verify" in answer.text


@pytest.mark.parametrize("address", ["sign.html?unit=u999", "register.html?lang=de", "report-.html"])
def test_what_is_not_there_is_refused(served: Served, address: str) -> None:
    assert served.client.get(f"/public/{address}").status_code in {404, 422}
