"""The report's totals are those of the store and of the log, as CSV and as a page, and its intervals are Wilson's."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_contract import Site, Verdict
from parvis_hub import governance
from parvis_hub.governance import VerdictGiven
from parvis_hub.papers.report import as_csv, as_index, as_page, false_alarms
from parvis_hub.store.tallies import Month, Outcome, bounds_us, read_month
from sqlalchemy import text

from tests.hub.papers.html import Page, check
from tests.hub.store.test_store import Keeping
from tests.hub.store.test_tallies import HOUR_S, MONTH, three_shots
from tests.hub.street import START_S, write_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


@pytest.fixture
def keeping(site: Site, tmp_path: Path) -> Iterator[Keeping]:
    keeping = Keeping(site, f"sqlite:///{tmp_path / 'hub.sqlite'}")
    keeping.store.started()
    yield keeping
    keeping.database.close()


def read(keeping: Keeping) -> Month:
    with keeping.database.read() as connection:
        return read_month(connection, MONTH, "UTC")


def rows(month: Month, site: Site) -> dict[tuple[str, str, str], str]:
    lines = list(csv.DictReader(io.StringIO(as_csv(month, site))))
    assert {line["month"] for line in lines} == {MONTH}
    found = {(line["section"], line["name"], line["quantity"]): line["value"] for line in lines}
    assert len(found) == len(lines), "no figure stands twice"
    return found


def test_totals_are_those_of_the_store_and_the_log(keeping: Keeping, site: Site) -> None:
    three_shots(keeping)
    found = rows(read(keeping), site)
    incidents = [row.message.data for row in keeping.desk.incidents()]
    assert found["total", "all", "alerts"] == found["type", "sound.impulse", "alerts"] == str(len(incidents)) == "3"
    for unit in site.units:
        assert found["unit", unit, "alerts"] == str(sum(unit in incident.units for incident in incidents))
    for verdict in (Verdict.CONFIRMED, Verdict.UNCONFIRMED):
        assert found["total", "all", verdict.value] == str(sum(incident.operator.verdict is verdict for incident in incidents))
    assert found["total", "all", "false_alarm"] == "1"
    with keeping.database.read() as connection:
        logged = Counter(entry.about.verdict for entry in governance.entries(connection) if isinstance(entry.about, VerdictGiven))
    assert {verdict: int(found["decisions", verdict.value, "count"]) for verdict in Verdict} == {each: logged[each] for each in Verdict}


def test_they_are_the_same_once_the_rows_are_gone_and_the_deletions_are_told(keeping: Keeping, site: Site) -> None:
    three_shots(keeping)
    keeping.close(START_S + HOUR_S)
    before = rows(read(keeping), site)
    keeping.now_s = START_S + 73 * HOUR_S
    deleted = {name: count for name, count in keeping.store.purge().items() if count}
    after = rows(read(keeping), site)
    assert {key: value for key, value in after.items() if key[0] == "deleted"} == {
        ("deleted", name, "rows"): str(count) for name, count in deleted.items()
    }
    assert {key: value for key, value in after.items() if key[0] != "deleted"} == before


def test_a_merge_leaves_one_alert(keeping: Keeping, site: Site) -> None:
    names = three_shots(keeping)
    with keeping.database.write() as connection:
        superseded = {"into": names[1], "which": names[2]}
        connection.execute(text("UPDATE incidents SET superseded_by = :into WHERE id = :which"), superseded)
    assert rows(read(keeping), site)["total", "all", "alerts"] == "2"


@pytest.mark.parametrize(
    ("wrong", "right", "low", "high"),
    # Newcombe (1998), Two-sided confidence intervals for the single proportion, table I: Wilson's score method.
    [(81, 182, 0.2553, 0.3662), (15, 133, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 28, 0.0061, 0.1718)],
)
def test_the_interval_is_wilson_s(wrong: int, right: int, low: float, high: float) -> None:
    rate = false_alarms(Counter({Outcome.FALSE_ALARM: wrong, Outcome.CONFIRMED: right}))
    assert rate is not None
    assert (rate.low, rate.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))
    assert rate.share == pytest.approx(wrong / (wrong + right))


def test_only_what_a_person_judged_counts() -> None:
    unjudged = Counter({Outcome.TEST: 5, Outcome.DUPLICATE: 4, Outcome.UNCONFIRMED: 3, Outcome.REASON_NOT_KEPT: 2})
    assert false_alarms(unjudged) is None
    rate = false_alarms(
        unjudged + Counter({Outcome.FALSE_ALARM: 1, Outcome.KNOWN_ACTIVITY: 1, Outcome.NOT_RELEVANT: 1, Outcome.CONFIRMED: 1})
    )
    assert rate is not None
    assert rate.share == 0.25


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_says_what_the_figures_do(keeping: Keeping, site: Site, lang: str) -> None:
    three_shots(keeping)
    page = check(as_page(read(keeping), site, lang, over=True), lang)  # type: ignore[arg-type]
    assert {"en": "Impulsive sound", "fr": "Son impulsionnel"}[lang] in page.text
    assert {"en": "50.0 % (9.5 % – 90.5 %)", "fr": "50,0 % (9,5 % – 90,5 %)"}[lang] in page.text
    assert all(unit in page.text for unit in site.units)
    assert "operator-1" not in page.text
    assert {"en": "This month is not over.", "fr": "Ce mois n’est pas terminé."}[lang] not in page.text


def test_no_figure_is_of_one_type_at_one_unit(keeping: Keeping, site: Site) -> None:
    three_shots(keeping)
    names = {(section, name) for section, name, _ in rows(read(keeping), site)}
    assert not any(section == "unit" and name not in site.units for section, name in names)
    assert not any(section == "type" and name in site.units for section, name in names)


def test_what_the_figures_do_not_cover_is_told(keeping: Keeping, site: Site) -> None:
    three_shots(keeping)
    with keeping.database.write() as connection:
        governance.prune(connection, int((START_S + 60) * 1e6), int((START_S + 30) * 1e6))
    page = check(as_page(read(keeping), site, "en", over=False), "en")
    assert "This month is not over." in page.text
    assert "Messages and hours are counted from 2026-05-28T20:26Z on." in page.text
    assert "The accountability log goes back to 2026-05-28T20:27Z" in page.text
    assert rows(read(keeping), site)["coverage", "log", "from"] == "2026-05-28T20:27Z"
    with keeping.database.read() as connection:
        unseen = read_month(connection, "2026-04", "UTC")
    assert "No hub counted on this store in this month." in check(as_page(unseen, site, "en", over=True), "en").text


def test_a_month_that_was_counted_whole_says_nothing_of_that(keeping: Keeping, site: Site) -> None:
    three_shots(keeping)
    keeping.now_s = bounds_us("2026-06", "UTC")[0] / 1e6 + 20
    keeping.store.purge()
    with keeping.database.read() as connection:
        june = read_month(connection, "2026-06", "UTC")
    assert "missing" not in as_page(june, site, "en", over=True).partition("</style>")[2]


def test_the_list_leads_to_each_month(site: Site) -> None:
    page = Page(as_index(["2026-04", MONTH], site, "fr"))
    assert [address for _, address in page.loads] == [
        "report-2026-04.html?lang=fr",
        "report-2026-04.csv",
        "report-2026-05.html?lang=fr",
        "report-2026-05.csv",
    ]
    assert "Aucun mois n’est encore révolu." in Page(as_index([], site, "fr")).text
