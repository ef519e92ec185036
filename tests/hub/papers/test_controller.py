"""What the controller says is read with clear errors, and what they have not said is named, and in which language."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_contract import ConfigError
from parvis_hub.papers import impact, register, sign
from parvis_hub.papers.controller import Controller, Prose, load_controller

from tests.docs.pages import ROOT, blocks, text_of
from tests.hub.papers.site import CONTROLLER, said


@pytest.mark.parametrize(
    ("line", "key", "says"),
    [
        ("contact_email: not an address", "contact_email", "match"),
        ("register_url: http://exemple.test/", "register_url", "match"),
        ("organisation: 7", "organisation", "string"),
        ("goal: {}", "goal", "expected `en`, `fr` or both"),
        ("goal: {de: Ziel}", "goal.de", "unknown key"),
        ("status: running", "status", "planned"),
        ("risk_category: none", "risk_category", "minimal risk"),
        ("publication_date: soon", "publication_date", "date"),
        ("organization: Ville", "organization", "unknown key"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(tmp_path: Path, line: str, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        said(tmp_path, f"country: France\n{line}\n")
    [problem] = caught.value.problems
    assert (problem.line, problem.key) == (2, key)
    assert says in problem.expected


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (("last_change_date: 2026-11-20", "last_change_date: 2026-10-20"), "last_change_date is before publication_date"),
        (("revision_date: 2027-05-01", "revision_date: 2026-11-20"), "revision_date is not after last_change_date"),
    ],
)
def test_dates_are_in_order(tmp_path: Path, changed: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        said(tmp_path, CONTROLLER.replace(*changed))


def test_the_file_stands_beside_the_plan_and_need_not_be_there(tmp_path: Path) -> None:
    plan = tmp_path / "site.yaml"
    assert load_controller(plan) == Controller()
    expected = said(tmp_path)
    assert load_controller(plan) == expected
    assert load_controller(Path()) == Controller()
    other = tmp_path / "other.yaml"
    other.write_text("country: Belgique\n", encoding="utf-8")
    assert load_controller(plan, other).country == "Belgique"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_controller(plan, tmp_path / "missing.yaml")


def test_what_is_missing_is_named_as_it_is_written() -> None:
    half = Controller(country="France", goal=Prose(fr="Voir."))
    assert half.missing(("country", "area", "goal", "risks"), "en") == ["area", "goal.en", "risks.en"]
    assert half.missing(("country", "area", "goal", "risks"), "fr") == ["area", "risks.fr"]


def test_whoever_has_said_everything_lacks_nothing(tmp_path: Path) -> None:
    whole = said(tmp_path)
    for needed in (register.NEEDED, sign.NEEDED, impact.NEEDED):
        assert set(needed) <= set(Controller.model_fields)
        assert whole.missing(needed, "en") == whole.missing(needed, "fr") == []


def test_the_officer_s_page_shows_a_file_with_every_key(tmp_path: Path) -> None:
    page = ROOT / "docs" / "data-protection.md"
    [example] = [block.text for block in blocks(page) if block.language == "yaml"]
    shown = said(tmp_path, example).model_dump(exclude_none=True)
    assert set(Controller.model_fields) == {*shown, "contact_phone", "impact_assessment_url"}
    assert "Besides, it may have `contact_phone` and `impact_assessment_url`." in text_of(page)
