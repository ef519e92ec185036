"""The registration satisfies the standard, says what runs and nothing that nobody has said; so does its page."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from parvis_hub.papers.controller import Controller, Language
from parvis_hub.papers.register import NEEDED, as_json, as_page, registration
from parvis_hub.papers.standard import FIELDS, REQUIRED, schema

from tests.hub.papers.html import check
from tests.hub.papers.site import CONTROLLER, facts_of

LANGUAGES: tuple[Language, ...] = ("en", "fr")
PROFILES = ("lab", "closed-site", "fr-voie-publique")
NASTY = '<script>alert(1)</script>&"'


def errors(record: dict[str, str]) -> list[str]:
    validator = Draft202012Validator(schema(), format_checker=FormatChecker())
    return sorted(error.message for error in validator.iter_errors(record))


def test_the_schema_is_one_and_requires_what_the_standard_does() -> None:
    Draft202012Validator.check_schema(schema())
    # As the standard has them, version 0.3.1.
    assert REQUIRED == (
        "standard_version", "lang", "publication_date", "last_change_date", "revision_date", "name", "organization",
        "department", "country",
        "contact_email", "description_short", "status", "decision_making_process", "domain", "area", "goal", "impact", "risks",
        "risk_category", "proportionality", "lawful_basis", "training_data", "source_data", "connected_data_sources", "algorithm_type",
        "type", "monitoring", "human_intervention", "objection_procedure",
    )  # fmt: skip
    assert len({field.name for field in FIELDS}) == len(FIELDS) == 50


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_registration_satisfies_the_standard(tmp_path: Path, lang: Language, profile: str) -> None:
    facts = facts_of(tmp_path, profile=profile)
    record = json.loads(as_json(facts, lang))
    assert errors(record) == []
    assert record["lang"] == lang
    assert record["organization"] == "Ville d’Exemple"
    assert record["goal"] == {"en": "To see quickly when the quay is too crowded.", "fr": "Voir vite quand le quai est trop dense."}[lang]


def test_each_required_field_that_is_taken_out_is_missed(tmp_path: Path) -> None:
    record = registration(facts_of(tmp_path), "en")
    for name in REQUIRED:
        assert errors({key: value for key, value in record.items() if key != name}) == [f"{name!r} is a required property"]


def test_what_the_controller_has_not_said_is_left_out_and_never_made_up(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, controller="country: France\n")
    record = registration(facts, "fr")
    missing = {error.split("'")[1] for error in errors(record)}
    assert missing == set(REQUIRED) - set(record)
    assert len(missing) == len(facts.controller.missing(NEEDED, "fr"))
    page = check(as_page(facts, "fr"), "fr")
    assert page.text.count("non indiqué") == len(missing)
    assert Controller().missing(NEEDED, "en")


@pytest.mark.parametrize(
    ("change", "said", "no_longer"),
    [
        (("dwell_s: 45", "dwell_s: 47"), "for 47 s", "for 45 s"),
        (("limit_db: 68", "limit_db: 71.5"), "above 71.5 dB", "above 68 dB"),
        (("density_steps_p_m2: [2.0, 3.5, 5.0]", "density_steps_p_m2: [1.5, 4]"), "more than 1.5 or 4 people", "2, 3.5 or 5 people"),
        (("heading_deg: 90", "heading_deg: 45"), "(45°)", "(90°)"),
        (("after_s: 5}", "after_s: 9}"), "for 9 s where people walk", "for 5 s where people walk"),
        (("kind: closed,", "kind: closed, after_s: 3,"), "closed zone for 3 s", "closed zone for 0.5 s"),
        (("kind: furniture,", "kind: furniture, least_fraction: 0.4,"), "at least 40.0 %", "at least 25.0 %"),
        (("timezone:", "count_floor: 25\ntimezone:"), "below 25,", "below 10,"),
    ],
)
def test_a_change_of_the_plan_is_one_of_the_register(tmp_path: Path, change: tuple[str, str], said: str, no_longer: str) -> None:
    before, after = (registration(facts, "en")["description"] for facts in (facts_of(tmp_path), facts_of(tmp_path, change)))
    assert said in after
    assert said not in before
    assert no_longer in before
    assert no_longer not in after


def test_the_lawful_basis_is_the_loaded_one_and_says_what_nobody_has_verified(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, profile="fr-voie-publique")
    basis = registration(facts, "en")["lawful_basis"]
    assert facts.law.basis.text in basis
    assert facts.law.microphone is not None
    assert facts.law.microphone.source.text in basis
    assert "nobody has verified" not in basis
    doubtful = facts.law.basis.model_copy(update={"verified": False})
    facts.site.under(facts.law.model_copy(update={"basis": doubtful}))
    assert f"{doubtful.text} {doubtful.link} (nobody has verified this text yet)" in registration(facts, "en")["lawful_basis"]


def test_after_the_profile_s_end_it_says_that_nothing_may_run(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, profile="fr-voie-publique", on=date(2028, 1, 1))
    record = registration(facts, "en")
    assert "Not in force on 2028-01-01: nothing may run." in record["lawful_basis"]
    assert errors(record) == []
    assert "the law allows nothing here today" in check(as_page(facts, "en"), "en").text


def test_retention_is_the_profile_s(tmp_path: Path) -> None:
    on_a_road = registration(facts_of(tmp_path, profile="fr-voie-publique"), "en")
    assert "incidents and decisions: 720 h (30 days)" in on_a_road["description"]
    assert "incidents and decisions: 72 h (3 days)" in registration(facts_of(tmp_path), "en")["description"]


def test_figures_are_the_cards_and_there_are_none_without_a_model(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    performance = registration(facts, "fr")["performance"]
    for card in facts.cards:
        assert card.accuracy is not None
        for label, found in card.accuracy.classes.items():
            assert f"{label} : {found.examples} exemples" in performance
            if found.recall_int8 is not None:
                assert f"rappel {found.recall_int8:.1f}".replace(".", ",") in performance
    levels = registration(facts_of(tmp_path, profile="fr-voie-publique"), "en")
    assert levels["algorithm_type"] == "rule-based"
    assert "No trained model runs" in levels["performance"]
    assert registration(facts, "en")["algorithm_type"] == "hybrid"


def test_a_site_with_many_places_keeps_to_the_standard_s_length(tmp_path: Path) -> None:
    zones = "".join(f"  kerb-number-{number:04}: {{kind: noise, unit: u003, limit_db: 68}}\n" for number in range(900))
    record = registration(facts_of(tmp_path, ("  kerb: {", zones + "  kerb: {")), "fr")
    assert errors(record) == []
    assert "68 dB" in record["description"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_says_what_the_file_does(tmp_path: Path, lang: Language) -> None:
    facts = facts_of(tmp_path)
    page = check(as_page(facts, lang), lang)
    for value in registration(facts, lang).values():
        assert value in page.text
    assert facts.digest in page.text


def test_every_sentence_is_in_the_page_s_language(tmp_path: Path) -> None:
    en, fr = (registration(facts_of(tmp_path), lang) for lang in LANGUAGES)
    same = {name for name in en if en[name] == fr[name]}
    # Dates, names and the standard's own words; that what the cards say is in English is said.
    assert same == {
        "standard_version", "uuid", "publication_date", "last_change_date", "revision_date", "name", "organization",
        "department", "country",
        "contact_email", "contact_phone", "website", "status", "domain", "area", "risk_category", "DPIA_url", "algorithm_type",
        "type",
    }  # fmt: skip


def test_every_value_is_escaped(tmp_path: Path) -> None:
    controller = CONTROLLER.replace("Ville d’Exemple", f"'{NASTY}'").replace("False alarms.", f"'{NASTY}'")
    page = check(as_page(facts_of(tmp_path, controller=controller), "en"), "en")
    assert page.text.count(NASTY) == 2


def test_each_rule_names_the_units_that_tell_it(tmp_path: Path) -> None:
    words = check(as_page(facts_of(tmp_path), "en"), "en").text
    assert "hall a thing that was not there has stayed still for 60 s, nobody near it u017 " in words
    assert "terrace a thing that was not there has stayed still for 45 s, nobody near it u011 " in words
