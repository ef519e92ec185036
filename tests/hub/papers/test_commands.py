"""The commands write each paper, list what the controller still has to say, and tell what is wrong."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from parvis_hub.cli import app
from parvis_hub.store import Database, default_url
from parvis_hub.store.tallies import open_month
from typer.testing import CliRunner, Result

from tests.hub.papers.html import check
from tests.hub.papers.site import write


def papers(*words: str) -> Result:
    return CliRunner().invoke(app, ["papers", *words])


@pytest.fixture
def plan(tmp_path: Path) -> str:
    write(tmp_path)
    return str(tmp_path / "site.yaml")


@pytest.mark.parametrize(
    ("words", "lang"),
    [
        (("register", "--format", "html"), "en"),
        (("register", "--format", "html", "--lang", "fr"), "fr"),
        (("sign",), "en"),
        (("sign", "--unit", "u003", "--lang", "fr"), "fr"),
    ],
)
def test_a_page_is_written_whole(plan: str, words: tuple[str, ...], lang: str) -> None:
    result = papers(*words, "--site", plan)
    assert (result.exit_code, result.stderr) == (0, "")
    check(result.stdout, lang)


def test_the_files_are_json(plan: str) -> None:
    register = papers("register", "--site", plan)
    assert (register.exit_code, register.stderr) == (0, "")
    assert json.loads(register.stdout)["standard_version"] == "0.3.1"
    impact = papers("impact", "--site", plan, "--lang", "fr")
    assert impact.exit_code == 0
    assert len(json.loads(impact.stdout)["answers"]) == 36
    assert impact.stderr.startswith("questions for the controller to answer in the tool: 321, 322, 323, 325")


def test_what_the_controller_still_has_to_say_is_listed_by_key(plan: str, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("goal: {en: To see.}\n", encoding="utf-8")
    result = papers("register", "--site", plan, "--lang", "fr")
    assert result.exit_code == 0
    assert "the controller still has to say: organisation\n" in result.stderr
    assert "the controller still has to say: goal.fr\n" in result.stderr
    assert "organization" not in json.loads(result.stdout)
    assert "goal.en" not in papers("register", "--site", plan).stderr


def test_a_registration_whose_revision_is_due_is_told(plan: str, tmp_path: Path) -> None:
    text = (tmp_path / "controller.yaml").read_text(encoding="utf-8")
    for old, new in (("2026-11-01", "2020-01-01"), ("2026-11-20", "2020-01-02"), ("2027-05-01", "2020-01-03")):
        text = text.replace(old, new)
    (tmp_path / "controller.yaml").write_text(text, encoding="utf-8")
    assert "revision_date: 2020-01-03 has passed" in papers("register", "--site", plan).stderr


def test_a_report_is_written_of_a_store(plan: str, tmp_path: Path) -> None:
    database = Database(default_url(tmp_path), "vieux-port")
    with database.write() as connection:
        open_month(connection, 1_780_000_000_000_000, "Europe/Paris")
    database.close()
    result = papers("report", "--site", plan, "--data-dir", str(tmp_path), "--month", "2026-05", "--format", "csv")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {line["value"] for line in csv.DictReader(io.StringIO(result.stdout)) if line["quantity"] == "alerts"} == {"0"}
    check(papers("report", "--site", plan, "--data-dir", str(tmp_path), "--lang", "fr").stdout, "fr")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("report", "--month", "2026-13"), "--month 2026-13: expected a month, such as 2026-10"),
        (("report", "--data-dir", "/nowhere"), "there is no store /nowhere/hub.sqlite"),
        (("sign", "--unit", "u999"), "--unit u999: the site plan has u003, u011, u017, u020"),
        (("register", "--controller", "/nowhere.yaml"), "/nowhere.yaml:1: the file: cannot be read"),
    ],
)
def test_what_is_wrong_is_told(plan: str, words: tuple[str, ...], says: str) -> None:
    result = papers(*words, "--site", plan)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""


def test_a_wrong_controller_s_file_is_told_with_its_line(plan: str, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("country: France\nstatus: running\n", encoding="utf-8")
    result = papers("impact", "--site", plan)
    assert result.exit_code == 2
    assert "controller.yaml:2: status is 'running'" in result.stderr
